"""Named loads for a meter on its own: who or what stands behind it, drawn by a key.

A `Load` says what; the key (a seed and the meter's id) says how much, when a family is away and
when a pipe begins to leak. Where the meter counts tariff bands, each band has its own counter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from meters.interval import Interval
from simulators import profiles
from simulators.chance import between, draw, pick
from simulators.community import Role
from simulators.counters import (
    PERMILLE,
    BandedCounter,
    StandingCounter,
    SteadyCounter,
    SumCounter,
    WindowedCounter,
)
from simulators.load import ANCHOR, HabitCounter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from simulators.load import Counter
    from simulators.profiles import Hours, Profile

STANDBY = 80
"""Permille of a family's use that goes on while it is away."""
LAST_YEAR = 2040
"""Until when holidays and leaks are drawn."""


class Load(StrEnum):
    """What stands behind a meter."""

    HOUSEHOLD = "household"
    """One to five persons in a flat."""
    VACANT = "vacant"
    """An empty flat: standby, a dripping tap."""
    AWAY = "away"
    """A household that goes on three journeys a year."""
    LEAK = "leak"
    """A household whose pipe begins to leak each spring and autumn, until somebody notices."""
    SHOP = "shop"
    OFFICE = "office"
    LIFT = "lift"
    LIGHTS = "lights"
    """Corridor lights: dusk to dawn."""
    PUMP = "pump"
    """A booster pump, which follows the water that a building draws."""
    GARDEN = "garden"
    SOLAR = "solar"
    """A household with panels on its roof: it exports at noon."""
    MIXED = "mixed"
    """What a hundred doors hold: a draw of household, vacant, away, leak, solar."""


_BOTH = (Load.HOUSEHOLD, Load.VACANT, Load.AWAY, Load.SHOP, Load.OFFICE, Load.MIXED)
LOADS: dict[str, tuple[Load, ...]] = {
    "electricity": (*_BOTH, Load.LIFT, Load.LIGHTS, Load.PUMP, Load.SOLAR),
    "water": (*_BOTH, Load.LEAK, Load.GARDEN),
}
"""Which loads a meter of each medium may have; other media take those that both have."""

_ROLES = {
    Load.LIFT: Role.LIFT,
    Load.LIGHTS: Role.LIGHTS,
    Load.PUMP: Role.PUMP,
    Load.GARDEN: Role.GARDEN,
}

BAND_OF_HOUR: dict[int, Hours] = {
    1: (0,) * 24,
    2: (*(1,) * 6, *(0,) * 16, *(1,) * 2),
    3: (*(2,) * 8, *(0,) * 3, *(1,) * 7, *(0,) * 5, 1),
    4: (*(3,) * 8, *(1,) * 3, *(2,) * 7, *(1,), *(0,) * 2, *(1,) * 2, 2),
}
"""Number of bands → the band of each local hour, from 0: day and night (06:00 to 22:00); peak, flat
and valley; sharp, peak, flat and valley."""


class LoadError(ValueError):
    """A load that cannot stand behind this meter."""


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind one meter: what it takes, and what it gives back."""

    forward: Counter
    reverse: Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What is to stand behind a meter of `medium` in `zone`.

    `first` is its register at `ANCHOR`; `bands` is how many tariff bands it counts. In the windows
    `away` a fraction of the load goes on; `leak` (10⁻⁴ of the unit an hour) runs from `leak_from`.
    """

    load: Load
    medium: str
    zone: ZoneInfo
    first: int = 0
    bands: int = 1
    away: tuple[Interval, ...] = ()
    leak: int = 0
    leak_from: datetime = ANCHOR

    def counters(self, *key: int | str) -> Behind:
        """Return the counters that `key` draws; raise `LoadError` where the load cannot be."""
        possible = LOADS.get(self.medium, _BOTH)
        if self.load not in possible:
            raise LoadError(
                f"a {self.medium} meter cannot have the load {self.load.value!r}; possible are "
                f"{', '.join(possible)}"
            )
        load = _drawn(possible, *key) if self.load is Load.MIXED else self.load
        profile = _profile(load, self.medium, *key)
        band_of_hour = BAND_OF_HOUR.get(
            self.bands, tuple(hour * self.bands // 24 for hour in range(24))
        )
        drawn = replace(self, load=load)
        bands = [
            drawn.band(number, band, *key)
            for number, band in enumerate(profiles.in_bands(profile, band_of_hour))
        ]
        forward = BandedCounter(bands) if self.bands > 1 else bands[0]
        return Behind(forward, drawn.panels(*key) if load is Load.SOLAR else StandingCounter())

    def panels(self, *key: int | str) -> Counter:
        """Return what panels on the roof give back."""
        profile = profiles.solar(*key, "panels")
        return HabitCounter(first=0, profile=profile, source=draw(*key, "panels"), zone=self.zone)

    def band(self, number: int, profile: Profile, *key: int | str) -> Counter:
        """Return what is used in the tariff band `number`, whose habit is `profile`."""
        first = (self.first + number) // self.bands
        habit: Counter = HabitCounter(
            first=first,
            profile=profile,
            source=draw(*key, "load", number),
            zone=self.zone,
        )
        away = self.away or (tuple(_journeys(*key)) if self.load is Load.AWAY else ())
        if away:
            habit = WindowedCounter(habit, away, inside=STANDBY, outside=PERMILLE)
        leaks = tuple(self._leaks(*key))
        if not leaks:
            return habit
        return SumCounter(first=first, loads=[habit, *leaks])

    def _leaks(self, *key: int | str) -> Iterator[Counter]:
        if self.leak:
            end = datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
            window = Interval(self.leak_from, end)
            steady = SteadyCounter(self.leak // self.bands)
            yield WindowedCounter(steady, [window], inside=PERMILLE, outside=0)
        if self.load is Load.LEAK:
            hourly = between(80, 600, *key, "leak") // self.bands  # 8 to 60 litres an hour
            drawn = SteadyCounter(hourly)
            yield WindowedCounter(drawn, _burst_pipes(*key), inside=PERMILLE, outside=0)


def _drawn(possible: tuple[Load, ...], *key: int | str) -> Load:
    lot = between(1, 100, *key, "mixed")
    for upto, load in ((12, Load.VACANT), (22, Load.AWAY), (26, Load.LEAK), (34, Load.SOLAR)):
        if lot <= upto:
            return load if load in possible else Load.HOUSEHOLD
    return Load.HOUSEHOLD


def _profile(load: Load, medium: str, *key: int | str) -> Profile:
    key = (*key, "habit")
    if load in _ROLES:
        return profiles.shared(_ROLES[load], *key)
    match load:
        case Load.VACANT:
            return profiles.vacant(medium, *key)
        case Load.SHOP:
            return profiles.shop(medium, *key)
        case Load.OFFICE:
            return profiles.office(medium, *key)
        case _:
            persons = between(1, 5, *key, "persons")
            area = Decimal(between(50, 150, *key, "area"))
            return profiles.household(medium, persons, area, *key)


def _journeys(*key: int | str) -> Iterator[Interval]:
    """Yield when a family is away: at the Spring Festival, in summer, in October, every year."""
    for year in range(ANCHOR.year, LAST_YEAR):
        for month, day, longest in ((1, 25, 16), (pick((7, 8), *key, year), 5, 14), (10, 1, 8)):
            start = date(year, month, day) + timedelta(days=between(0, 9, *key, year, month))
            days = between(longest // 2, longest, *key, "days", year, month)
            yield _days(start, days)


def _burst_pipes(*key: int | str) -> Iterator[Interval]:
    for year in range(ANCHOR.year, LAST_YEAR):
        for month in (3, 9):
            start = date(year, month, 1) + timedelta(days=between(0, 27, *key, year, month))
            yield _days(start, between(20, 75, *key, "days", year, month))


def _days(start: date, days: int) -> Interval:
    beginning = datetime(start.year, start.month, start.day, tzinfo=UTC)
    return Interval(beginning, beginning + timedelta(days=days))
