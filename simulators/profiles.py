"""How much the meters of a community count, and when: made-up habits with the shape of real ones.

Quantities are integers of 10⁻⁴ of the unit (kWh, m³).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meters.quantity import PER_UNIT
from simulators.chance import between
from simulators.community import Role

if TYPE_CHECKING:
    from simulators.community import Meter, Unit

Hours = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """A habit: `daily` is used on a mean day, spread by weights for the hours of the local day.

    `months` are percents of the mean day, January first. A quarter of an hour varies by up to
    `jitter` percent; something is used in `presence` percent of them (water comes in draws).
    """

    daily: int
    workday: Hours
    weekend: Hours
    months: tuple[int, ...]
    jitter: int
    presence: int = 100

    def __post_init__(self) -> None:
        if len(self.workday) != 24 or len(self.weekend) != 24 or len(self.months) != 12:
            raise ValueError("a profile has 24 weights for each day and 12 for the year")


_EVEN_MONTHS = (100,) * 12
_HOME_WORKDAY = (3, 2, 2, 2, 2, 3, 6, 9, 6, 4, 4, 5, 6, 5, 4, 4, 5, 8, 12, 14, 14, 12, 8, 5)
_HOME_WEEKEND = (4, 3, 2, 2, 2, 2, 4, 6, 9, 10, 10, 11, 12, 11, 10, 9, 9, 11, 13, 14, 14, 13, 9, 6)
_COOLING_AND_HEATING = (125, 115, 95, 80, 80, 95, 130, 135, 100, 80, 85, 110)
_WATER_WORKDAY = (1, 1, 0, 0, 0, 2, 9, 14, 8, 4, 3, 5, 6, 4, 2, 2, 4, 8, 12, 13, 12, 11, 7, 3)
_WATER_WEEKEND = (1, 1, 0, 0, 0, 1, 4, 8, 11, 11, 9, 9, 9, 7, 5, 4, 5, 8, 11, 12, 12, 10, 7, 3)
_LIFT = (2, 1, 1, 1, 1, 3, 8, 14, 12, 8, 7, 9, 11, 8, 7, 8, 9, 13, 15, 13, 11, 9, 6, 4)
_NIGHT = (10, 10, 10, 10, 10, 9, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 7, 10, 10, 10, 10, 10, 10)
_LONG_NIGHTS = (118, 110, 100, 92, 86, 82, 84, 90, 98, 106, 114, 120)
_SPRINKLER = (0, 0, 0, 0, 0, 8, 10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 6, 8, 2, 0, 0, 0)
_GROWING_SEASON = (10, 15, 60, 110, 150, 170, 190, 180, 140, 100, 55, 20)


def profile_of(meter: Meter, unit: Unit | None, seed: int) -> Profile:
    """Return the habit behind `meter`, which counts for `unit` where that is not None.

    Raises `ValueError` for a master meter, which has no habit of its own.
    """
    if unit is not None:
        vacant = _vacant_profile if unit.vacant else _household_profile
        return vacant(meter, unit, seed)
    match meter.role:
        case Role.LIFT:
            return Profile(_around(14, meter, seed), _LIFT, _LIFT, _EVEN_MONTHS, jitter=60)
        case Role.LIGHTS:
            return Profile(_around(7, meter, seed), _NIGHT, _NIGHT, _LONG_NIGHTS, jitter=3)
        case Role.PUMP:
            return Profile(
                _around(9, meter, seed), _WATER_WORKDAY, _WATER_WEEKEND, _EVEN_MONTHS, jitter=40
            )
        case Role.GARDEN:
            return Profile(
                _around(2, meter, seed),
                _SPRINKLER,
                _SPRINKLER,
                _GROWING_SEASON,
                jitter=30,
                presence=70,
            )
        case _:
            raise ValueError(f"{meter.id} is a {meter.role} meter and has no habit of its own")


def _around(whole_units: int, meter: Meter, seed: int) -> int:
    daily: int = whole_units * PER_UNIT * between(85, 115, seed, "habit", meter.id) // 100
    return daily


def _household_profile(meter: Meter, unit: Unit, seed: int) -> Profile:
    habit = between(65, 145, seed, "habit", meter.id)
    if meter.medium == "water":
        # 30 litres for the flat and 95 for each person, a day
        daily = (300 + 950 * unit.persons) * habit // 100
        return Profile(daily, _WATER_WORKDAY, _WATER_WEEKEND, _EVEN_MONTHS, jitter=90, presence=45)
    # 1.6 kWh for the flat, 1.1 for each person and 1 for each 50 m², a day
    daily = (16_000 + 11_000 * unit.persons + 200 * int(unit.area)) * habit // 100
    return Profile(daily, _HOME_WORKDAY, _HOME_WEEKEND, _COOLING_AND_HEATING, jitter=45)


def _vacant_profile(meter: Meter, unit: Unit, seed: int) -> Profile:
    """Return what stands by in an empty flat: a router's 3 watts, a tap's 3 litres a week."""
    even = (1,) * 24
    daily = between(500, 900, seed, "habit", unit.id) if meter.medium == "electricity" else 4
    presence = 100 if meter.medium == "electricity" else 2
    return Profile(daily, even, even, _EVEN_MONTHS, jitter=10, presence=presence)
