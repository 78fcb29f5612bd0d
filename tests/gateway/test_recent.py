"""One telegram delivered twice is one telegram, whatever tells it from the next one."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gateway import recent
from gateway.intake import Intake
from gateway.recent import Mark, Recent
from gateway.site import MqttMeter
from gateway.spool import Spool
from meters.catalog import shipped

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOW = datetime(2026, 10, 3, 8, tzinfo=UTC)
DEVICE = "f8dc7a0000000001"
LORA = MqttMeter(
    "w-1", shipped()["axioma-qalcosonic-w1"], f"application/+/device/{DEVICE}/event/up", DEVICE
)
HOMIE = MqttMeter("e-1", shipped()["homie-electricity"], "homie/m")
ENERGY = "homie/m/meter/import-energy"


def _uplink(count: int, litres: int, at: datetime) -> bytes:
    payload = bytes(5) + litres.to_bytes(4, "little") + bytes(38)
    return json.dumps(
        {
            "time": at.isoformat(),
            "deviceInfo": {"devEui": DEVICE},
            "fCnt": count,
            "fPort": 100,
            "data": base64.b64encode(payload).decode(),
        }
    ).encode()


def _deliver(intake: Intake, server: int, count: int, litres: int, at: datetime) -> None:
    topic = f"application/{server}/device/{DEVICE}/event/up"
    assert intake.payload(topic, _uplink(count, litres, at), received_at=at) == "w-1"
    intake.commit()


def test_an_uplink_that_two_network_servers_deliver_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with Spool(path) as spool:
        intake = Intake(spool, mqtt=[LORA])
        _deliver(intake, 1, 1490, 103_736, NOW)
        _deliver(intake, 2, 1490, 103_736, NOW + timedelta(seconds=2))
        tally = spool.conservation()
        assert (tally.received, tally.duplicate, tally.spooled) == (2, 1, 1)
    with Spool(path) as spool:  # a restart does not forget
        intake = Intake(spool, mqtt=[LORA])
        _deliver(intake, 2, 1490, 103_736, NOW + timedelta(seconds=4))
        assert spool.conservation().duplicate == 2
        _deliver(intake, 1, 1491, 103_736, NOW + timedelta(minutes=15))
        assert spool.conservation().spooled == 2


def test_a_count_that_begins_anew_is_no_repetition(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite") as spool:
        intake = Intake(spool, mqtt=[LORA])
        _deliver(intake, 1, 7, 103_736, NOW)
        _deliver(intake, 1, 7, 103_737, NOW + timedelta(minutes=5))
        _deliver(intake, 1, 7, 103_736, NOW + timedelta(days=2))
        assert spool.conservation().duplicate == 0
        assert spool.conservation().spooled == 3


def test_a_message_without_a_time_that_is_delivered_again_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with Spool(path) as spool:
        intake = Intake(spool, mqtt=[HOMIE])
        intake.payload(ENERGY, b"12.5", received_at=NOW)
        intake.commit()
    with Spool(path) as spool:  # killed before the acknowledgement arrived
        intake = Intake(spool, mqtt=[HOMIE])
        later = NOW + timedelta(seconds=30)
        intake.payload(ENERGY, b"12.5", received_at=later, again=True)
        intake.payload(ENERGY, b"12.6", received_at=later, again=True)
        intake.payload(ENERGY, b"12.5", received_at=later)
        intake.commit()
        tally = spool.conservation()
        assert (tally.received, tally.duplicate, tally.spooled) == (4, 1, 3)


def test_the_brokers_stored_copy_is_kept_once_however_often_it_comes(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite") as spool:
        intake = Intake(spool, mqtt=[HOMIE])
        for day in range(3):
            at = NOW + timedelta(days=day)
            intake.payload(ENERGY, b"12.5", received_at=at, retained=True)
        intake.payload(ENERGY, b"12.7", received_at=NOW + timedelta(days=4))
        intake.payload(ENERGY, b"12.7", received_at=NOW + timedelta(days=5), retained=True)
        intake.commit()
        tally = spool.conservation()
        assert (tally.quarantined, tally.duplicate, tally.spooled) == (1, 3, 1)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recent, "KEPT", 3)
    kept = Recent()
    marks = [Mark(bytes([n]), n) for n in range(5)]
    for mark in marks:
        kept.add(mark)
    assert [kept.holds(mark) for mark in marks] == [False, False, True, True, True]
    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.take_in([], marks=marks)
        assert [mark for mark, _ in spool.marks()] == [b"\x02", b"\x03", b"\x04"]
