"""The number (表号) that a simulated meter bears, and how it states it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from meters.words import WordType, encode, from_wire, in_order
from simulators.chance import between, draw

if TYPE_CHECKING:
    from meters.access import IdentityRegister
    from meters.meter_type import MeterType

EUI_DIGITS = 16
_DIGITS = 8


class NumberError(ValueError):
    """A number that a meter of this type cannot bear."""


def drawn_number(meter_type: MeterType, *key: int | str) -> str:
    """Return the number that `key` draws: 8 digits where the type has room, an EUI on LoRaWAN."""
    if meter_type.lorawan is not None:
        return f"{draw(*key, 'eui'):0{EUI_DIGITS}x}"
    digits = _DIGITS
    identity = None if meter_type.modbus is None else meter_type.modbus.identity
    if identity is not None and isinstance(identity.type, WordType):
        digits = min(digits, len(str(identity.type.capacity)) - 1)
    elif identity is not None:
        digits = min(digits, 2 * (identity.words or 0))
    number = str(between(10 ** (digits - 1), 10**digits - 1, *key, "number"))
    if identity is not None and isinstance(identity.type, WordType) and identity.type.is_bcd:
        return number.zfill(2 * identity.type.size)
    return number


def check_number(meter_type: MeterType, number: str) -> None:
    """Raise `NumberError` where a meter of `meter_type` cannot state `number`."""
    if meter_type.modbus is not None and meter_type.modbus.identity is not None:
        identity_words(meter_type.modbus.identity, number)
    if meter_type.lorawan is not None and (
        len(number) != EUI_DIGITS or set(number.lower()) - set("0123456789abcdef")
    ):
        raise NumberError(f"a DevEUI has {EUI_DIGITS} hexadecimal digits, which {number!r} has not")


def identity_words(identity: IdentityRegister, number: str) -> tuple[int, ...]:
    """Return the words in which `identity` states `number`; raise `NumberError` if it cannot."""
    if not isinstance(identity.type, WordType):
        size = 2 * (identity.words or 0)
        if not number.isascii() or len(number) > size:
            raise NumberError(f"{number!r} does not fit a text of {size} ASCII letters")
        words = from_wire(number.encode("ascii").ljust(size, b"\0"))
        # each order is its own inverse
        return from_wire(in_order(words, identity.order))
    if not (number.isascii() and number.isdecimal()):
        raise NumberError(f"{number!r} is no number, and the type states one as {identity.type}")
    try:
        return encode(Decimal(number), identity.type, identity.order)
    except OverflowError:
        raise NumberError(f"{number} does not fit {identity.type}") from None
