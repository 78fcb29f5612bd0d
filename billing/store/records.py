"""What a run made of a community, as records without ids: what its digest is taken of.

The digest is taken of what the database holds, not of what was meant to be stored, so the same
question asked later shows whether a byte of it has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, literal, select

from billing import digest, tables
from billing.store.results import PLACES

if TYPE_CHECKING:
    from collections.abc import Iterator

FETCHED = 1000
"""Rows that are asked for at once."""


def community_digest(connection: Connection, community_run_id: int) -> str:
    """Return the digest over all that is stored of a community's run, as hex.

    Ids of the database and the times of people's actions do not count; readings with their raw
    words, statements with every share, and bills with every line do.
    """
    return digest.community_digest(_records(connection, community_run_id))


def _records(connection: Connection, community_run_id: int) -> Iterator[Row[Any]]:
    """Yield each record in the order of its making; what it refers to by code, or by its place."""
    base = community_run_id * PLACES
    for question, owner in (
        (_usages(), tables.usage),
        (_statements(), tables.statement),
        (_shares(base), tables.statement),
        (_bills(base), tables.bill),
        (_lines(base), tables.bill),
    ):
        mine = question.where(owner.c.community_run_id == community_run_id)
        for rows in connection.execute(mine).partitions(FETCHED):
            yield from rows


def _usages() -> Select[Any]:
    usage, point = tables.usage, tables.point
    return (
        select(
            literal("usage"),
            point.c.code,
            usage.c.register,
            usage.c.start,
            usage.c.end,
            usage.c.quantity,
            usage.c.unit,
            usage.c.evidence,
        )
        .join(point, point.c.id == usage.c.point_id)
        .order_by(usage.c.id)
    )


def _statements() -> Select[Any]:
    statement, pool, tariff = tables.statement, tables.pool_version, tables.tariff_version
    return (
        select(
            literal("statement"),
            pool.c.code,
            pool.c.digest,
            tariff.c.digest,
            statement.c.quantity,
            statement.c.unit,
            statement.c.amount,
            statement.c.evidence,
        )
        .join(pool, pool.c.id == statement.c.pool_version_id)
        .join(tariff, tariff.c.id == statement.c.tariff_version_id)
        .order_by(statement.c.id)
    )


def _shares(base: int) -> Select[Any]:
    share, statement, unit = tables.share, tables.statement, tables.unit
    return (
        select(
            literal("share"),
            share.c.statement_id - base,
            share.c.position,
            unit.c.code,
            share.c.payer,
            share.c.vacant,
            share.c.key,
            share.c.quantity,
            share.c.amount,
            share.c.odd_quantity,
            share.c.odd_amount,
        )
        .join(statement, statement.c.id == share.c.statement_id)
        .outerjoin(unit, unit.c.id == share.c.unit_id)
        .order_by(share.c.statement_id, share.c.position)
    )


def _bills(base: int) -> Select[Any]:
    bill, account, unit = tables.bill, tables.account, tables.unit
    return (
        select(
            literal("bill"),
            bill.c.id - base,
            bill.c.number,
            bill.c.period,
            account.c.code,
            unit.c.code,
            bill.c.total,
            bill.c.currency,
        )
        .join(account, account.c.id == bill.c.account_id)
        .join(unit, unit.c.id == bill.c.unit_id)
        .order_by(bill.c.id)
    )


def _lines(base: int) -> Select[Any]:
    line, bill, tariff = tables.bill_line, tables.bill, tables.tariff_version
    return (
        select(
            literal("line"),
            line.c.bill_id - base,
            line.c.position,
            line.c.charge,
            line.c.revenue,
            line.c.quantity,
            line.c.unit,
            line.c.amount,
            tariff.c.digest,
            line.c.usage_id - base,
            line.c.statement_id - base,
            line.c.share,
            line.c.evidence,
        )
        .join(bill, bill.c.id == line.c.bill_id)
        .outerjoin(tariff, tariff.c.id == line.c.tariff_version_id)
        .order_by(line.c.bill_id, line.c.position)
    )
