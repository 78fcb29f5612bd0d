"""Counters made of other counters: several loads at one meter, loads that come and go, new starts.

Like those of `simulators.load` they are exact, monotone functions of time in 10⁻⁴ of the unit.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import timedelta
from typing import TYPE_CHECKING

from simulators.load import ANCHOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from meters.interval import Interval
    from simulators.load import Counter

PERMILLE = 1000

_SECOND = timedelta(seconds=1)


class StandingCounter:
    """A counter that nothing turns."""

    __slots__ = ("first",)

    def __init__(self, first: int = 0) -> None:
        self.first = first

    def at(self, _time: datetime) -> int:
        return self.first

    def hourly_rate(self, _time: datetime) -> int:
        return 0


class SteadyCounter:
    """A load that never changes, `hourly` an hour: a leak, a lamp that nobody turns off."""

    __slots__ = ("_hourly", "first")

    def __init__(self, hourly: int, first: int = 0) -> None:
        self.first = first
        self._hourly = hourly

    def at(self, time: datetime) -> int:
        return self.first + self._hourly * ((time - ANCHOR) // _SECOND) // 3600

    def hourly_rate(self, _time: datetime) -> int:
        return self._hourly


class SumCounter:
    """What several loads use together, from `first` on."""

    __slots__ = ("_below", "_loads", "first")

    def __init__(self, *, first: int, loads: Iterable[Counter]) -> None:
        self.first = first
        self._loads = tuple(loads)
        self._below = sum(load.first for load in self._loads)

    def at(self, time: datetime) -> int:
        return self.first - self._below + sum(load.at(time) for load in self._loads)

    def hourly_rate(self, time: datetime) -> int:
        return sum(load.hourly_rate(time) for load in self._loads)


class BandedCounter(SumCounter):
    """A counter that tells what it counted in each tariff band; `bands` are counters of them."""

    __slots__ = ("bands",)

    def __init__(self, bands: Iterable[Counter]) -> None:
        self.bands = tuple(bands)
        super().__init__(first=sum(band.first for band in self.bands), loads=self.bands)


class WindowedCounter:
    """A load of which `inside` permille are used in `windows`, `outside` permille at other times.

    A family that is away leaves 100 permille on; a leak runs at 1000 permille while it lasts.
    """

    __slots__ = ("_inside", "_load", "_outside", "_passed", "_starts", "_windows", "first")

    def __init__(
        self, load: Counter, windows: Iterable[Interval], *, inside: int, outside: int
    ) -> None:
        if not (0 <= inside <= PERMILLE and 0 <= outside <= PERMILLE):
            raise ValueError("the shares of a load are permilles of it, 0 to 1000")
        self.first = load.first
        self._load = load
        self._windows: Sequence[Interval] = sorted(windows, key=lambda window: window.start)
        self._starts = [window.start for window in self._windows]
        self._inside = inside
        self._outside = outside
        self._passed = [0]
        """What the load used in the windows before each one; filled in as far as was asked."""

    def at(self, time: datetime) -> int:
        used = self._load.at(time) - self.first
        within = self._used_within(time)
        kept = (used - within) * self._outside // PERMILLE
        return self.first + kept + within * self._inside // PERMILLE

    def hourly_rate(self, time: datetime) -> int:
        number = bisect_right(self._starts, time) - 1
        is_inside = number >= 0 and time < self._windows[number].end
        share = self._inside if is_inside else self._outside
        return self._load.hourly_rate(time) * share // PERMILLE

    def _used_within(self, time: datetime) -> int:
        """Return what the load used inside the windows before `time`."""
        begun = bisect_right(self._starts, time)
        while len(self._passed) < begun:
            window = self._windows[len(self._passed) - 1]
            self._passed.append(self._passed[-1] + self._between(window.start, window.end))
        if begun == 0:
            return 0
        window = self._windows[begun - 1]
        return self._passed[begun - 1] + self._between(window.start, min(time, window.end))

    def _between(self, start: datetime, end: datetime) -> int:
        return self._load.at(max(end, ANCHOR)) - self._load.at(max(start, ANCHOR))


class RestartedCounter:
    """A counter that was set to `first` at `since`: a reset, or the device that came after it."""

    __slots__ = ("_base", "_load", "first")

    def __init__(self, load: Counter, since: datetime, first: int) -> None:
        self.first = first
        self._load = load
        self._base = load.at(since)

    def at(self, time: datetime) -> int:
        return self.first + self._load.at(time) - self._base

    def hourly_rate(self, time: datetime) -> int:
        return self._load.hourly_rate(time)


def restarted(counter: Counter, since: datetime, first: int) -> Counter:
    """Return `counter` as it counts once it was set to `first` at `since`, bands included."""
    if not isinstance(counter, BandedCounter):
        return RestartedCounter(counter, since, first)
    number = len(counter.bands)
    return BandedCounter(
        RestartedCounter(band, since, (first + place) // number)
        for place, band in enumerate(counter.bands)
    )
