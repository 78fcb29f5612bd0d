"""What is frozen behind the lines that count of an issued month, by the tariff that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables
from billing.canonical import read_json
from billing.store import corrections
from billing.what_if.tried import FrozenLine, Holder

if TYPE_CHECKING:
    from collections.abc import Mapping


def lines(connection: Connection, community_id: int, period: str) -> dict[str, list[FrozenLine]]:
    """Return the rated lines that count of `period`, in the order of their bills, by tariff id.

    Shares of pools are no lines of a tariff, and are left out.
    """
    counting = corrections.counting(connection, community_id, period)
    evidence = _evidence(connection, {line.bill_id for line in counting})
    codes = _codes(connection)
    found: dict[str, list[FrozenLine]] = {}
    for line in counting:
        if line.tariff_version_id is None or line.statement_id is not None:
            continue
        inputs = read_json(evidence[line.bill_id, line.position])["inputs"]
        holder = Holder(line.unit, line.account.code)
        frozen = FrozenLine(holder, line.amount, inputs)
        found.setdefault(codes[line.tariff_version_id], []).append(frozen)
    return found


def _evidence(connection: Connection, bills: set[int]) -> Mapping[tuple[int, int], str]:
    line = tables.bill_line
    ordered, found = sorted(bills), {}
    for at in range(0, len(ordered), BILLS_AT_ONCE):
        part = ordered[at : at + BILLS_AT_ONCE]
        query = select(line.c.bill_id, line.c.position, line.c.evidence)
        for bill_id, position, text in connection.execute(query.where(line.c.bill_id.in_(part))):
            found[bill_id, position] = text
    return found


BILLS_AT_ONCE = 1000
"""Bills asked for in one statement."""


def _codes(connection: Connection) -> dict[int, str]:
    version = tables.tariff_version
    return {row.id: row.code for row in connection.execute(select(version.c.id, version.c.code))}
