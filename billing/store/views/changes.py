"""What a run bills differently from the month before, as that counts now: held together by SQL.

A charge differs where it was not billed in one of the months, though the other billed zero. A unit
moves if any of its charges differs, though they come to the same together. How far it moves is told
by what its bills come to, as charges that do not differ take nothing away; so the lines are read of
those units alone that are shown or come to the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Connection, cast, func, literal, null, select, union_all

from billing import tables
from billing.comparison import Difference
from billing.store import corrections
from meters.interval import Period

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import CTE, ColumnElement, Select

    from billing.store.runs import CommunityRun


@dataclass(frozen=True, slots=True)
class UnitMove:
    """A unit whose charges differ, and those of its charges that do, the largest first."""

    community_id: int
    code: str
    charges: Sequence[Difference]


@dataclass(frozen=True, slots=True)
class Moves:
    """Some of the units that move, and how many move in all; 0 where all are skipped."""

    units: Sequence[UnitMove]
    count: int


def differences(connection: Connection, part: CommunityRun) -> tuple[Difference, ...]:
    """Return where an ordinary month of one community differs, by unit and charge.

    What stands on its bills of other months is left out.
    """
    differing, unit = _differing([part]).subquery(), tables.unit
    query = select(unit.c.code, differing.c.charge, differing.c.before, differing.c.now).join(
        unit, unit.c.id == differing.c.unit_id
    )
    return tuple(sorted(Difference(*row) for row in connection.execute(query)))


def moves(
    connection: Connection, parts: Sequence[CommunityRun], *, limit: int, skipped: int = 0
) -> Moves:
    """Return the units that move in an ordinary month of communities, the largest moves first.

    `parts` are of one month. The first `skipped` are left out.
    """
    if not parts:
        return Moves((), 0)
    moved, unit, community = _moved(parts), tables.unit, tables.community
    query = (
        select(
            *(unit.c.id, unit.c.community_id, unit.c.code),
            func.count().over().label("units"),
        )
        .join(moved, moved.c.unit_id == unit.c.id)
        .join(community, community.c.id == unit.c.community_id)
        .order_by(func.abs(moved.c.amount).desc(), community.c.code, unit.c.code)
        .limit(limit)
        .offset(skipped)
    )
    found = connection.execute(query).all()
    charges = _charges(connection, parts, [each.id for each in found])
    return Moves(
        [UnitMove(each.community_id, each.code, charges[each.id]) for each in found],
        found[0].units if found else 0,
    )


def _charges(
    connection: Connection, parts: Sequence[CommunityRun], unit_ids: Sequence[int]
) -> dict[int, list[Difference]]:
    """Return the charges of units that differ, the largest differences first, by unit."""
    found: dict[int, list[Difference]] = {each: [] for each in unit_ids}
    differing, unit = _differing(parts, unit_ids).subquery(), tables.unit
    query = select(
        unit.c.id, unit.c.code, differing.c.charge, differing.c.before, differing.c.now
    ).join(unit, unit.c.id == differing.c.unit_id)
    for unit_id, *told in connection.execute(query):
        found[unit_id].append(Difference(*told))
    for each in found.values():
        each.sort(key=lambda one: (-abs(one.amount), one.charge))
    return found


def _moved(parts: Sequence[CommunityRun]) -> CTE:
    """Return the units that move, and by how much."""
    amounts = _amounts(parts)
    same = select(amounts.c.unit_id).where(amounts.c.amount == 0)
    against_each_other = _differing(parts, same).subquery()
    return union_all(
        select(amounts.c.unit_id, amounts.c.amount).where(amounts.c.amount != 0),
        select(against_each_other.c.unit_id, literal(0, BigInteger)).distinct(),
    ).cte("moved")


def _amounts(parts: Sequence[CommunityRun]) -> CTE:
    """Return by how much each unit's month comes to more than the one before.

    What bills come to, without the lines on them of other months, with those on others of theirs.
    """
    part_ids, communities, previous = _compared(parts)
    line, bill, correction = tables.bill_line, tables.bill, tables.correction
    part, run = tables.community_run, tables.bill_run
    corrected = (
        select(bill.c.unit_id, line.c.amount)
        .select_from(correction)
        .join(line, corrections.of_line())
        .join(bill, bill.c.id == line.c.bill_id)
    )

    def issued(bills: Select[Any]) -> Select[Any]:
        return (
            bills.join(part, part.c.id == bill.c.community_run_id)
            .join(run, run.c.id == part.c.bill_run_id)
            .where(part.c.community_id.in_(communities), run.c.state == "issued")
        )

    def taking(bills: Select[Any]) -> Select[Any]:
        unit_id, amount = bills.selected_columns
        return bills.with_only_columns(unit_id, -amount)

    now = bill.c.community_run_id.in_(part_ids)
    before = bill.c.period == previous
    totals = select(bill.c.unit_id, bill.c.total.label("amount")).select_from(bill)
    every = union_all(
        totals.where(now),
        taking(corrected.where(now)),
        taking(issued(totals.where(before))),
        issued(corrected.where(before)),
        taking(issued(corrected.where(correction.c.period == previous))),
    ).subquery()
    amount = cast(func.sum(every.c.amount), BigInteger).label("amount")
    return select(every.c.unit_id, amount).group_by(every.c.unit_id).cte("amounts")


def _compared(parts: Sequence[CommunityRun]) -> tuple[list[int], list[int], str]:
    """Return the ids of `parts` and of their communities, and the month before theirs."""
    (period,) = {part.period for part in parts}
    return (
        [part.id for part in parts],
        [part.community_id for part in parts],
        Period.month(period, ZoneInfo("UTC")).previous.key,
    )


def _differing(
    parts: Sequence[CommunityRun], unit_ids: Collection[int] | Select[Any] | None = None
) -> Select[Any]:
    """Return the charges that differ by unit: `before` and `now`, null where not billed."""
    part_ids, communities, previous = _compared(parts)
    then = corrections.counting_amounts(communities, previous, unit_ids).subquery()
    now = _billed(part_ids, unit_ids).subquery()
    nothing: ColumnElement[int] = cast(null(), BigInteger)
    both = union_all(
        select(then.c.unit_id, then.c.charge, then.c.amount.label("before"), nothing.label("now")),
        select(now.c.unit_id, now.c.charge, nothing, now.c.amount),
    ).subquery()
    before, after = func.max(both.c.before), func.max(both.c.now)  # there is one of each at most
    return (
        select(both.c.unit_id, both.c.charge, before.label("before"), after.label("now"))
        .group_by(both.c.unit_id, both.c.charge)
        .having(before.is_distinct_from(after))
    )


def _billed(
    part_ids: Collection[int], unit_ids: Collection[int] | Select[Any] | None
) -> Select[Any]:
    """Return the query for what a month bills of itself, in fen, by unit and charge."""
    return corrections.amounts_by_charge(unit_ids).where(
        tables.bill.c.community_run_id.in_(part_ids), tables.correction.c.bill_id.is_(None)
    )
