"""What meters have truly counted: exact, monotone functions of time that depend on the seed alone.

Time is tiled by weeks from `ANCHOR`. What a week uses is drawn in closed form, and only then spread
over its quarter hours by the habit's weights, so that a lookup neither depends on earlier ones nor
sums up years. Every value is an integer of 10⁻⁴ of the unit (kWh, m³).
"""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from simulators.chance import draw, noise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

    from simulators.profiles import Profile

ANCHOR = datetime(2025, 1, 6, tzinfo=UTC)
"""The Monday on which every simulated meter was put in."""

LOSS_PERMILLE = 12
"""What a building's line loses of the power that it carries."""

_SECOND = timedelta(seconds=1)
_QUARTER_S = 900
_QUARTERS = 7 * 24 * 4
_WEEK_S = _QUARTERS * _QUARTER_S
_WEEKS_KEPT = 4
"""How many weeks a counter remembers how to spread: a process may hold thousands of counters."""


class Counter(Protocol):
    """A meter's true counter."""

    @property
    def first(self) -> int:
        """What it showed at `ANCHOR`."""
        ...

    def at(self, time: datetime) -> int:
        """Return what it has counted up to `time`; raise `ValueError` before `ANCHOR`."""
        ...

    def hourly_rate(self, time: datetime) -> int:
        """Return how fast it counts at `time`, an hour."""
        ...


class _Week(NamedTuple):
    """One week of a counter: what came before, what it uses, and how that is spread."""

    before: int
    total: int
    passed: array[int]
    """The weights of the quarter hours before each quarter hour, and of all of them."""


class HabitCounter:
    """The counter of a meter behind which a `Profile` stands."""

    __slots__ = ("_before", "_profile", "_source", "_weeks", "_zone")

    def __init__(self, *, first: int, profile: Profile, source: int, zone: ZoneInfo) -> None:
        self._profile = profile
        self._source = source
        self._zone = zone
        self._before = array("q", [first])
        self._weeks: dict[int, _Week] = {}

    @property
    def first(self) -> int:
        return self._before[0]

    def at(self, time: datetime) -> int:
        week, quarter, second = self._place(time)
        passed = week.passed[quarter]
        weight = passed * _QUARTER_S + (week.passed[quarter + 1] - passed) * second
        return week.before + week.total * weight // (week.passed[-1] * _QUARTER_S)

    def hourly_rate(self, time: datetime) -> int:
        week, quarter, _ = self._place(time)
        weight = week.passed[quarter + 1] - week.passed[quarter]
        return 4 * week.total * weight // week.passed[-1]

    def _place(self, time: datetime) -> tuple[_Week, int, int]:
        since = (time - ANCHOR) // _SECOND
        if since < 0:
            raise ValueError(f"the simulated meters count from {ANCHOR.isoformat()}, not {time}")
        number, in_week = divmod(since, _WEEK_S)
        week = self._weeks.get(number)
        if week is None:
            if len(self._weeks) >= _WEEKS_KEPT:
                del self._weeks[next(iter(self._weeks))]
            week = self._weeks[number] = self._week(number)
        return week, *divmod(in_week, _QUARTER_S)

    def _week(self, number: int) -> _Week:
        known = len(self._before) - 1
        if number >= known:
            totals = self._totals(known, number + 1)
            self._before.extend(accumulate(totals, initial=self._before.pop()))
        before, after = self._before[number], self._before[number + 1]
        return _Week(before, after - before, self._passed(number))

    def _totals(self, start: int, end: int) -> list[int]:
        """Return what each of the weeks `start <= number < end` uses."""
        wobble = noise(self._source, -1 - np.arange(start, end)) % 31 + 85
        return [
            7 * self._profile.daily * self._profile.months[_month(number)] * percent // 10_000
            for number, percent in zip(range(start, end), wobble.tolist(), strict=True)
        ]

    def _passed(self, number: int) -> array[int]:
        hours = np.array([self._profile.workday, self._profile.weekend], dtype=np.int64).ravel()
        shape = hours[_hours_of_week(self._zone, number)]
        chance = noise(self._source, number * _QUARTERS + np.arange(_QUARTERS))
        jitter = self._profile.jitter
        varied = shape * (100 - jitter + chance % (2 * jitter + 1))
        present = (chance >> 32) % 100 < self._profile.presence
        weights = np.where(present, varied, 0)
        if not weights.any():
            weights[0] = 1  # a week in which nothing was drawn must still hold its total
        return array("I", [0, *np.cumsum(weights).tolist()])


class MasterCounter:
    """The counter of a master meter: what its `subs` count, and what the line between loses."""

    def __init__(self, *, first: int, subs: Sequence[Counter]) -> None:
        self._subs = tuple(subs)
        below = sum(sub.first for sub in self._subs)
        self._first = first
        self._offset = first - below - self._loss(below)

    @property
    def first(self) -> int:
        return self._first

    def at(self, time: datetime) -> int:
        below = sum(sub.at(time) for sub in self._subs)
        return self._offset + below + self._loss(below)

    def hourly_rate(self, time: datetime) -> int:
        below = sum(sub.hourly_rate(time) for sub in self._subs)
        return below + self._loss(below)

    @staticmethod
    def _loss(below: int) -> int:
        return below * LOSS_PERMILLE // 1000


def habit_source(seed: int, meter_id: str) -> int:
    """Return the source of chance of the counter of `meter_id`."""
    return draw(seed, "load", meter_id)


@lru_cache(maxsize=1024)
def _month(number: int) -> int:
    """Return the month, 0 for January, in which the week `number` has its middle."""
    return (ANCHOR + timedelta(weeks=number, days=3)).month - 1


@lru_cache(maxsize=64)
def _hours_of_week(zone: ZoneInfo, number: int) -> NDArray[np.int64]:
    """Return for each quarter hour of a week its local hour, plus 24 at a weekend."""
    start = ANCHOR + timedelta(weeks=number)
    locals_ = [
        (start + timedelta(seconds=_QUARTER_S * quarter)).astimezone(zone)
        for quarter in range(_QUARTERS)
    ]
    return np.array([time.hour + 24 * (time.weekday() >= 5) for time in locals_], dtype=np.int64)
