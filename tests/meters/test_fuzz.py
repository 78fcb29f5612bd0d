"""Whatever comes over the wire is understood or refused: nothing else is ever raised.

The suite takes a thousand damaged answers of the shipped types; `TALLYGATE_FUZZ=200000 pytest
tests/meters/test_fuzz.py` takes as many as are asked for. The seed makes them repeatable.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from meters.catalog import shipped
from meters.cross_check import violated
from meters.decoding import decode_binary, decode_identity, decode_image, decode_payload
from meters.frame import FrameError, crc16, parse_response
from meters.payload import PayloadError
from meters.quantity import to_scaled
from meters.words import wire_from_hex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meters.meter_type import MeterType
    from meters.register_decoder import Decoded

SEED = 20261122
COUNT = int(os.environ.get("TALLYGATE_FUZZ", "1000"))
PIECES = [
    *(b'"', b"{", b"}", b"[", b"]", b":", b",", b"\\u", b"\\ud800", b"\xff", b"\0", b"-", b"+"),
    *(b"0", b"9" * 30, b"1e999", b"-1e-999999999", b"1e99999999999999999999", b"NaN", b"Infinity"),
    *(b"null", b"true", b"[[[[", b"2026-03-01T06:00:00Z", b"1772366400", b"====", "水".encode()),
]


def damaged(chance: random.Random, sound: bytes) -> bytes:
    """Return `sound` with a few bytes or pieces changed, cut out, doubled or put in."""
    content = bytearray(sound)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(content) + 1)
        match chance.randrange(5):
            case 0:
                content[place : place + chance.randint(0, 3)] = chance.choice(PIECES)
            case 1:
                content[place : place + 1] = bytes([chance.randrange(256)])
            case 2:
                del content[place : place + chance.randint(1, 20)]
            case 3:
                content[place:place] = content[place : place + chance.randint(1, 40)]
            case _:
                number = chance.choice([b"-1", b"1e400", b"NaN", b'"7"', b"null", b"[]", b"{}"])
                start = content.find(b":", place) + 1
                content[start : start + chance.randint(1, 12)] = number
    return bytes(content)


def assert_sound(meter_type: MeterType, registers: Mapping[str, Decoded]) -> None:
    """What was understood is a value that the archive holds, or says why it is none."""
    for found in registers.values():
        assert (found.value is None) is (found.fault is not None)
        found.raw.encode()
        if found.value is not None:
            to_scaled(found.value)
    violated(meter_type, {n: f.value for n, f in registers.items() if f.value is not None})


def messages(meter_type: MeterType) -> Iterator[tuple[bytes, str]]:
    """Yield each payload that proves `meter_type`, with its topic below the meter's."""
    for proof in meter_type.proof:
        if proof.payload is not None:
            topics = [meter_type.registers[name].topic or "" for name in proof.expect]
            yield proof.payload.encode(), next(iter(topics), "")


def test_a_damaged_payload_is_understood_or_refused() -> None:
    chance = random.Random(SEED)  # noqa: S311 # repeatable noise, no secret
    sound = [(each, *message) for each in shipped().values() for message in messages(each)]
    understood = 0
    for _ in range(COUNT):
        meter_type, payload, subtopic = chance.choice(sound)
        try:
            telegram = decode_payload(meter_type, damaged(chance, payload), subtopic=subtopic)
        except PayloadError:
            continue
        assert_sound(meter_type, telegram.registers)
        if telegram.identity is not None:
            telegram.identity.encode()
        understood += 1
    assert COUNT // 20 < understood < COUNT


def answers(meter_types: Iterable[MeterType]) -> Iterator[tuple[MeterType, int, bytes]]:
    """Yield type, address and bytes of each Modbus answer that proves one of `meter_types`."""
    for meter_type in meter_types:
        for proof in meter_type.proof:
            first = min((meter_type.registers[name].span.start for name in proof.expect), default=0)
            at = first if proof.at is None else proof.at
            if proof.frame is not None:
                yield meter_type, at, bytes.fromhex(proof.frame)
            elif proof.words is not None:
                words = wire_from_hex(proof.words)
                body = bytes([1, 3, len(words) % 256]) + words
                yield meter_type, at, body + crc16(body).to_bytes(2, "little")


def test_a_damaged_frame_is_understood_or_refused() -> None:
    chance = random.Random(SEED)  # noqa: S311 # repeatable noise, no secret
    sound = list(answers(shipped().values()))
    understood = 0
    for _ in range(COUNT):
        meter_type, address, frame = chance.choice(sound)
        body = damaged(chance, frame[:-2])
        # half of them have a CRC that holds, so that what lies behind it is reached
        crc = crc16(body).to_bytes(2, "little") if chance.random() < 0.5 else frame[-2:]
        if chance.random() < 0.7:
            body = body[:2] + bytes([max(len(body) - 3, 0) % 256]) + body[3:]
            crc = crc16(body).to_bytes(2, "little")
        try:
            words = parse_response(body + crc).words
        except FrameError:
            continue
        image = dict(enumerate(words, start=address))
        assert_sound(meter_type, decode_image(meter_type, image))
        understood += 1
    assert COUNT // 20 < understood < COUNT


def test_any_words_are_the_number_of_some_meter() -> None:
    chance = random.Random(SEED)  # noqa: S311 # repeatable noise, no secret
    identified = [each for each in shipped().values() if each.modbus and each.modbus.identity]
    for _ in range(COUNT):
        meter_type = chance.choice(identified)
        assert meter_type.modbus is not None
        assert meter_type.modbus.identity is not None
        identity = meter_type.modbus.identity
        words = [chance.randrange(0x10000) for _ in range(identity.after - identity.address)]
        number = decode_identity(meter_type, words)
        assert number is not None
        assert number.isascii()
        assert number.isprintable()


def test_any_bytes_are_a_binary_payload_or_refused() -> None:
    chance = random.Random(SEED)  # noqa: S311 # repeatable noise, no secret
    binary = [
        each for each in shipped().values() if each.lorawan is not None and each.wire_decoders
    ]
    for _ in range(COUNT):
        meter_type, payload = chance.choice(binary), chance.randbytes(chance.randint(0, 60))
        try:
            registers = decode_binary(meter_type, payload)
        except PayloadError as error:
            assert "too few for the register" in str(error)  # noqa: PT017 - the others are decoded
        else:
            assert_sound(meter_type, registers)
