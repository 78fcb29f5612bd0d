"""What an engineer has in hand, a frame, words, a payload, bytes, as a meter type reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meters.catalog.table import aligned
from meters.decoding import (
    Telegram,
    decode_binary,
    decode_identity,
    decode_image,
    decode_register,
)
from meters.frame import FrameError, parse_response
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meters.access import ModbusAccess
    from meters.meter_type import MeterType


class AnswerError(ValueError):
    """The answer cannot be read as one of this type; the message says what to state."""


def from_frame(meter_type: MeterType, frame: bytes, at: int | None = None) -> Telegram:
    """Return what the RTU answer `frame` says whose first word stands at address `at`.

    Without `at` it must be as long as one place alone. Raises `FrameError` or `AnswerError`.
    """
    access = _modbus(meter_type)
    response = parse_response(frame)
    functions = {access.function} | (
        set() if access.identity is None else {access.identity.function}
    )
    if response.function not in functions:
        asked = " and ".join(map(str, sorted(functions)))
        raise FrameError(
            f"it answers function {response.function}; {meter_type.id} is read with {asked}"
        )
    return from_words(meter_type, response.words, at, function=response.function)


def from_words(
    meter_type: MeterType,
    words: Sequence[int],
    at: int | None = None,
    *,
    function: int | None = None,
) -> Telegram:
    """Return what `words`, the first of them at address `at`, say; raise `AnswerError`.

    `function` is what they answer, where it is known: a place of the other function is not in it.
    """
    access = _modbus(meter_type)
    start = _only_place(meter_type, len(words)) if at is None else at
    image = dict(enumerate(words, start=start))
    number = None
    if access.identity is not None and function in (None, access.identity.function):
        place = range(access.identity.address, access.identity.after)
        if all(address in image for address in place):
            number = decode_identity(meter_type, [image[address] for address in place])
    registers = {} if function not in (None, access.function) else decode_image(meter_type, image)
    if number is None and not registers:
        last = start + len(words) - 1
        raise AnswerError(
            f"{meter_type.id} has nothing from {start:#06x} to {last:#06x}; `tallygate meters show "
            f"{meter_type.id}` says where its registers stand"
        )
    return Telegram(number, None, registers)


def from_raw(meter_type: MeterType, name: str, words: Sequence[int]) -> Telegram:
    """Return what a reading of the register `name` says that keeps `words`; raise `AnswerError`."""
    _modbus(meter_type)
    register = meter_type.registers.get(name)
    if register is None:
        raise AnswerError(
            f"{meter_type.id} has no register {name!r}; it has {', '.join(meter_type.registers)}"
        )
    length = sum(map(len, register.spans(name).values()))
    if len(words) != length:
        scale = "" if register.scale_factor is None else ", those of its scale factor at the end"
        raise AnswerError(f"a reading of {name} keeps {length} words{scale}; got {len(words)}")
    return Telegram(None, None, {name: decode_register(meter_type, name, words)})


def from_bytes(meter_type: MeterType, payload: bytes) -> Telegram:
    """Return what the binary `payload` of an uplink says; raise `AnswerError`, `PayloadError`."""
    if meter_type.lorawan is None:
        raise AnswerError(f"{meter_type.id} sends no binary payloads: only LoRaWAN types do")
    return Telegram(None, None, decode_binary(meter_type, payload))


def _modbus(meter_type: MeterType) -> ModbusAccess:
    if meter_type.modbus is None:
        raise AnswerError(
            f"{meter_type.id} is not on Modbus: it reports through a broker; give --payload"
        )
    return meter_type.modbus


def _only_place(meter_type: MeterType, words: int) -> int:
    access = _modbus(meter_type)
    places = {
        register.span.start: name
        for name, register in meter_type.registers.items()
        if len(register.span) == words and register.scale_factor is None
    }
    if access.identity is not None and access.identity.after - access.identity.address == words:
        places[access.identity.address] = "its own number"
    if len(places) == 1:
        return next(iter(places))
    known = ", ".join(f"{address:#06x} ({name})" for address, name in sorted(places.items()))
    raise AnswerError(
        f"{words} words alone do not say where they stand; state the address of the first with "
        "--at" + (f": {known}" if known else "") + ", or the --register whose reading keeps them"
    )


def answer_lines(meter_type: MeterType, answer: Telegram) -> Iterator[str]:
    """Yield what `answer` says, for people."""
    if answer.identity is not None:
        yield f"number    {answer.identity}"
    if answer.time is not None:
        yield f"time      {answer.time:%Y-%m-%d %H:%M:%S} UTC"
    if answer.sequence is not None:
        yield f"sequence  {answer.sequence}"
    if answer.registers:
        yield from aligned(
            ("REGISTER", "VALUE", "UNIT", "RAW", "FAULT"),
            [
                (
                    name,
                    "-" if each.value is None else plain(each.value),
                    meter_type.registers[name].canonical_unit,
                    each.raw,
                    each.fault or "",
                )
                for name, each in answer.registers.items()
            ],
            numbers=(1,),
        )


def answer_document(meter_type: MeterType, answer: Telegram) -> dict[str, Any]:
    """Return what `answer` says, for programs."""
    return {
        "type": meter_type.id,
        "identity": answer.identity,
        "time": None if answer.time is None else answer.time.isoformat(),
        "sequence": answer.sequence,
        "registers": {
            name: {
                "value": None if each.value is None else plain(each.value),
                "unit": meter_type.registers[name].canonical_unit,
                "raw": each.raw,
                "fault": each.fault,
            }
            for name, each in answer.registers.items()
        },
    }
