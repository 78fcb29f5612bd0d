"""What somebody used: by month as it was billed, by day as it was read, beside what is like it.

Beside each use stands that of the same time a year before and the median of similar households. A
use that is not known is a gap that says why, and never zero.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from api import problems
from api.payers import Naming, payers
from api.problems import ProblemError
from billing.similar import rounded
from billing.store import medians, registry, runs
from billing.store.views import consumption
from billing.usage.daily import days_of
from billing.usage.whole import UNITS, counting_all
from meters.interval import Period

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from sqlalchemy import Connection

    from api.principal import Principal
    from api.resources import Resources
    from billing.similar import Median
    from billing.store.payments_due import Payer
    from billing.store.views.consumption import Billed
    from billing.usage.daily import DayUse, Issued

MONTHS = 12
"""How many months are shown at once."""
EARLIEST = 2000
"""The first year that is shown."""


class Gap(StrEnum):
    """Why a use is not known."""

    NOT_HELD = "not-held"
    """The account did not hold the unit then."""
    NOT_BILLED = "not-billed"
    NOT_READ = "not-read"
    """No good reading was near its beginning or end."""
    IN_DOUBT = "in-doubt"
    """What was read cannot be what was used."""


@dataclass(frozen=True, slots=True)
class MonthUsed:
    """What was used in a month, 10⁻⁴, and what is like it.

    `in_part`: on the account's own days of it.
    """

    period: Period
    quantity: int | None
    gap: Gap | None
    estimated: bool
    in_part: bool
    last_year: int | None
    similar: Median | None


@dataclass(frozen=True, slots=True)
class DayUsed:
    """What was used on a day, 10⁻⁴, and on the same day a year before."""

    day: date
    quantity: int | None
    gap: Gap | None
    last_year: int | None


@dataclass(frozen=True, slots=True)
class SimilarDay:
    """What similar households used a day on average in `period`, 10⁻⁴."""

    period: Period
    median: Median


@dataclass(frozen=True, slots=True)
class Shown:
    """Whose use of what: `media` are the unit's, `since` is the account's first day there."""

    payer: Payer
    medium: str
    media: tuple[str, ...]
    since: date

    @property
    def unit(self) -> str:
        return UNITS.get(self.medium, "")


@dataclass(frozen=True, slots=True)
class ByMonth:
    """The use of twelve months; `newest` is the last that there can be."""

    shown: Shown
    newest: Period
    months: tuple[MonthUsed, ...]


@dataclass(frozen=True, slots=True)
class ByDay:
    """The use of the days of a month, as far as they are over; `newest` as in `ByMonth`."""

    shown: Shown
    newest: Period
    period: Period
    days: tuple[DayUsed, ...]
    similar: SimilarDay | None


def by_month(
    resources: Resources,
    caller: Principal,
    *,
    code: str | None,
    medium: str | None,
    until: str | None,
) -> ByMonth:
    """Return what an account used in the twelve months that end with `until`, as it was billed.

    `code`: its payment code, None for the first own one; `medium`: None for the first there is;
    `until`: None for the last month of the account that is over. Raises `ProblemError`.
    """
    with resources.database.snapshot() as connection:
        asked = _Asked(connection, caller, code, medium)
        last_full = Period.last_full_month(resources.now(), asked.held.zone)
        last = asked.month(until, "until", last_full)
        periods = [last.later(months) for months in range(1 - MONTHS, 1)]
        used = asked.billed([*periods, *(each.later(-12) for each in periods)])
        similar = asked.similar(periods)
    months = []
    for each in periods:
        own = used[each.key]
        before = _sum(asked.shown.medium, used[each.later(-12).key])
        months.append(_month(asked, each, own, before, similar.get(each.key)))
    return ByMonth(asked.shown, last_full, tuple(months))


def by_day(
    resources: Resources,
    caller: Principal,
    *,
    code: str | None,
    medium: str | None,
    month: str | None,
) -> ByDay:
    """Return what an account used on each day of `month` that is over, as meters were read.

    `code` and `medium` as in `by_month`; `month`: None for the newest of the account. May wait for
    the archive, so it belongs into a thread. Raises `ProblemError` and `ArchiveUnavailableError`.
    """
    now = resources.now()
    with resources.database.snapshot() as connection:
        asked = _Asked(connection, caller, code, medium)
        held = asked.held
        today = now.astimezone(held.zone).date()
        newest = Period.month(f"{today - timedelta(days=1):%Y-%m}", held.zone)
        period = asked.month(month, "month", newest)
        before = period.later(-12)
        used = asked.billed([each for one in (period, before) for each in (one, one.previous)])
        types = resources.catalogue.known(connection)
        points = registry.points(connection, held.community_id, held.zone, unit_id=held.unit_id)
        similar = _similar_day(asked, period)
    of_medium = [each for each in points if each.medium == asked.shown.medium]
    issued = _issued(used.values())

    def days(whole: Period) -> dict[int, DayUse]:
        first, after = max(whole.first, held.first_day), min(whole.after, today)
        after = after if held.after_day is None else min(after, held.after_day)
        if first >= after:
            return {}
        part = Period(first, after, held.zone)
        found = days_of(of_medium, part, resources.archive, types, issued)
        return {each.day.day: each for each in found}

    own, earlier = days(period), days(before)
    over = (min(period.after, today) - period.first).days
    return ByDay(
        asked.shown,
        newest,
        period,
        tuple(
            _day(period.first + timedelta(days=place), own.get(place + 1), earlier.get(place + 1))
            for place in range(over)
        ),
        similar,
    )


class _Asked:
    """Whose use of what is asked for, and what its community has issued."""

    def __init__(
        self,
        connection: Connection,
        caller: Principal,
        code: str | None,
        medium: str | None,
    ) -> None:
        self._connection = connection
        found = payers(connection, caller, Naming(code=code))
        if not found:
            raise ProblemError(problems.NOT_FOUND)
        payer = found[0]
        self.held = consumption.holding(connection, payer.account_id)
        media = consumption.media(connection, self.held.unit_id)
        if not media or (medium is not None and medium not in media):
            raise ProblemError(problems.NOT_FOUND)
        self.shown = Shown(payer, medium or media[0], tuple(media), self.held.first_day)
        self.counting = runs.counting(connection, self.held.community_id)

    def month(self, said: str | None, where: str, newest: Period) -> Period:
        """Return the month that is `said`, else the `newest`, or the last of who has left."""
        if said is None:
            left = self.held.after_day
            if left is None or left > newest.first:
                return newest
            return Period.month(f"{left - timedelta(days=1):%Y-%m}", self.held.zone)
        try:
            found = Period.month(said, self.held.zone)
        except ValueError:
            found = None
        if found is None or not EARLIEST <= found.first.year < 2 * EARLIEST:
            what = f"is no month from {EARLIEST}-01 on; write it as 2026-10"
            raise ProblemError(problems.INVALID, errors=[{"where": f"query.{where}", "what": what}])
        return found

    def billed(self, periods: Sequence[Period]) -> dict[str, list[Billed]]:
        """Return what issued bills count in each of `periods`, by their keys."""
        keys = {each.key for each in periods}
        parts = {part.id: key for key, part in self.counting.items() if key in keys}
        found: dict[str, list[Billed]] = {key: [] for key in keys}
        rows = consumption.billed(self._connection, self.held, self.shown.medium, parts)
        for each in rows:
            found[each.month].append(each)
        return found

    def similar(self, periods: Sequence[Period]) -> dict[str, Median]:
        """Return the medians of households like this one in those of `periods` that are issued."""
        community, unit = self.held.community_id, self.held.unit_id
        parts = {self.counting[each.key].id: each for each in periods if each.key in self.counting}
        of_parts = medians.of(self._connection, community, self.shown.medium, parts)
        days = [each.first for each in parts.values()]
        own = consumption.households(self._connection, community, days, unit_id=unit)
        found = {}
        for (part_id, period), household in zip(parts.items(), own, strict=True):
            median = of_parts[part_id].of(household[unit]) if unit in household else None
            if median is not None:
                found[period.key] = median
        return found


def _month(
    asked: _Asked, period: Period, own: list[Billed], last_year: int | None, similar: Median | None
) -> MonthUsed:
    quantity = _sum(asked.shown.medium, own)
    gap = None
    if quantity is None:
        gap = Gap.NOT_BILLED if asked.held.overlaps(period) else Gap.NOT_HELD
    return MonthUsed(
        period,
        quantity,
        gap,
        estimated=any(each.estimated for each in own),
        in_part=quantity is not None and not asked.held.holds(period.interval),
        last_year=last_year,
        similar=similar,
    )


def _sum(medium: str, billed: Iterable[Billed]) -> int | None:
    """Return the whole use that `billed` counts, 10⁻⁴; None where it counts none."""
    of_points: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for each in billed:
        of_points[each.point_id][each.register] += each.quantity
    counted = [
        registers[name]
        for registers in of_points.values()
        for name in counting_all(medium, registers)
    ]
    return sum(counted) if counted else None


def _day(day: date, own: DayUse | None, earlier: DayUse | None) -> DayUsed:
    gap = None
    if own is None:
        gap = Gap.NOT_HELD
    elif own.quantity is None:
        gap = Gap.IN_DOUBT if own.was_read else Gap.NOT_READ
    quantity = None if own is None else own.quantity
    return DayUsed(day, quantity, gap, None if earlier is None else earlier.quantity)


def _similar_day(asked: _Asked, period: Period) -> SimilarDay | None:
    """Return what similar households used a day in `period`, else in the last month issued before.

    Of single days nothing is told: who is away for one would show in them.
    """
    issued = max((key for key in asked.counting if key <= period.key), default=None)
    if issued is None:
        return None
    last = Period.month(issued, period.zone)
    median = asked.similar([last]).get(issued)
    if median is None:
        return None
    return SimilarDay(last, replace(median, quantity=rounded(median.quantity // last.days)))


def _issued(billed: Iterable[Iterable[Billed]]) -> Issued:
    return {
        (end.meter, each.register, end.at): end
        for month in billed
        for each in month
        for end in each.ends
    }
