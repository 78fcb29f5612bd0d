"""What a meter answered → values of its registers, by its type.

Words of the wire and payloads of a broker come in, decoded values and their raw form go out.
Nothing is judged here, and nothing is guessed: what cannot be decoded says why.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from meters.image import Image
from meters.payload import PayloadError, document_in, text_at, time_at, value_in
from meters.pointer import PointerError, resolve
from meters.reading import Observation, Reason, Series
from meters.register_decoder import Decoded, json_text
from meters.uplink import uplink_in
from meters.words import decode, in_order, to_hex, to_wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from meters.access import LorawanAccess
    from meters.meter_type import MeterType
    from meters.register_decoder import JsonDecoder


class Telegram(NamedTuple):
    """A decoded payload: who sent it, when by its own clock, and its registers.

    A message that is none of readings (an uplink of another port, a topic that brings no register)
    has no registers; nothing is wrong with it.
    """

    identity: str | None
    time: datetime | None
    registers: dict[str, Decoded]
    sequence: int | None = None
    """The device's own count of its messages, where it keeps one: a repeated one is the same."""


def decode_register(meter_type: MeterType, name: str, words: Sequence[int]) -> Decoded:
    """Return what `words`, in wire order, say for the register `name` of a Modbus type.

    They are what a reading keeps as raw: the register's own, and those of its scale factor. Raises
    `ValueError` where they are not as many.
    """
    register = meter_type.wire_decoders.get(name)
    if register is None or meter_type.modbus is None:
        raise ValueError(f"register {name!r} of {meter_type.id} is not on Modbus")
    return register.decode(to_wire(words))


def decode_image(
    meter_type: MeterType, words: Mapping[int, int], names: Iterable[str] | None = None
) -> dict[str, Decoded]:
    """Return every register (or those of `names`) that `words`, address → word, hold whole.

    `words` are best an `Image`; anything else is made one first.
    """
    if meter_type.modbus is None:
        return {}
    image = Image.of(words)
    decoders = meter_type.wire_decoders
    decoded = {}
    for name in decoders if names is None else names:
        found = decoders[name].in_image(image)
        if found is not None:
            decoded[name] = found
    return decoded


def decode_identity(meter_type: MeterType, words: Sequence[int]) -> str | None:
    """Return the meter's own number that `words`, those of its identity register, state.

    BCD keeps its leading zeros, as the number plate does. Words that hold no number or no text are
    given as they are (`ffff ffff`), which is nobody's number: what was read must never pass for
    what was not. None where the type has no such register. Raises `ValueError` where they are not
    as many words as the register has.
    """
    identity = None if meter_type.modbus is None else meter_type.modbus.identity
    if identity is None:
        return None
    if len(words) != identity.after - identity.address:
        raise ValueError(
            f"{len(words)} words, where the meter's number has {identity.after - identity.address}"
        )
    if identity.type == "text":
        text = in_order(words, identity.order).strip(b"\0\xff ").decode("ascii", "replace")
        return text if text and text.isascii() and text.isprintable() else to_hex(words)
    number = decode(words, identity.type, identity.order)
    if number is None or set(words) == {0xFFFF}:
        return to_hex(words)
    return f"{int(number):0{2 * identity.type.size if identity.type.is_bcd else 1}d}"


def decode_payload(meter_type: MeterType, payload: bytes, *, subtopic: str = "") -> Telegram:
    """Return what the `payload` says that came under `subtopic`, the topic below the meter's.

    Raises `PayloadError` where it can't be understood.
    """
    if meter_type.lorawan is not None:
        return _from_uplink(meter_type, meter_type.lorawan, payload)
    access = meter_type.mqtt
    if access is None:
        raise ValueError(f"{meter_type.id} does not report over MQTT")
    decoders = meter_type.json_decoders.get(subtopic)
    if decoders is None:
        return Telegram(None, None, {})
    if decoders[0].pointer is None:
        value = value_in(payload)
        registers = {} if value is None else _json_registers(decoders, value)
        return Telegram(None, None, registers)
    document = document_in(payload)
    return Telegram(
        None if access.identity is None else text_at(document, access.identity),
        None if access.time is None else time_at(document, access.time, access.time_format),
        _json_registers(decoders, document),
    )


def decode_binary(meter_type: MeterType, payload: bytes) -> dict[str, Decoded]:
    """Return the registers in the binary `payload` of an uplink that holds readings.

    Raises `PayloadError` where it is too short for a register that bills may rest on.
    """
    registers = {}
    for name, register in meter_type.wire_decoders.items():
        found = register.in_payload(payload)
        if found is not None:
            registers[name] = found
        elif register.is_billing:
            raise PayloadError(
                f"the binary payload has {len(payload)} bytes, too few for the register {name!r}"
            )
    return registers


def observations(
    meter: str, time: datetime, decoded: Mapping[str, Decoded]
) -> tuple[Observation, ...]:
    """Return the decoded registers of `meter` as observations made at `time` (whole seconds)."""
    at = time.replace(microsecond=0) if time.microsecond else time
    return tuple([Observation(_series(meter, name), at, *found) for name, found in decoded.items()])


@lru_cache(maxsize=2**16)  # every message of a meter names its registers anew
def _series(meter: str, register: str) -> Series:
    return Series(meter, register)


def _from_uplink(meter_type: MeterType, access: LorawanAccess, payload: bytes) -> Telegram:
    uplink = uplink_in(payload)
    registers: dict[str, Decoded] = {}
    is_empty = not uplink.payload and uplink.decoded is None
    if not is_empty and access.holds_readings(uplink.port, uplink.payload):
        registers = decode_binary(meter_type, uplink.payload)
        for decoders in meter_type.json_decoders.values():
            if uplink.decoded is None:
                raise PayloadError(
                    "the uplink has no decoded object; give the network server a codec for it"
                )
            registers |= _json_registers(decoders, uplink.decoded)
    return Telegram(uplink.device, uplink.time, registers, uplink.counter)


def _json_registers(decoders: Iterable[JsonDecoder], document: Any) -> dict[str, Decoded]:
    registers = {}
    for register in decoders:
        pointer = register.pointer or ""
        try:
            found = resolve(document, pointer)
        except PointerError as error:
            if register.is_billing:
                raise PayloadError(f"{error}; it holds the register {register.name!r}") from error
            continue
        decoded = register.decode(found)
        if decoded is not None:
            registers[register.name] = decoded
        elif register.is_billing:
            raise PayloadError(f"{pointer or 'the payload'} must be a number, got {found!r:.60}")
        elif found is not None:  # JSON's way to say that there is no value
            registers[register.name] = Decoded(None, json_text(found), Reason.NOT_A_NUMBER)
    return registers
