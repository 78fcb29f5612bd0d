"""From what a register's bytes or JSON say to a value in its canonical unit.

A gateway does this for every register of every poll, so all that depends on the type alone is
worked out once, when the decoder is made.
"""

from __future__ import annotations

import json
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation, Overflow
from typing import TYPE_CHECKING, NamedTuple

from meters.quantity import INT64_MAX, UNITS, from_scaled, number_in
from meters.reading import Reason
from meters.words import decoder, encode_wire, wire_from_hex, wire_hex

if TYPE_CHECKING:
    from collections.abc import Callable

    from meters.image import Image
    from meters.meter_type import Register
    from meters.scale_factor import ScaleFactor
    from meters.words import WordOrder, WordType

LONGEST_TEXT = 60
"""How much is kept of a value that is no number."""
_HIGHEST = from_scaled(INT64_MAX)
_LOWEST = -_HIGHEST
_EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN)
"""Room for every digit of a float64 that can be a reading: only the display rounds."""


class Decoded(NamedTuple):
    """A register's value in its canonical unit, or the fault that stands in its place.

    `scale` are the words of its scale factor, which `raw` ends with; None where it has none.
    """

    value: Decimal | None
    raw: str
    fault: Reason | None = None
    scale: str | None = None


class WireDecoder:
    """Decodes a register that stands as bytes on the wire: in Modbus words or a binary payload."""

    __slots__ = (
        "_convert",
        "_read",
        "_sentinels",
        "first",
        "is_billing",
        "size",
    )

    def __init__(
        self,
        register: Register,
        word_type: WordType,
        order: WordOrder,
        factor: Decimal = Decimal(1),
    ) -> None:
        self.first = (register.byte if register.address is None else register.address) or 0
        """The address of the first word, or the offset of the first byte."""
        self.size = word_type.size
        self.is_billing = register.is_billing
        self._read = decoder(word_type, order)
        self._convert = conversion(register, factor)
        self._sentinels = frozenset(map(wire_from_hex, register.sentinels))

    def decode(self, wire: bytes) -> Decoded:
        """Return what `wire`, the register's bytes, says; raise `ValueError` for another number."""
        if len(wire) != self.size:
            raise ValueError(f"{len(wire)} bytes, where the register has {self.size}")
        return self._decode(wire)

    def _decode(self, wire: bytes) -> Decoded:
        raw = wire_hex(wire)
        if wire in self._sentinels:
            return Decoded(None, raw, Reason.SENTINEL)
        number = self._read(wire)
        if number is None:
            return Decoded(None, raw, Reason.NOT_A_NUMBER)
        value = self._convert(number)
        return Decoded(value, raw, Reason.OUT_OF_RANGE if value is None else None)

    def in_image(self, image: Image) -> Decoded | None:
        """Return what the register's words in `image` say; None where it is not whole."""
        wire = image.wire(self.first, self.size)
        return None if wire is None else self._decode(wire)

    def in_payload(self, payload: bytes) -> Decoded | None:
        """Return what the register's bytes in `payload` say; None where it is too short."""
        wire = payload[self.first : self.first + self.size]
        return self._decode(wire) if len(wire) == self.size else None


class ScaledDecoder(WireDecoder):
    """Decodes a register on Modbus whose scale another one tells, by all that this one may say.

    Its bytes are those of the register and then those of its scale factor, as a reading keeps them.
    """

    __slots__ = ("_by_scale", "_scale_first", "_scale_size", "_unscaled")

    def __init__(
        self, register: Register, word_type: WordType, order: WordOrder, scale: ScaleFactor
    ) -> None:
        super().__init__(register, word_type, order)
        self.size += scale.type.size
        self._scale_first, self._scale_size = scale.address, scale.type.size
        self._unscaled = WireDecoder(register, word_type, order)
        self._by_scale = {
            encode_wire(Decimal(said), scale.type, scale.order or order): WireDecoder(
                register, word_type, order, factor
            )
            for said, factor in scale.factors.items()
        }

    def _decode(self, wire: bytes) -> Decoded:
        number, scale = wire[: -self._scale_size], wire[-self._scale_size :]
        scaled = self._by_scale.get(scale)
        value, _, fault, _ = (scaled or self._unscaled).decode(number)
        if scaled is None and value is not None:
            value, fault = None, Reason.NO_SCALE
        return Decoded(value, wire_hex(wire), fault, wire_hex(scale))

    def in_image(self, image: Image) -> Decoded | None:
        """Return what the register says in `image`; None where it or its scale is not whole."""
        number = image.wire(self.first, self.size - self._scale_size)
        scale = image.wire(self._scale_first, self._scale_size)
        return None if number is None or scale is None else self._decode(number + scale)


def wire_decoder(register: Register, word_type: WordType, order: WordOrder) -> WireDecoder:
    """Return what decodes `register`, whose bytes are a `word_type` in `order`."""
    if register.scale_factor is None:
        return WireDecoder(register, word_type, order)
    return ScaledDecoder(register, word_type, order, register.scale_factor)


class JsonDecoder:
    """Decodes a register that stands as a value in JSON, or as plain text under its own topic."""

    __slots__ = ("_convert", "_quoted", "_sentinels", "is_billing", "name", "pointer")

    def __init__(self, name: str, register: Register) -> None:
        self.name = name
        self.pointer = register.pointer
        """None where the whole payload is the value, as plain text."""
        self.is_billing = register.is_billing
        self._convert = conversion(register)
        self._quoted = register.quoted
        self._sentinels = frozenset(_key(_sentinel(text)) for text in register.sentinels)

    def decode(self, found: object) -> Decoded | None:
        """Return what `found` says; None where it is neither a number nor a sentinel."""
        if self._sentinels and _key(found) in self._sentinels:
            return Decoded(None, json_text(found), Reason.SENTINEL)
        if self._quoted and isinstance(found, str):
            found = number_in(found)
        if isinstance(found, bool) or not isinstance(found, (int, Decimal)):
            return None
        raw, number = str(found), Decimal(found)
        if not number.is_finite():
            return Decoded(None, raw, Reason.NOT_A_NUMBER)
        value = self._convert(number)
        return Decoded(value, raw, Reason.OUT_OF_RANGE if value is None else None)


def json_text(found: object) -> str:
    """Return `found` as JSON in ASCII, cut where it is long, and without what it contains."""
    if isinstance(found, (list, dict)):
        return "[...]" if isinstance(found, list) else "{...}"
    return str(found) if isinstance(found, Decimal) else json.dumps(found)[:LONGEST_TEXT]


def _key(found: object) -> object:
    """Return what two JSON values that mean the same have in common; 1 and true do not."""
    match found:
        case bool() | None | str():
            return type(found), found
        case int() | Decimal():
            return found
        case _:
            return type(found)


def _sentinel(text: str) -> object:
    """Return the JSON value that `text` writes: `-1`, `null`; any other text is a string."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=str)
    except ValueError:
        return text


def conversion(
    register: Register, factor: Decimal = Decimal(1)
) -> Callable[[Decimal], Decimal | None]:
    """Return what turns a number that `register` holds into a value of its canonical unit.

    `factor` is what its scale factor tells. The value is exact, or rounded once, half-even, to the
    display's resolution. It is None where no archive could hold it.
    """
    scale, offset, unit = register.scale * factor, register.offset, UNITS[register.unit].factor
    add, multiply = _EXACT.add, _EXACT.multiply
    as_it_is, is_canonical = scale == 1 and not offset, unit == 1
    rounded = _EXACT.plus if register.resolution is None else _rounding(register.resolution)

    def convert(number: Decimal) -> Decimal | None:
        try:
            value = rounded(number if as_it_is else add(multiply(number, scale), offset))
            if not is_canonical:
                value = multiply(value, unit)
        except (InvalidOperation, Overflow):  # more digits than any archive has
            return None
        return value if _LOWEST <= value <= _HIGHEST else None

    return convert


def _rounding(resolution: Decimal) -> Callable[[Decimal], Decimal]:
    """Return what rounds a number half-even to a multiple of `resolution`."""
    quantize, step = _EXACT.quantize, resolution.normalize()
    _, digits, exponent = step.as_tuple()
    if digits == (1,) and isinstance(exponent, int) and exponent <= 0:
        return lambda number: quantize(number, step)

    def in_steps(number: Decimal) -> Decimal:
        steps = _EXACT.divide(number, resolution).to_integral_value(ROUND_HALF_EVEN)
        return _EXACT.multiply(steps, resolution)

    return in_steps
