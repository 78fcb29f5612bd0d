"""From a true value to what a meter shows and sends: the inverse of `meters.decoding`.

A counter shows what its display has room for: whole steps of its resolution, rounded down, and it
wraps after its last digit.
"""

from __future__ import annotations

import json
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from meters.meter_type import Kind
from meters.quantity import PER_UNIT, UNITS, from_scaled, plain, to_scaled
from meters.words import encode_wire, from_wire, wire_from_hex

if TYPE_CHECKING:
    from meters.meter_type import MeterType, Register
    from meters.scale_factor import ScaleFactor
    from meters.words import WordType


_REMEMBERED = 2048


def step_of(register: Register) -> int:
    """Return the smallest step that `register` shows, in 10⁻⁴ of its canonical unit.

    An integer register can be coarser than the display beside it.
    """
    step = to_scaled(register.smallest_step)
    if register.type is None or register.type.is_float:
        return step
    held = abs(_scale(register)) * UNITS[register.unit].factor
    return max(step, to_scaled(held)) if (held * PER_UNIT) % 1 == 0 else step


def said_by(scale_factor: ScaleFactor) -> list[tuple[int, Decimal]]:
    """Return what a simulated meter's scale factor may say, with the factor: nearest to 1 first."""
    return sorted(scale_factor.factors.items(), key=lambda each: abs(each[1].adjusted()))


def _scale(register: Register) -> Decimal:
    """Return what one step of the number that `register` holds is in its unit."""
    if register.scale_factor is None:
        return register.scale
    return register.scale * said_by(register.scale_factor)[0][1]


class Display:
    """How the register `name` of `meter_type` shows a true value, and what carries it."""

    def __init__(self, meter_type: MeterType, name: str) -> None:
        register = meter_type.registers[name]
        self._register = register
        self._order = meter_type.order_of(register)
        self._is_counter = register.kind is not Kind.GAUGE
        self.step = step_of(register)
        """What the display shows at least, in 10⁻⁴ of the canonical unit."""
        # what one step, and the offset, are in the numbers that the register holds
        scale = _scale(register)
        self._number_per_step = from_scaled(self.step) / (UNITS[register.unit].factor * scale)
        self._shift = register.offset / scale
        self.modulus = self._wrap()
        """Where the counter wraps to zero, in 10⁻⁴ of its unit; None where it never does."""
        self._words: dict[int, tuple[int, ...]] = {}

    def _wrap(self) -> int | None:
        register = self._register
        if not self._is_counter:
            return None
        if register.modulus is not None:
            return to_scaled(register.modulus)
        word_type = register.type
        if word_type is None or word_type.capacity is None or self._shift or register.scale < 0:
            return None
        steps = word_type.capacity / self._number_per_step
        # what 64 bits of 10⁻⁴ cannot count through wraps for nobody
        is_wrap = steps == steps.to_integral_value() and steps * self.step < 2**63
        return int(steps) * self.step if is_wrap else None

    def shown(self, value: int) -> int:
        """Return what the display shows of `value`; both are in 10⁻⁴ of the canonical unit."""
        if self.modulus is not None and (
            value >= self.modulus or (value < 0 and not self._may_be_negative)
        ):
            value %= self.modulus
        return value - value % self.step

    @property
    def _may_be_negative(self) -> bool:
        word_type = self._register.type
        return word_type is None or word_type.is_float or word_type.is_signed

    def number(self, value: int) -> Decimal:
        """Return the number that a payload states for `value`, in the register's own terms."""
        return self.shown(value) // self.step * self._number_per_step - self._shift

    def text(self, value: int) -> str:
        """Return the number that a payload states for `value`, as it stands in JSON."""
        return plain(self.number(value))

    def words(self, value: int) -> tuple[int, ...]:
        """Return the words of the wire for `value`; an integer register wraps where it is full."""
        shown = self.shown(value)
        # most counters stand still most of the time, and all exports of a street at 0
        words = self._words.get(shown)
        if words is None:
            if len(self._words) >= _REMEMBERED:
                self._words.clear()
            words = self._words[shown] = from_wire(self.wire(shown))
        return words

    def wire(self, value: int) -> bytes:
        """Return the bytes of the wire for `value`; a gauge stays at the end of its range."""
        word_type = self._word_type()
        number = self.number(value)
        capacity = word_type.capacity
        if capacity is not None:
            number = number.to_integral_value(ROUND_HALF_EVEN)
            least = -capacity if word_type.is_signed else 0
            if not least <= number < capacity:
                number = (
                    number % capacity
                    if self._is_counter
                    else Decimal(capacity - 1 if number > 0 else least)
                )
        return encode_wire(number, word_type, self._order)

    def sentinel_wire(self) -> bytes:
        """Return what the meter sends for "no value": its first sentinel, else NaN or all FF."""
        word_type = self._word_type()
        if self._register.sentinels:
            return wire_from_hex(self._register.sentinels[0])
        if word_type.is_float:
            return encode_wire(Decimal("NaN"), word_type, self._order)
        return b"\xff" * word_type.size

    def sentinel_words(self) -> tuple[int, ...]:
        """Return the words that the meter sends for "no value"."""
        return from_wire(self.sentinel_wire())

    def sentinel_text(self) -> str:
        """Return the JSON that stands for "no value": the first sentinel, else null."""
        text = self._register.sentinels[0] if self._register.sentinels else "null"
        try:
            json.loads(text)
        except ValueError:
            return json.dumps(text)  # a word such as unknown
        return text

    def canonical(self, value: int) -> Decimal:
        """Return what the display shows of `value`, in the canonical unit."""
        return from_scaled(self.shown(value))

    def _word_type(self) -> WordType:
        if self._register.type is None:
            raise ValueError("this register has no bytes: it stands in JSON")
        return self._register.type
