"""What a unit used while an account held it, month by month, and what all units used."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from billing import tables
from billing.canonical import read_json
from billing.evidence import read_register
from billing.similar import Household
from billing.store.bulk import select_rows
from billing.store.facts import BEGINNING
from billing.usage.whole import counting_all
from meters.interval import Interval, local_midnight
from meters.register_at import Source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from meters.interval import Period
    from meters.register_at import RegisterAt

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A unit that an account holds from `first_day` on, until before `after_day` if it has left."""

    unit_id: int
    community_id: int
    zone: ZoneInfo
    first_day: date
    after_day: date | None

    def holds(self, interval: Interval) -> bool:
        """Return whether all of `interval` lies in the time of the account."""
        if interval.start < local_midnight(self.first_day, self.zone):
            return False
        return self.after_day is None or interval.end <= local_midnight(self.after_day, self.zone)

    def overlaps(self, period: Period) -> bool:
        """Return whether the account holds the unit on a day of `period`."""
        left = self.after_day is not None and self.after_day <= period.first
        return self.first_day < period.after and not left


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What an issued month counts of a register of a point, 10⁻⁴ of `unit`.

    `ends`: what the register showed before and after, but for what was estimated.
    """

    month: str
    point_id: int
    register: str
    interval: Interval
    quantity: int
    unit: str
    estimated: bool
    ends: tuple[RegisterAt, ...]


def holding(connection: Connection, account_id: int) -> Holding:
    """Return what the account `account_id`, which is there, holds."""
    account, community = tables.account, tables.community
    row = connection.execute(
        select(account, community.c.zone)
        .join(community, community.c.id == account.c.community_id)
        .where(account.c.id == account_id)
    ).one()
    return Holding(
        unit_id=row.unit_id,
        community_id=row.community_id,
        zone=ZoneInfo(row.zone),
        first_day=row.first_day,
        after_day=row.after_day,
    )


def media(connection: Connection, unit_id: int) -> list[str]:
    """Return the media that a unit has a metering point for, in order."""
    point = tables.point
    query = select(point.c.medium).where(point.c.unit_id == unit_id).distinct()
    return sorted(connection.scalars(query))


def billed(
    connection: Connection, held: Holding, medium: str, parts: Mapping[int, str]
) -> list[Billed]:
    """Return what community runs, by id with their month, count of a unit's `medium`, in order.

    Nothing from before or after the account's time.
    """
    usage, point = tables.usage, tables.point
    points = select(point.c.id).where(point.c.unit_id == held.unit_id, point.c.medium == medium)
    # named one by one, they are sought in each run; joined, all use of the community is read
    rows = connection.execute(
        select(usage)
        .where(
            usage.c.community_run_id.in_(parts),
            usage.c.joined.is_(False),
            usage.c.point_id.in_(connection.scalars(points).all()),
        )
        .order_by(usage.c.start, usage.c.id)
    )
    found = []
    for row in rows:
        interval = Interval(row.start, row.end)
        if held.holds(interval):
            ends = _ends(row.evidence)
            found.append(
                Billed(
                    month=parts[row.community_run_id],
                    point_id=row.point_id,
                    register=row.register,
                    interval=interval,
                    quantity=row.quantity,
                    unit=row.unit,
                    estimated=any(each.source is Source.ESTIMATED for each in ends),
                    ends=tuple(each for each in ends if each.estimate is None),
                )
            )
    return found


def used_by_units(
    connection: Connection, parts: Collection[int], medium: str
) -> dict[int, dict[int, int]]:
    """Return what units used of `medium`, 10⁻⁴: by community run of `parts`, then by unit id.

    One question, however many units and months there are.
    """
    usage, point = tables.usage, tables.point
    columns = (usage.c.community_run_id, usage.c.point_id, usage.c.register)
    rows = select_rows(
        connection,
        select(*columns, func.min(point.c.unit_id), func.sum(usage.c.quantity))
        .join(point, point.c.id == usage.c.point_id)
        .where(
            usage.c.community_run_id.in_(parts),
            usage.c.joined.is_(False),
            point.c.unit_id.is_not(None),
            point.c.medium == medium,
        )
        .group_by(*columns),
    )
    of_points: dict[tuple[int, int, int], dict[str, int]] = {}
    for part_id, point_id, register, unit_id, quantity in rows:
        of_points.setdefault((part_id, unit_id, point_id), {})[register] = int(quantity)
    found: dict[int, dict[int, int]] = {part_id: {} for part_id in parts}
    for (part_id, unit_id, _), registers in of_points.items():
        used = found[part_id]
        for name in counting_all(medium, registers):
            used[unit_id] = used.get(unit_id, 0) + registers[name]
    return found


def households(
    connection: Connection,
    community_id: int,
    days: Sequence[date],
    *,
    unit_id: int | None = None,
) -> list[dict[int, Household]]:
    """Return what tells which units are similar, by unit id, as it was on each of `days`.

    With `unit_id` of one unit alone.
    """
    unit, area, of_class = tables.unit, tables.unit_attribute, tables.unit_class
    whose = [unit.c.community_id == community_id]
    if unit_id is not None:
        whose.append(unit.c.id == unit_id)
    last = max(days, default=BEGINNING)
    areas = connection.execute(
        select(area.c.since, unit.c.id, area.c.value)
        .join(area, area.c.unit_id == unit.c.id)
        .where(*whose, area.c.name == "area", area.c.since <= last)
    )
    classes = connection.execute(
        select(of_class.c.since, unit.c.id, of_class.c.customer_class)
        .join(of_class, of_class.c.unit_id == unit.c.id)
        .where(*whose, of_class.c.since <= last)
    )
    areas_of = _by_day([(row.since, row.id, row.value) for row in areas], days)
    classes_of = _by_day([(row.since, row.id, row.customer_class) for row in classes], days)
    found: dict[date, dict[int, Household]] = {}
    known: dict[int, Household] = {}
    before = None
    for day in sorted(set(days)):
        facts = areas_of[day], classes_of[day]
        if before is None or any(now is not then for now, then in zip(facts, before, strict=True)):
            known = {each: Household(name, facts[0].get(each)) for each, name in facts[1].items()}
        before, found[day] = facts, known
    return [found[day] for day in days]


def _by_day(
    rows: Iterable[tuple[date, int, Value]], days: Iterable[date]
) -> dict[date, dict[int, Value]]:
    """Return what held of each unit on each day: the same mapping for days between two changes."""
    changes = sorted(rows, key=itemgetter(0))
    found: dict[date, dict[int, Value]] = {}
    known: dict[int, Value] = {}
    place = 0
    for day in sorted(set(days)):
        begun = place
        while place < len(changes) and changes[place][0] <= day:
            place += 1
        if place > begun:
            known = known | {unit_id: value for _, unit_id, value in changes[begun:place]}
        found[day] = known
    return found


def _ends(evidence: str) -> list[RegisterAt]:
    segments = read_json(evidence)["segments"]
    return [read_register(each[end]) for each in segments for end in ("opening", "closing")]
