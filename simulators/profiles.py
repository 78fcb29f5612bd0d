"""How much the meters of a community count, and when: made-up habits with the shape of real ones.

Quantities are integers of 10⁻⁴ of the unit (kWh, m³).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meters.quantity import PER_UNIT
from simulators.chance import between
from simulators.community import Role

if TYPE_CHECKING:
    from decimal import Decimal

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


_EVEN = (1,) * 24
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
_SHOP_OPEN = (2, 2, 2, 2, 2, 2, 3, 5, 9, 12, 13, 13, 13, 13, 13, 13, 13, 13, 14, 14, 13, 11, 6, 3)
_OFFICE_OPEN = (2, 2, 2, 2, 2, 2, 3, 7, 14, 16, 16, 15, 11, 14, 16, 16, 15, 13, 8, 5, 3, 2, 2, 2)
_OFFICE_CLOSED = (2, 2, 2, 2, 2, 2, 2, 2, 3, 4, 4, 4, 3, 3, 4, 4, 3, 2, 2, 2, 2, 2, 2, 2)
_SUNLIGHT = (0, 0, 0, 0, 0, 1, 4, 10, 18, 26, 32, 35, 35, 32, 26, 18, 10, 4, 1, 0, 0, 0, 0, 0)
_SUNNY_MONTHS = (55, 65, 90, 115, 135, 135, 145, 135, 110, 90, 65, 55)
_GROWING_SEASON = (10, 15, 60, 110, 150, 170, 190, 180, 140, 100, 55, 20)


def profile_of(meter: Meter, unit: Unit | None, seed: int) -> Profile:
    """Return the habit behind `meter`, which counts for `unit` where that is not None.

    Raises `ValueError` for a master meter, which has no habit of its own.
    """
    key = seed, "habit", meter.id
    if unit is None:
        return shared(meter.role, *key)
    if not unit.vacant:
        return household(meter.medium, unit.persons, unit.area, *key)
    return vacant(meter.medium, seed, "habit", unit.id)


def shared(role: Role, *key: int | str) -> Profile:
    """Return the habit of what a building uses in common; `key` draws how much it is."""
    match role:
        case Role.LIFT:
            return Profile(_around(14, *key), _LIFT, _LIFT, _EVEN_MONTHS, jitter=60)
        case Role.LIGHTS:
            return Profile(_around(7, *key), _NIGHT, _NIGHT, _LONG_NIGHTS, jitter=3)
        case Role.PUMP:
            return Profile(
                _around(9, *key), _WATER_WORKDAY, _WATER_WEEKEND, _EVEN_MONTHS, jitter=40
            )
        case Role.GARDEN:
            return Profile(
                _around(2, *key), _SPRINKLER, _SPRINKLER, _GROWING_SEASON, jitter=30, presence=70
            )
        case _:
            raise ValueError(f"a {role} meter has no habit of its own")


def _around(whole_units: int, *key: int | str) -> int:
    daily: int = whole_units * PER_UNIT * between(85, 115, *key) // 100
    return daily


def household(medium: str, persons: int, area: Decimal, *key: int | str) -> Profile:
    """Return how `persons` live on `area` m²: a draw makes them thrifty or not."""
    habit = between(65, 145, *key)
    if medium == "water":
        # 30 litres for the flat and 95 for each person, a day
        daily = (300 + 950 * persons) * habit // 100
        return Profile(daily, _WATER_WORKDAY, _WATER_WEEKEND, _EVEN_MONTHS, jitter=90, presence=45)
    # 1.6 kWh for the flat, 1.1 for each person and 1 for each 50 m², a day
    daily = (16_000 + 11_000 * persons + 200 * int(area)) * habit // 100
    return Profile(daily, _HOME_WORKDAY, _HOME_WEEKEND, _COOLING_AND_HEATING, jitter=45)


def vacant(medium: str, *key: int | str) -> Profile:
    """Return what stands by in an empty flat: a router's 3 watts, a tap's 3 litres a week."""
    daily = between(500, 900, *key) if medium == "electricity" else 4
    presence = 100 if medium == "electricity" else 2
    return Profile(daily, _EVEN, _EVEN, _EVEN_MONTHS, jitter=10, presence=presence)


def shop(medium: str, *key: int | str) -> Profile:
    """Return a shop's habit: open late every day, cooled in summer."""
    if medium == "water":
        return Profile(_around(1, *key), _SHOP_OPEN, _SHOP_OPEN, _EVEN_MONTHS, 80, presence=60)
    return Profile(_around(38, *key), _SHOP_OPEN, _SHOP_OPEN, _COOLING_AND_HEATING, jitter=20)


def office(medium: str, *key: int | str) -> Profile:
    """Return an office's habit: little is used at night and at the weekend."""
    if medium == "water":
        return Profile(_around(1, *key), _OFFICE_OPEN, _OFFICE_CLOSED, _EVEN_MONTHS, 80, 60)
    months = _COOLING_AND_HEATING
    return Profile(_around(30, *key), _OFFICE_OPEN, _OFFICE_CLOSED, months, jitter=20)


def solar(*key: int | str) -> Profile:
    """Return what some 5 kW of panels on a roof give; clouds make a quarter hour vary widely."""
    return Profile(_around(16, *key), _SUNLIGHT, _SUNLIGHT, _SUNNY_MONTHS, jitter=85)


def in_bands(profile: Profile, band_of_hour: Hours) -> tuple[Profile, ...]:
    """Return what of `profile` falls into each tariff band; `band_of_hour` counts them from 0."""
    days = 5 * sum(profile.workday) + 2 * sum(profile.weekend)
    parts = []
    for band in range(max(band_of_hour) + 1):
        workday, weekend = (
            tuple(
                weight if each == band else 0
                for weight, each in zip(hours, band_of_hour, strict=True)
            )
            for hours in (profile.workday, profile.weekend)
        )
        daily = profile.daily * (5 * sum(workday) + 2 * sum(weekend)) // days
        parts.append(replace(profile, daily=daily, workday=workday, weekend=weekend))
    return tuple(parts)
