"""The use of single days, for people to look at: what registers grew by from midnight to midnight.

Each day is a use of its own, measured as that of a month is before it is billed. A day of which
nothing good was read near its midnights has no use, and says so; it is never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

from billing.usage.asking import Asked
from billing.usage.dividing import seconds
from billing.usage.wanted import Part, Wanted
from billing.usage.whole import counting_all
from meters.finding import MissingRegister, NotInstalled
from meters.interval import Interval, local_midnight
from meters.quantity import InexactQuantityError, from_scaled, to_scaled
from meters.reading import Series
from meters.register_at import RegisterAt, Source
from meters.stepwise import MISSING, shown, shown_in_history
from meters.usage import is_unsettled, measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from billing.registry import Point
    from meters.archive.protocol import Archive
    from meters.edges import Edges
    from meters.installation import Installation
    from meters.interval import Period
    from meters.meter_type import MeterType
    from meters.usage import Usage

Issued: TypeAlias = "Mapping[tuple[str, str, datetime], RegisterAt]"
"""The registers that issued bills rest on, by meter, register name and instant."""


@dataclass(frozen=True, slots=True)
class DayUse:
    """What was used on `day`, 10⁻⁴ units.

    None where it is not known: nothing good `was_read`, or what was read is in doubt.
    """

    day: date
    quantity: int | None
    was_read: bool = True


def days_of(
    points: Sequence[Point],
    days: Period,
    archive: Archive,
    types: Mapping[str, MeterType],
    issued: Issued,
) -> list[DayUse]:
    """Return what `points` of one medium used together on each of `days`.

    What bills rest on counts instead of what was read at the same instant, so that the days of a
    month sum to its bill. May wait for the archive. Raises `ArchiveUnavailableError`.
    """
    midnights = [local_midnight(each, days.zone) for each in (*_days(days), days.after)]
    parts = tuple(Part(Interval(start, end)) for start, end in pairwise(midnights))
    wanted: list[Wanted] = []
    is_told = True
    for point in points:
        if any(each.within(days.interval) for each in point.installations):
            found = _wanted(point, parts, types)
            wanted += found
            is_told &= bool(found)
    if not wanted or not is_told:
        return [DayUse(day, None, was_read=False) for day in _days(days)]
    asked = Asked(archive, ())
    series = {Series(one.meter, each.register) for each in wanted for one in _standing(each)}
    edges = asked.edges(series, midnights)
    told = [_measured(asked, edges, each, issued) for each in wanted]
    return [
        _together(day, uses) for day, uses in zip(_days(days), zip(*told, strict=True), strict=True)
    ]


def _days(days: Period) -> list[date]:
    return [days.first + timedelta(days=each) for each in range(days.days)]


def _wanted(point: Point, parts: tuple[Part, ...], types: Mapping[str, MeterType]) -> list[Wanted]:
    """Return the registers whose sum is all that `point` used; none where its meters have none."""
    kinds = {each.meter_type for each in point.installations}
    if not kinds <= types.keys():
        return []
    known = set.intersection(*(set(types[kind].billing_registers) for kind in kinds))
    return [
        Wanted(point, name, {kind: types[kind].registers[name] for kind in kinds}, parts)
        for name in counting_all(point.medium, known)
    ]


def _standing(wanted: Wanted) -> list[Installation]:
    return [each for each in wanted.point.installations if each.within(wanted.whole)]


def _measured(asked: Asked, edges: Edges, wanted: Wanted, issued: Issued) -> list[Usage]:
    """Return the use of a register on each day; of what its boundaries leave open, by hindsight."""
    known = _known(asked, edges, wanted, issued)

    def told(interval: Interval, *, with_hindsight: bool = False) -> Usage:
        return measure(
            point=wanted.point.code,
            name=wanted.register,
            interval=interval,
            installations=wanted.point.installations,
            registers=wanted.registers,
            boundaries=known,
            histories=asked.histories(wanted, wanted.whole) if with_hindsight else None,
        )

    found = [told(part.interval) for part in wanted.parts]
    return [
        told(each.interval, with_hindsight=True) if is_unsettled(each) else each for each in found
    ]


def _known(
    asked: Asked, edges: Edges, wanted: Wanted, issued: Issued
) -> dict[tuple[str, datetime], RegisterAt]:
    """Return what each meter showed at midnights: as it was read, recorded, or billed."""
    known: dict[tuple[str, datetime], RegisterAt] = {}
    rows = edges.rows()
    midnights = [each.interval.start for each in wanted.parts] + [wanted.end]
    for one in _standing(wanted):
        row, register = rows[Series(one.meter, wanted.register)], wanted.registers[one.meter_type]
        if edges.unconfirmed[row].any():
            history = asked.history(wanted, one, wanted.whole)
            seen = shown_in_history(history, seconds(midnights), meter=one.meter, register=register)
        else:
            seen = shown(edges, row, register)
        for at, value, how in zip(midnights, seen.values, seen.sources, strict=True):
            if how != MISSING:  # between two readings or beside one: of a day both will do
                register_at = RegisterAt(one.meter, at, from_scaled(int(value)), Source.READ)
                known[one.meter, at] = register_at
    for each in wanted.point.recorded:
        if wanted.register in each.registers:
            value = each.registers[wanted.register]
            known[each.meter, each.at] = RegisterAt(each.meter, each.at, value, Source.RECORDED)
    for (meter, name, at), billed in issued.items():
        if name == wanted.register:
            known[meter, at] = billed
    return known


def _together(day: date, uses: Sequence[Usage]) -> DayUse:
    """Return the sum of what registers counted on `day`; unknown where one of them is."""
    unread = any(
        isinstance(said, MissingRegister | NotInstalled) for use in uses for said in use.findings
    )
    total = 0
    for use in uses:
        if use.quantity is None:
            return DayUse(day, None, was_read=not unread)
        try:
            total += to_scaled(use.quantity)
        except InexactQuantityError:  # of a multiplier finer than a bill can state
            return DayUse(day, None)
    return DayUse(day, total)
