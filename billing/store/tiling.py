"""Hold months against each other: billed use tiles time (I2), bills are numbered without gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables
from billing.store import holds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from billing.store.runs import CommunityRun, Counting


def failures(
    connection: Connection, community_id: int, counting: Mapping[str, Counting]
) -> Iterator[str]:
    """Yield where the use that counts of a register has a gap, or two of its intervals overlap.

    A unit has a gap in the months in which it was held, until they are corrected.
    """
    months = {part.id: period for period, part in counting.items()}
    held = {
        period: holds.units(connection, part.run_id, community_id)
        for period, part in counting.items()
    }
    usage, point, unit = tables.usage, tables.point, tables.unit
    rows = connection.execute(
        select(
            *(usage.c.point_id, usage.c.register, usage.c.start, usage.c.end),
            *(usage.c.community_run_id, point.c.code, unit.c.code.label("unit")),
        )
        .join(point, point.c.id == usage.c.point_id)
        .outerjoin(unit, unit.c.id == point.c.unit_id)
        .where(usage.c.community_run_id.in_(months), usage.c.joined.is_(False))
        .order_by(usage.c.point_id, usage.c.register, usage.c.start, usage.c.end)
    )
    billed: dict[tuple[int, str], tuple[datetime, str]] = {}
    for point_id, register, start, end, part_id, code, whose in rows:
        period = months[part_id]
        until, before = billed.get((point_id, register), (start, period))
        between = [whose in held[each] for each in held if before < each < period]
        if until > start or (until < start and not (between and all(between))):
            yield f"{code}, {register}: billed until {until}, then from {start}"
        billed[point_id, register] = (end, period)


def missing_numbers(connection: Connection, part: CommunityRun) -> Iterator[str]:
    """Yield the numbers that no bill has of a month up to those of a run."""
    bill, owner = tables.bill, tables.community_run
    numbers = sorted(
        int(number.rpartition("-")[2])
        for number in connection.scalars(
            select(bill.c.number)
            .join(owner, owner.c.id == bill.c.community_run_id)
            .where(owner.c.community_id == part.community_id, bill.c.period == part.period)
        )
    )
    for expected, number in enumerate(numbers, start=1):
        if expected != number:
            yield f"{part.community} has no bill {expected:04d} of {part.period}"
            return
