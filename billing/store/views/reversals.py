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
