"""A line, recomputed from what is stored with it: the same rules on the frozen evidence (I7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables
from billing.canonical import read_json
from billing.recompute import Claim, Difference, recompute_charge, recompute_share
from billing.store.views import versions

if TYPE_CHECKING:
    from billing.store.views.bills import BillView, LineView


def recheck(connection: Connection, bill: BillView, line: LineView) -> list[Difference]:
    """Return where `line` differs from what its evidence gives; nothing if it holds."""
    claim = Claim(quantity=line.quantity, amount=line.amount)
    if line.share is not None:
        statement, tariff_version = tables.statement, tables.tariff_version
        row = connection.execute(
            select(statement.c.evidence, tariff_version.c.document)
            .join(tariff_version, tariff_version.c.id == statement.c.tariff_version_id)
            .where(statement.c.id == line.share.statement_id)
        ).one()
        return recompute_share(
            claim,
            position=line.share.position,
            pool=line.share.pool,
            tariff=versions.tariff(row.document),
            period=bill.head.period.key,
            evidence=read_json(row.evidence),
        )
    if line.tariff is None:
        return [Difference("tariff", line.charge, "none")]
    return recompute_charge(
        claim,
        charge=line.charge,
        tariff=line.tariff,
        evidence=line.evidence,
        usage=None if line.usage is None else line.usage.evidence,
    )
