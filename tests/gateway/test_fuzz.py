"""Whatever comes, under whatever topic: nothing is uncaught, and everything is accounted for.

`TALLYGATE_FUZZ=200000` takes in so many payloads instead of the suite's few; `TALLYGATE_FUZZ_SEED`
repeats a run.
"""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gateway.intake import Intake
from gateway.site import MqttMeter
from gateway.spool import Spool
from meters.archive.protocol import Appended
from meters.catalog import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meters.meter_type import MeterType

PAYLOADS = int(os.environ.get("TALLYGATE_FUZZ", "4000"))
SEED = int(os.environ.get("TALLYGATE_FUZZ_SEED", "20261122"))
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
BATCH = 500

FRAGMENTS = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b"NaN",
    b"-0",
    b"1e999999999",
    b"9" * 400,
    b'"',
    b"\xff\xfe",
    b"\x00",
    b'{"id":"\\ud800"}',
    b"[" * 2000,
    b'{"a":1,"a":2}',
    "１２".encode(),
)
VALUES = (None, True, -1, 0, 1e308, "", "0", "\ud83d", [], {}, 10**30, "1970-01-01T00:00:00Z")


def _reporting() -> list[MeterType]:
    """Every type of the catalogue that reports through a broker."""
    return [each for each in shipped().values() if each.modbus is None]


def _seeds(meter_type: MeterType) -> list[bytes]:
    return [proof.payload.encode() for proof in meter_type.proof if proof.payload is not None]


def _broken(payload: bytes, chance: random.Random) -> bytes:
    """Return `payload` with something wrong, or, now and then, as it is."""
    how = chance.randrange(7)
    at = chance.randrange(len(payload) + 1)
    if how == 0:
        return chance.choice(FRAGMENTS)
    if how == 1:
        return payload[:at]
    if how == 2:
        return payload[:at] + chance.randbytes(chance.randrange(6)) + payload[at:]
    if how == 3:
        return payload[:at] + chance.choice(FRAGMENTS) + payload[at + chance.randrange(9) :]
    if how in (4, 5):
        return _changed(payload, chance)
    return payload


def _changed(payload: bytes, chance: random.Random) -> bytes:
    """Return JSON with another value, or without one, somewhere inside."""
    try:
        document = json.loads(payload)
    except ValueError:
        return payload[::-1]
    inside = document
    while isinstance(inside, dict) and inside:
        key = chance.choice(sorted(inside))
        if chance.random() < 0.5 or not isinstance(inside[key], dict):
            if chance.random() < 0.3:
                del inside[key]
            else:
                inside[key] = chance.choice(VALUES)
            break
        inside = inside[key]
    return json.dumps(document).encode()


def _messages(meters: list[MqttMeter], chance: random.Random) -> Iterator[tuple[str, bytes]]:
    seeds = {meter.meter: _seeds(meter.type) or [b"12.5"] for meter in meters}
    for _ in range(PAYLOADS):
        meter = chance.choice(meters)
        subtopic = chance.choice(sorted(meter.type.topics))
        topic = f"{meter.topic}/{subtopic}" if subtopic else meter.topic.replace("+", "x")
        if chance.random() < 0.05:
            topic = chance.choice(("", "/", "$SYS/x", topic + "/more", "水表/一", "#", "a" * 300))
        yield topic, _broken(chance.choice(seeds[meter.meter]), chance)


def _forward(spool: Spool) -> None:
    """Let an archive take what waits, and see that everything is where it is said to be."""
    while (pending := spool.pending(5000)) is not None:
        spool.settle(pending, Appended(len(pending.readings), 0), now=NOW)
    spool.conservation()


def test_whatever_comes_is_accounted_for(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - no secret: the same again when asked
    meters = []
    for number, meter_type in enumerate(_reporting()):
        topic = "shared/+" if meter_type.lorawan is not None else f"own/{number}"
        meters.append(MqttMeter(f"m-{number}", meter_type, f"{topic}/{meter_type.id}", None))
    spool = Spool(tmp_path / "spool.sqlite", quarantine_limit=1000, quota_bytes=3_000_000)
    with spool:
        intake = Intake(spool, mqtt=meters)
        readings = quarantined = 0
        for number, (topic, payload) in enumerate(_messages(meters, chance)):
            at = NOW + timedelta(seconds=number)
            intake.payload(
                topic,
                payload,
                received_at=at,
                retained=chance.random() < 0.1,
                again=chance.random() < 0.1,
            )
            if number % BATCH == 0:
                committed = intake.commit()
                readings += committed.readings
                quarantined += committed.quarantined
                _forward(spool)
        committed = intake.commit()
        tally = spool.conservation()
        readings += committed.readings
        quarantined += committed.quarantined
        assert tally.quarantined == quarantined
        assert tally.received == readings + quarantined + tally.duplicate
        assert min(readings, quarantined, tally.duplicate) > 0, "everything happens"
        intake.adopt()
        assert spool.conservation().received >= tally.received


def test_whatever_words_come_are_accounted_for(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - no secret: the same again when asked
    polled = {each.id: each for each in shipped().values() if each.modbus is not None}
    with Spool(tmp_path / "spool.sqlite", quota_bytes=3_000_000) as spool:
        intake = Intake(spool, meters=polled, identities={min(polled): "12345678"})
        for number in range(PAYLOADS // 10):
            name = chance.choice(sorted(polled))
            spans = [register.span for register in polled[name].registers.values()]
            addresses = [address for span in spans for address in span]
            image = {
                address: chance.choice(
                    (0, 1, 0x7FC0, 0x7FFF, 0x8000, 0xFFFF, chance.randrange(65536))
                )
                for address in addresses
                if chance.random() < 0.95
            }
            intake.words(
                name if chance.random() < 0.98 else "nobody",
                NOW + timedelta(seconds=number),
                image,
                identity=chance.choice((None, "12345678", "ffff ffff")),
                trusted=chance.random() < 0.9,
            )
            if number % BATCH == 0:
                intake.commit()
                _forward(spool)
        intake.commit()
        _forward(spool)
        tally = spool.conservation()
        assert min(tally.stored, tally.quarantined) > 0
