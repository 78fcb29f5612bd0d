"""Which type an unknown meter may have: those whose decoding understands its message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meters.decoding import decode_payload
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meters.decoding import Telegram
    from meters.meter_type import MeterType

MOST = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """A register that the message holds, if the meter has this type."""

    register: str
    value: str
    unit: str


@dataclass(frozen=True, slots=True)
class Guess:
    """A type that understands the message, and what the message says by it."""

    meter_type: MeterType
    identity: str | None
    registers: tuple[Shown, ...]


def guesses(types: Mapping[str, MeterType], content: bytes) -> list[Guess]:
    """Return the types that understand `content`, those that read most from it first."""
    found = []
    for meter_type in types.values():
        if meter_type.modbus is not None:
            continue
        try:
            telegram = decode_payload(meter_type, content)
        except (ValueError, ArithmeticError):
            continue
        if shown := _shown(meter_type, telegram):
            found.append(Guess(meter_type, telegram.identity, shown))
    found.sort(key=lambda each: (-len(each.registers), each.identity is None, each.meter_type.id))
    return found[:MOST]


def _shown(meter_type: MeterType, telegram: Telegram) -> tuple[Shown, ...]:
    return tuple(
        Shown(name, plain(decoded.value), meter_type.registers[name].canonical_unit)
        for name, decoded in telegram.registers.items()
        if decoded.value is not None
    )
