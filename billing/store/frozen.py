"""What is frozen behind the lines that count of an issued month, by the tariff that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables
from billing.canonical import read_json
from billing.store import corrections
from billing.what_if.tried import FrozenLine, Holder
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Sequence


def lines(connection: Connection, community_id: int, period: str) -> dict[str, list[FrozenLine]]:
    """Return the rated lines that count of `period`, in the order of their bills, by tariff id.

    Shares of pools are no lines of a tariff, and are left out.
    """
    codes = _codes(connection)
    found: dict[str, list[FrozenLine]] = {}
    for line in corrections.counting(connection, community_id, period):
        if line.tariff_version_id is None or line.statement_id is not None:
            continue
        inputs = read_json(line.evidence)["inputs"]
        holder = Holder(line.unit, line.account.code)
        frozen = FrozenLine(holder, line.amount, inputs)
        found.setdefault(codes[line.tariff_version_id], []).append(frozen)
    return found


class NothingBilledError(LookupError):
    """A tariff billed nothing in a month; `billed_by` are those that did."""

    def __init__(self, message: str, billed_by: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.billed_by = tuple(billed_by)


def of_tariff(
    connection: Connection, community_id: int, period: str, code: str
) -> list[FrozenLine]:
    """Return the lines of one tariff; raise `NothingBilledError` that says by which they were."""
    billed = lines(connection, community_id, period)
    if not billed:
        raise NothingBilledError(told("nothing of {period} is issued there", period=period))
    if code not in billed:
        by = sorted(billed)
        raise NothingBilledError(
            told(
                "nothing was billed by tariff '{code}' in {period}; it was by {known}: "
                "say which one the draft replaces",
                code=code,
                period=period,
                known=", ".join(by),
            ),
            by,
        )
    return billed[code]


def _codes(connection: Connection) -> dict[int, str]:
    version = tables.tariff_version
    return {row.id: row.code for row in connection.execute(select(version.c.id, version.c.code))}
