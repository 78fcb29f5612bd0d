"""The register at an instant: read beside it, between two readings, recorded, or issued."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from meters.finding import MissingRegister, Unconfirmed
from meters.growth import growth
from meters.quantity import quantise
from meters.reading import Reading, Reason

if TYPE_CHECKING:
    from datetime import datetime

    from meters.archive.protocol import Boundary
    from meters.estimate import Estimate
    from meters.history import History
    from meters.meter_type import Register

TOLERANCE = timedelta(minutes=15)
"""How far from a boundary a reading may be and still stand for it as it is."""

_SHOWN = len("462a ")


class Source(StrEnum):
    """How a register at an instant is known."""

    READ = "read"
    INTERPOLATED = "interpolated"
    RECORDED = "recorded"
    """By a person, when a meter was installed or removed."""
    ISSUED = "issued"
    """It closed a bill that was issued, so it opens the next."""
    ESTIMATED = "estimated"
    """By an `Estimate`, because nothing says what it was."""
    OVERRIDDEN = "overridden"
    """By a person, in place of what readings say."""


class RegisterAt(NamedTuple):
    """What a meter's register showed at an instant, and the readings that say so."""

    meter: str
    at: datetime
    value: Decimal
    source: Source
    readings: tuple[Reading, ...] = ()
    photo: str | None = None
    """What the picture of a recorded register is kept under."""
    estimate: Estimate | None = None
    """What an estimated register rests on, also where it was issued since."""


def register_at(
    boundary: Boundary,
    *,
    meter: str,
    register: Register,
    tolerance: timedelta = TOLERANCE,
    history: History | None = None,
) -> RegisterAt | MissingRegister | Unconfirmed:
    """Return what `meter` showed at the boundary.

    The reading nearest to it counts if it lies within `tolerance`, else the register is
    interpolated between the readings on both sides, in steps of the display. With one side
    only it is missing. What rests on a reading that nothing confirms, not even `history`, is
    unconfirmed.
    """
    at = boundary.at
    found = _nearest(boundary, meter, tolerance) or _interpolated(boundary, meter, register)
    if found is None:
        return MissingRegister(meter, at)
    for reading in found.readings:
        if Reason.UNCONFIRMED in reading.reasons and not (history and history.confirms(reading)):
            return Unconfirmed(meter, at, value_of(reading), reading.time)
    return found


def _nearest(boundary: Boundary, meter: str, tolerance: timedelta) -> RegisterAt | None:
    at, nearest, away = boundary.at, None, tolerance
    for each in (boundary.before, boundary.after):
        if each is None or each.value is None:
            continue
        apart = abs(each.time - at)
        if apart < away or (apart == away and nearest is None):
            nearest, away = each, apart
    if nearest is None:
        return None
    return RegisterAt(meter, at, value_of(nearest), Source.READ, (nearest,))


def _interpolated(boundary: Boundary, meter: str, register: Register) -> RegisterAt | None:
    at, before, after = boundary.at, boundary.before, boundary.after
    if before is None or after is None:
        return None
    low, high = value_of(before), value_of(after)
    grown = growth(register, low, high, after.time - before.time)
    if isinstance(grown, Reason):
        return None
    second = timedelta(seconds=1)
    share = Decimal((at - before.time) // second) / Decimal((after.time - before.time) // second)
    value = low + quantise(grown * share, register.smallest_step)
    if register.modulus is not None and value >= register.modulus:
        value -= register.modulus
    return RegisterAt(meter, at, value, Source.INTERPOLATED, (before, after))


def value_of(reading: Reading) -> Decimal:
    """Return the value of a good reading."""
    if reading.value is None:
        raise ValueError(f"a good reading of {reading.series.meter} holds no value")
    return reading.value


def scales_at(register: Register, *ends: RegisterAt) -> set[str]:
    """Return what its scale factor said in the readings on which `ends` rest."""
    scale = register.scale_factor
    if scale is None or register.type is None:
        return set()
    words = register.type.words + scale.type.words
    first, length = _SHOWN * register.type.words, _SHOWN * words - 1
    raws = (reading.raw for end in ends for reading in end.readings)
    return {raw[first:] for raw in raws if len(raw) == length}
