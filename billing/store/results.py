"""What a run made of a community, in the database: usages, statements, shares, bills and lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select

from billing import tables
from billing.canonical import evidence_json
from billing.evidence import usage_evidence
from billing.store.bulk import insert_rows
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from billing.measuring import UsageKey
    from billing.run import Computed

PLACES = 10**6
"""A community run holds at most this many bills, usages and statements each."""


def replace(connection: Connection, community_run_id: int, computed: Computed | None) -> None:
    """Store `computed` in place of what an earlier computation of the same run left."""
    _delete(connection, community_run_id)
    if computed is None:
        return
    made = max(len(computed.usages), len(computed.statements), len(computed.bills))
    if made >= PLACES:
        raise ValueError(f"{made} usages or bills of one community do not fit; split it in two")
    base = community_run_id * PLACES
    usage_ids = {key: base + place for place, key in enumerate(computed.usages, start=1)}
    statement_ids = {
        each.statement.pool: base + place for place, each in enumerate(computed.statements, start=1)
    }
    _insert_usages(connection, computed, community_run_id, usage_ids)
    _insert_statements(connection, computed, community_run_id, statement_ids)
    _insert_shares(connection, computed, statement_ids)
    _insert_bills(connection, computed, community_run_id)
    _insert_lines(connection, computed, base, usage_ids, statement_ids)


def date_bills(
    connection: Connection, community_run_id: int, *, issued_on: date, due_on: date
) -> None:
    """Give the bills of a community the dates that they are issued with."""
    bill = tables.bill
    connection.execute(
        bill.update()
        .where(bill.c.community_run_id == community_run_id)
        .values(issued_on=issued_on, due_on=due_on)
    )


def revenue_of_bills(
    connection: Connection, community_run_id: int
) -> Iterator[tuple[str, int, dict[str, int]]]:
    """Yield number, account id and amount by revenue category of each bill, in order."""
    bill, line = tables.bill, tables.bill_line
    rows = connection.execute(
        select(bill.c.number, bill.c.account_id, line.c.revenue, line.c.amount)
        .join(line, line.c.bill_id == bill.c.id)
        .where(bill.c.community_run_id == community_run_id)
        .order_by(bill.c.number, line.c.position)
    )
    found: dict[tuple[str, int], dict[str, int]] = {}
    for number, account_id, revenue, amount in rows:
        categories = found.setdefault((number, account_id), {})
        categories[revenue] = categories.get(revenue, 0) + amount
    for (number, account_id), categories in found.items():
        yield number, account_id, categories


def _delete(connection: Connection, community_run_id: int) -> None:
    for child, parent, key in (
        (tables.bill_line, tables.bill, "bill_id"),
        (tables.share, tables.statement, "statement_id"),
    ):
        mine = select(parent.c.id).where(parent.c.community_run_id == community_run_id)
        connection.execute(delete(child).where(child.c[key].in_(mine)))
    for table in (tables.bill, tables.statement, tables.usage):
        connection.execute(delete(table).where(table.c.community_run_id == community_run_id))


def _insert_usages(
    connection: Connection,
    computed: Computed,
    community_run_id: int,
    ids: dict[UsageKey, int],
) -> None:
    points = {point.code: point.id for point in computed.registry.points}
    columns = (
        *("id", "community_run_id", "point_id", "register"),
        *("start", "end", "quantity", "unit", "evidence"),
    )
    rows = [
        (
            ids[key],
            community_run_id,
            points[usage.point],
            usage.register,
            usage.interval.start,
            usage.interval.end,
            to_scaled(usage.quantity),
            usage.unit,
            evidence_json(usage_evidence(usage)),
        )
        for key, usage in computed.usages.items()
        if usage.quantity is not None
    ]
    insert_rows(connection, tables.usage, columns, rows)


def _insert_statements(
    connection: Connection, computed: Computed, community_run_id: int, ids: dict[str, int]
) -> None:
    columns = (
        *("id", "community_run_id", "pool_version_id", "tariff_version_id"),
        *("quantity", "unit", "amount", "evidence"),
    )
    rows = [
        (
            ids[each.statement.pool],
            community_run_id,
            each.version.id,
            each.tariff_version_id,
            each.statement.supply.quantity,
            each.statement.supply.unit,
            each.statement.supply.amount,
            evidence_json(each.evidence),
        )
        for each in computed.statements
    ]
    insert_rows(connection, tables.statement, columns, rows)


def _insert_shares(connection: Connection, computed: Computed, ids: dict[str, int]) -> None:
    units = {unit.code: unit.id for unit in computed.registry.units}
    columns = (
        *("statement_id", "position", "unit_id", "payer", "vacant", "key"),
        *("quantity", "amount", "odd_quantity", "odd_amount"),
    )
    rows = [
        (
            ids[each.statement.pool],
            position,
            None if share.unit is None else units[share.unit],
            share.payer.value,
            share.vacant,
            share.key,
            share.quantity,
            share.amount,
            share.odd_quantity,
            share.odd_amount,
        )
        for each in computed.statements
        for position, share in enumerate(each.statement.shares)
    ]
    insert_rows(connection, tables.share, columns, rows)


def _insert_bills(connection: Connection, computed: Computed, community_run_id: int) -> None:
    registry = computed.registry
    columns = (
        *("id", "community_run_id", "account_id", "unit_id"),
        *("number", "period", "total", "currency"),
    )
    rows = [
        (
            community_run_id * PLACES + place,
            community_run_id,
            bill.account.id,
            bill.unit.id,
            bill.number,
            registry.period.key,
            bill.total,
            registry.currency,
        )
        for place, bill in enumerate(computed.bills, start=1)
    ]
    insert_rows(connection, tables.bill, columns, rows)


def _insert_lines(
    connection: Connection,
    computed: Computed,
    base: int,
    usages: dict[UsageKey, int],
    statements: dict[str, int],
) -> None:
    columns = (
        *("bill_id", "position", "charge", "revenue", "quantity", "unit", "amount"),
        *("tariff_version_id", "usage_id", "statement_id", "share", "evidence"),
    )
    rows = [
        (
            base + place,
            position,
            line.charge,
            line.revenue,
            line.quantity,
            line.unit,
            line.amount,
            line.tariff_version_id,
            None if line.usage is None else usages[line.usage],
            None if line.share is None else statements[line.share[0]],
            None if line.share is None else line.share[1],
            evidence_json(line.evidence),
        )
        for place, bill in enumerate(computed.bills, start=1)
        for position, line in enumerate(bill.lines, start=1)
    ]
    insert_rows(connection, tables.bill_line, columns, rows)
