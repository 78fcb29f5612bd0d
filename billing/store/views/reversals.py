"""Which lines of later bills took back the lines of a bill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The line that took another back: of which bill, and where on it."""

    bill: str
    position: int


def taken_back(connection: Connection, bill_id: int) -> Mapping[int, TakenBack]:
    """Return by position the lines of a bill that issued ones have taken back, and by which."""
    correction, bill = tables.correction, tables.bill
    part, run = tables.community_run, tables.bill_run
    rows = connection.execute(
        select(correction.c.of_position, bill.c.number, correction.c.position)
        .join(bill, bill.c.id == correction.c.bill_id)
        .join(part, part.c.id == bill.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .where(correction.c.of_bill_id == bill_id, correction.c.reversal, run.c.state == "issued")
    )
    return {of: TakenBack(number, position) for of, number, position in rows}


def is_shared_again(connection: Connection, statement_id: int) -> bool:
    """Return whether a correction has shared the same pool and period again, and is issued."""
    part, run, pool = tables.community_run, tables.bill_run, tables.pool_version
    kept = tables.statement
    own = connection.execute(
        select(part.c.community_id, part.c.period, part.c.revision, pool.c.code)
        .join(kept, kept.c.community_run_id == part.c.id)
        .join(pool, pool.c.id == kept.c.pool_version_id)
        .where(kept.c.id == statement_id)
    ).one()
    later = (
        select(kept.c.id)
        .join(part, part.c.id == kept.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .join(pool, pool.c.id == kept.c.pool_version_id)
        .where(
            part.c.community_id == own.community_id,
            part.c.period == own.period,
            part.c.revision > own.revision,
            pool.c.code == own.code,
            run.c.state == "issued",
        )
        .limit(1)
    )
    return connection.scalar(later) is not None
