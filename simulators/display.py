"""From a true value to what a meter shows and sends: the inverse of `meters.decoding`.

A counter shows what its display has room for: whole steps of its resolution, rounded down, and it
wraps after its last digit.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from meters.meter_type import Kind
from meters.quantity import UNITS, to_scaled
from meters.words import WordType, encode, from_hex

if TYPE_CHECKING:
    from meters.meter_type import MeterType, Register

_SIGNED = (WordType.INT16, WordType.INT32, WordType.INT64)


class Display:
    """How one register of `meter_type` shows a true value, and which words or number carry it."""

    def __init__(self, meter_type: MeterType, name: str) -> None:
        register = meter_type.registers[name]
        self._register = register
        self._order = meter_type.order_of(register)
        self._step = to_scaled(register.smallest_step)
        self._modulus = self._wrap(register)
        # what one step, and the offset, are in the numbers that the register holds
        per_unit = UNITS[register.unit].factor * register.scale
        self._number_per_step = register.smallest_step / per_unit
        self._shift = register.offset / register.scale
        self._latest: tuple[int, tuple[int, ...]] | None = None

    def _wrap(self, register: Register) -> int | None:
        if register.kind is Kind.GAUGE:
            return None
        return None if register.modulus is None else to_scaled(register.modulus)

    def shown(self, value: int) -> int:
        """Return what the display shows of `value`; both are in 10⁻⁴ of the canonical unit."""
        if self._modulus is not None:
            value %= self._modulus
        return value - value % self._step

    def number(self, value: int) -> Decimal:
        """Return the number that a payload states for `value`, in the register's own terms."""
        return self.shown(value) // self._step * self._number_per_step - self._shift

    def words(self, value: int) -> tuple[int, ...]:
        """Return the words of the wire for `value`; an integer register wraps where it is full."""
        shown = self.shown(value)
        # most counters stand still most of the time
        if self._latest is None or self._latest[0] != shown:
            self._latest = shown, self._encode(shown)
        return self._latest[1]

    def _encode(self, shown: int) -> tuple[int, ...]:
        word_type = self._word_type()
        number = self.number(shown)
        if not word_type.is_float:
            number = number.to_integral_value(ROUND_HALF_EVEN)
            if self._register.kind is not Kind.GAUGE:
                number %= 2 ** (16 * word_type.words - (word_type in _SIGNED))
        return encode(number, word_type, self._order)

    def sentinel_words(self) -> tuple[int, ...]:
        """Return what the meter sends for "no value": its first sentinel, else NaN or all FF."""
        word_type = self._word_type()
        if self._register.sentinels:
            return from_hex(self._register.sentinels[0])
        if word_type.is_float:
            return encode(Decimal("NaN"), word_type, self._order)
        return (0xFFFF,) * word_type.words

    def _word_type(self) -> WordType:
        if self._register.type is None:
            raise ValueError("this register has no words: it stands in an MQTT payload")
        return self._register.type
