"""Meters with their newest readings: how old the last one is, and how far to trust it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from billing.store.views.meter_times import OwnTimes
from meters.archive.rows import EPOCH, SECOND, ceil_seconds
from meters.edges import NEVER_S
from meters.interval import Interval
from meters.reading import Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.store.views.meters import Placed, Standing
    from meters.archive.protocol import Archive
    from meters.edges import Flags, Int64s
    from meters.meter_type import MeterType
    from meters.reading import Reading

FRESH = timedelta(hours=1)
"""A meter is read every few minutes: after an hour without, somebody should look."""
STALE = timedelta(hours=24)
ALWAYS = OwnTimes()
"""Of who sees whatever a meter said, whosever it was."""


class Freshness(StrEnum):
    """How recent a meter's newest reading is."""

    FRESH = "fresh"
    LATE = "late"
    SILENT = "silent"
    NEVER = "never"


_BY_AGE = (Freshness.FRESH, Freshness.LATE, Freshness.SILENT)
_OLDEST = (FRESH, STALE)
"""How old a reading is at most for each of `_BY_AGE` but the last."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest reading of one register."""

    register: str
    unit: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class MeterState:
    """A meter where it stands, its newest readings, and what they say about it."""

    standing: Standing
    newest: tuple[Newest, ...]
    age: timedelta | None
    freshness: Freshness
    worst: Verdict | None


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """What the newest readings of n meters say about them.

    `places`: int64[n], the places of their freshness in `Freshness`; `doubtful`: bool[n], whether
    one of the readings is not good.
    """

    places: Int64s
    doubtful: Flags

    def are(self, freshness: Freshness) -> Flags:
        """Return which of the meters are `freshness`."""
        found: Flags = self.places == list(Freshness).index(freshness)
        return found


def meter_states(
    archive: Archive,
    types: Mapping[str, MeterType],
    standing: Sequence[Standing],
    *,
    now: datetime,
    own: OwnTimes = ALWAYS,
) -> list[MeterState]:
    """Return the state of each of `standing`, in their order, from one question to the archive.

    What a meter said when it was not the caller's `own` is left out.
    May wait for the archive, so it belongs into a thread. Raises `ArchiveUnavailableError`.
    """
    registers = {each.meter: _units(types, each) for each in standing}
    series = [Series(meter, name) for meter, names in registers.items() for name in names]
    latest = _latest(archive, series, own)
    return [_state(each, registers[each.meter], latest, now) for each in standing]


def conditions(
    archive: Archive,
    types: Mapping[str, MeterType],
    placed: Sequence[Placed],
    *,
    now: datetime,
    own: OwnTimes = ALWAYS,
) -> Conditions:
    """Return what `meter_states` would say of each of `placed`, in columns.

    For counting and choosing among all meters. May wait for the archive as that does.
    """
    known = {each.meter_type for each in placed} & types.keys()
    registers = {name: list(types[name].billing_registers) for name in known}
    wanted = [registers.get(each.meter_type, ()) for each in placed]
    series = [
        Series(each.meter, name)
        for each, names in zip(placed, wanted, strict=True)
        for name in names
    ]
    told = archive.last_read(series)
    times_s, bad = told.times_s.copy(), told.verdicts != Verdict.GOOD
    if own.changes:
        for place, (meter, _) in enumerate(series):
            if meter in own.changes and times_s[place] != NEVER_S:
                at = EPOCH + int(times_s[place]) * SECOND
                if not own.is_own(meter, at):
                    times_s[place], bad[place] = NEVER_S, False
    owners = np.repeat(np.arange(len(placed)), [len(names) for names in wanted])
    newest, doubtful = np.full(len(placed), NEVER_S), np.zeros(len(placed), np.bool_)
    np.maximum.at(newest, owners, times_s)
    np.logical_or.at(doubtful, owners, bad)
    never = newest == NEVER_S
    ages_s = ceil_seconds(now) - np.where(never, 0, newest)
    places = np.searchsorted([each // SECOND for each in _OLDEST], ages_s)
    return Conditions(np.where(never, len(_BY_AGE), places), doubtful)


def recent_readings(
    archive: Archive,
    types: Mapping[str, MeterType],
    standing: Standing,
    *,
    back: timedelta,
    now: datetime,
    own: OwnTimes = ALWAYS,
) -> list[Newest]:
    """Return the readings of a meter's billing registers in the last `back`, the newest first.

    None of when the meter was not the caller's `own`.
    """
    interval = Interval(now - back, now + timedelta(seconds=1))
    found = [
        Newest(name, unit, reading)
        for name, unit in _units(types, standing).items()
        for reading in archive.readings(Series(standing.meter, name), interval)
        if own.is_own(standing.meter, reading.time)
    ]
    return sorted(found, key=lambda each: (each.reading.time, each.register), reverse=True)


def _units(types: Mapping[str, MeterType], standing: Standing) -> dict[str, str]:
    """Return the unit of each billing register; nothing for a type that is not known here."""
    known = types.get(standing.meter_type)
    if known is None:
        return {}
    return {name: each.canonical_unit for name, each in known.billing_registers.items()}


def _latest(archive: Archive, series: Sequence[Series], own: OwnTimes) -> dict[Series, Reading]:
    """Return the newest reading of each of `series`, without those that are not the caller's."""
    return {
        each: reading
        for each, reading in archive.latest(series).items()
        if own.is_own(each.meter, reading.time)
    }


def _state(
    standing: Standing,
    units: Mapping[str, str],
    latest: Mapping[Series, Reading],
    now: datetime,
) -> MeterState:
    newest = tuple(
        Newest(name, unit, reading)
        for name, unit in units.items()
        if (reading := latest.get(Series(standing.meter, name))) is not None
    )
    if not newest:
        return MeterState(standing, (), None, Freshness.NEVER, None)
    age = now - max(each.reading.time for each in newest)
    worst = max(each.reading.verdict for each in newest)
    return MeterState(standing, newest, age, _BY_AGE[bisect_left(_OLDEST, age)], worst)
