"""What a meter answered → values of its registers, by its type.

Words of the wire and payloads of a broker come in, decoded values and their raw form go out.
Nothing is judged here, and nothing is guessed: what cannot be decoded says why.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from meters.pointer import PointerError, resolve
from meters.quantity import INT64_MAX, PER_UNIT, UNITS, quantise
from meters.reading import Observation, Reason, Series
from meters.words import decode, from_hex, to_hex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meters.meter_type import MeterType, Register


LARGEST_MAGNITUDE = 40
"""Numbers of 10⁴¹ and more fit no archive, whatever a register's scale and unit."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A register's value in its canonical unit, or the fault that stands in its place."""

    value: Decimal | None
    raw: str
    fault: Reason | None = None


@dataclass(frozen=True, slots=True)
class Telegram:
    """A decoded payload: who sent it, when by its own clock, and its registers."""

    identity: str | None
    time: datetime | None
    registers: dict[str, Decoded]


class PayloadError(ValueError):
    """A payload could not be understood; the message says what is wrong and where."""


def decode_register(meter_type: MeterType, name: str, words: Sequence[int]) -> Decoded:
    """Return what `words`, in wire order, say for the register `name` of a Modbus type."""
    register = meter_type.registers[name]
    if register.type is None:
        raise ValueError(f"register {name!r} of {meter_type.id} is not on Modbus")
    raw = to_hex(words)
    if any(tuple(words) == from_hex(sentinel) for sentinel in register.sentinels):
        return Decoded(None, raw, Reason.SENTINEL)
    number = decode(words, register.type, meter_type.order_of(register))
    if number is None:
        return Decoded(None, raw, Reason.NOT_A_NUMBER)
    return _canonical(register, number, raw)


def decode_image(
    meter_type: MeterType, image: Mapping[int, int], names: Iterable[str] | None = None
) -> dict[str, Decoded]:
    """Return every register (or those of `names`) whose words `image`, address → word, holds."""
    decoded = {}
    for name in meter_type.registers if names is None else names:
        register = meter_type.registers[name]
        if register.address is None or register.type is None:
            continue
        addresses = range(register.address, register.address + register.type.words)
        if all(address in image for address in addresses):
            decoded[name] = decode_register(meter_type, name, [image[a] for a in addresses])
    return decoded


def decode_payload(meter_type: MeterType, payload: bytes) -> Telegram:
    """Return what the JSON `payload` says; raise `PayloadError` where it can't be understood."""
    if meter_type.mqtt is None:
        raise ValueError(f"{meter_type.id} does not report over MQTT")
    document = _document(payload)
    access = meter_type.mqtt
    identity = None if access.identity is None else _text(document, access.identity)
    time = None if access.time is None else _time(document, access.time)
    registers = {}
    for name, register in meter_type.registers.items():
        if register.pointer is None:
            continue
        try:
            found = resolve(document, register.pointer)
        except PointerError as error:
            if register.kind.is_billing:
                raise PayloadError(f"{error}; it holds the register {name!r}") from error
            continue
        if found is None and not register.kind.is_billing:
            continue  # JSON's way to say that there is no value; the counters beside it count
        registers[name] = _canonical(register, _number(found, register.pointer), str(found))
    return Telegram(identity, time, registers)


def observations(
    meter: str, time: datetime, decoded: Mapping[str, Decoded]
) -> tuple[Observation, ...]:
    """Return the decoded registers of `meter` as observations made at `time` (whole seconds)."""
    at = time.replace(microsecond=0)
    return tuple(
        Observation(Series(meter, name), at, found.value, found.raw, found.fault)
        for name, found in decoded.items()
    )


def _canonical(register: Register, number: Decimal, raw: str) -> Decoded:
    if number and number.adjusted() > LARGEST_MAGNITUDE:
        return Decoded(None, raw, Reason.OUT_OF_RANGE)
    stated = number * register.scale + register.offset
    if register.resolution is not None:
        stated = quantise(stated, register.resolution)
    value = stated * UNITS[register.unit].factor
    if abs(value) * PER_UNIT > INT64_MAX:
        return Decoded(None, raw, Reason.OUT_OF_RANGE)
    return Decoded(value, raw)


def _document(payload: bytes) -> Any:
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PayloadError(f"not UTF-8 at byte {error.start}") from error
    try:
        return json.loads(
            text,
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_unambiguous,
        )
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")
        raise PayloadError(f"not JSON: {what} at character {error.pos}") from error
    except RecursionError as error:
        raise PayloadError("not a telegram: JSON nested too deeply") from error
    except PayloadError:
        raise
    except (InvalidOperation, ValueError) as error:
        raise PayloadError("not a telegram: it holds a number that is too long") from error


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise PayloadError(f"{twice!r:.60} stands twice in one object; which one counts?")
    return document


def _no_constant(name: str) -> None:
    raise PayloadError(f"{name} is not a JSON number")


def _number(found: object, pointer: str) -> Decimal:
    if isinstance(found, bool) or not isinstance(found, (int, Decimal)):
        raise PayloadError(f"{pointer} must be a number, got {found!r:.60}")
    return Decimal(found)


def _text(document: Any, pointer: str) -> str:
    try:
        found = resolve(document, pointer)
    except PointerError as error:
        raise PayloadError(f"{error}; it holds the meter's number") from error
    if not isinstance(found, (str, int)) or isinstance(found, bool):
        raise PayloadError(f"{pointer} must be the meter's number, got {found!r:.60}")
    text = str(found)
    if not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text):
        raise PayloadError(f"{pointer} holds half a character: {text!r:.60}")
    return text


def _time(document: Any, pointer: str) -> datetime:
    text = _text(document, pointer)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise PayloadError(f"{pointer} must be an ISO 8601 time, got {text!r:.60}") from error
    if time.tzinfo is None:
        raise PayloadError(f"{pointer} has no time zone: {text!r:.60}")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise PayloadError(f"{pointer} is beyond every calendar: {text!r:.60}") from error
