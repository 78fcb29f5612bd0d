"""Meters with their newest readings: how old the last one is, and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.store.views.meter_times import OwnTimes
from meters.interval import Interval
from meters.reading import Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.store.views.meters import Placed, Standing
    from meters.archive.protocol import Archive
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


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest reading of one register."""

    register: str
    unit: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class Condition:
    """What the newest readings of a meter say about it."""

    age: timedelta | None
    freshness: Freshness
    worst: Verdict | None


@dataclass(frozen=True, slots=True)
class MeterState(Condition):
    """A meter where it stands, its newest readings, and what they say about it."""

    standing: Standing
    newest: tuple[Newest, ...]


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
) -> list[Condition]:
    """Return what `meter_states` would say of each of `placed`, without the readings.

    For counting and choosing among all meters. May wait for the archive as that does.
    """
    known = {each.meter_type for each in placed} & types.keys()
    registers = {name: list(types[name].billing_registers) for name in known}
    wanted = [
        [Series(each.meter, name) for name in registers.get(each.meter_type, ())] for each in placed
    ]
    latest = _latest(archive, [one for series in wanted for one in series], own)
    return [_condition([latest[one] for one in series if one in latest], now) for series in wanted]


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
    found = _condition([each.reading for each in newest], now)
    return MeterState(found.age, found.freshness, found.worst, standing, newest)


def _condition(newest: Sequence[Reading], now: datetime) -> Condition:
    if not newest:
        return Condition(None, Freshness.NEVER, None)
    age = now - max(each.time for each in newest)
    return Condition(age, _freshness(age), max(each.verdict for each in newest))


def _freshness(age: timedelta) -> Freshness:
    if age <= FRESH:
        return Freshness.FRESH
    return Freshness.LATE if age <= STALE else Freshness.SILENT
