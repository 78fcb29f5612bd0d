"""How like a meter of a type what answered is: points for what fits, points off for what cannot be.

No single sign is proof, and types that share a map share their points. What weighs most is what
seldom happens by chance: registers that add up, a voltage of the mains.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from meters.cross_check import violated
from meters.decoding import decode_identity, decode_image
from meters.quantity import plain
from meters.words import decode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meters.meter_type import MeterType, Register
    from meters.register_decoder import Decoded

VOLTAGES = Decimal(80), Decimal(500)
FREQUENCIES = Decimal(45), Decimal(65)
LEAST_FLOAT = Decimal("0.00001")
"""Words that are no float read as one that is smaller than anything a meter shows."""
HOURS_OF_A_LIFE = 40 * 365 * 24
LEAST_NUMBER, MOST_NUMBER = 4, 14
"""How many digits the number of a meter has."""


class Sign(NamedTuple):
    """Something that speaks for a type, or against it."""

    points: int
    what: str


class Likeness(NamedTuple):
    """What speaks for `meter_type`, and against it."""

    meter_type: MeterType
    signs: tuple[Sign, ...]

    @property
    def score(self) -> int:
        """All points together."""
        return sum(sign.points for sign in self.signs)


def telling(meter_type: MeterType) -> frozenset[str]:
    """Return the registers of `meter_type` that tell whether a meter is of it."""
    checked = {name for check in meter_type.check for name in (check.total, *check.parts)}
    mains = {
        name for name, each in meter_type.registers.items() if each.canonical_unit in ("V", "Hz")
    }
    return frozenset(meter_type.billing_registers) | checked | mains


def likeness(
    meter_type: MeterType, image: Mapping[int, int], identity: Sequence[int] | None
) -> Likeness:
    """Return how `image`, address → word, and the words of the `identity` register fit.

    `identity` is None where the meter has no such register.
    """
    names = telling(meter_type)
    decoded = decode_image(meter_type, image, names & meter_type.wire_decoders.keys())
    signs = [*_of_identity(meter_type, identity)]
    signs += [
        _of_register(meter_type, name, decoded.get(name), image)
        for name in meter_type.registers
        if name in names
    ]
    signs += _of_checks(meter_type, decoded)
    return Likeness(meter_type, tuple(sign for sign in signs if sign.what))


def _of_identity(meter_type: MeterType, words: Sequence[int] | None) -> Iterator[Sign]:
    if meter_type.modbus is None or meter_type.modbus.identity is None:
        return
    number = None if words is None else decode_identity(meter_type, words)
    if number is None:
        yield Sign(-2, "it has no register with its number")
    elif LEAST_NUMBER <= len(number.lstrip("0")) <= MOST_NUMBER and " " not in number:
        yield Sign(3, f"states the number {number}")
    else:
        yield Sign(-1, f"{number} is no meter's number")


def _of_register(
    meter_type: MeterType, name: str, found: Decoded | None, image: Mapping[int, int]
) -> Sign:
    register = meter_type.registers[name]
    if found is None:
        return Sign(-1, f"it has no {name}")
    if found.value is None:
        return Sign(-3, f"{name} holds no number ({found.raw})")
    if _is_nonsense(meter_type, register, image):
        return Sign(-4, f"{name} is no float ({found.raw})")
    shown = f"{name} {plain(found.value)} {register.canonical_unit}"
    if register.canonical_unit in ("V", "Hz"):
        return _of_mains(register, found.value, shown)
    if found.value == 0:
        return Sign(0, f"{name} is 0, which says nothing")
    return _of_counter(register, found.value, shown) if register.is_billing else Sign(0, "")


def _of_mains(register: Register, value: Decimal, shown: str) -> Sign:
    low, high = VOLTAGES if register.canonical_unit == "V" else FREQUENCIES
    if low <= value <= high:
        return Sign(3, shown)
    # two phases of a three-phase meter may lie idle
    return Sign(-3, f"{shown} is not the mains") if value else Sign(0, "")


def _of_counter(register: Register, value: Decimal, shown: str) -> Sign:
    most = register.canonical_max_rate
    if value < 0 or (most is not None and value > most * HOURS_OF_A_LIFE):
        return Sign(-4, f"{shown} is more than it can have counted")
    if register.modulus is not None and value >= register.modulus:
        return Sign(-4, f"{shown} does not fit its display")
    return Sign(1, shown)


def _is_nonsense(meter_type: MeterType, register: Register, image: Mapping[int, int]) -> bool:
    """Return whether words that are read as a float are none: its exponent gives them away."""
    if register.type is None or not register.type.is_float:
        return False
    words = [image[address] for address in register.span]
    number = decode(words, register.type, meter_type.order_of(register))
    return number is None or 0 < abs(number) < LEAST_FLOAT


def _of_checks(meter_type: MeterType, decoded: Mapping[str, Decoded]) -> Iterator[Sign]:
    values = {name: each.value for name, each in decoded.items() if each.value is not None}
    contradicted = violated(meter_type, values)
    for check in meter_type.check:
        names = (check.total, *check.parts)
        if not all(name in values for name in names):
            continue
        sum_ = f"{check.total} = {' + '.join(check.parts)}"
        if check in contradicted:
            yield Sign(-4, f"{sum_} does not hold")
        elif sum(values[name] != 0 for name in names) > 2:
            yield Sign(4, f"{sum_} holds")
        elif values[check.total]:
            yield Sign(1, f"{sum_} holds, if of one part alone")
