"""What a run made of a community, in the database: usages, statements, shares, bills and lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, delete, insert, select

from billing import tables
from billing.canonical import canonical_json
from billing.evidence import usage_evidence
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

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
    _insert(connection, tables.usage, _usages(computed, community_run_id, usage_ids))
    _insert(connection, tables.statement, _statements(computed, community_run_id, statement_ids))
    _insert(connection, tables.share, _shares(computed, statement_ids))
    _insert(connection, tables.bill, _bills(computed, community_run_id))
    _insert(connection, tables.bill_line, _lines(computed, base, usage_ids, statement_ids))


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


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _usages(
    computed: Computed, community_run_id: int, ids: dict[tuple[str, str], int]
) -> list[dict[str, Any]]:
    points = {point.code: point.id for point in computed.registry.points}
    return [
        {
            "id": ids[key],
            "community_run_id": community_run_id,
            "point_id": points[usage.point],
            "register": usage.register,
            "start": usage.interval.start,
            "end": usage.interval.end,
            "quantity": to_scaled(usage.quantity),
            "unit": usage.unit,
            "evidence": canonical_json(usage_evidence(usage)),
        }
        for key, usage in computed.usages.items()
        if usage.quantity is not None
    ]


def _statements(
    computed: Computed, community_run_id: int, ids: dict[str, int]
) -> list[dict[str, Any]]:
    return [
        {
            "id": ids[each.statement.pool],
            "community_run_id": community_run_id,
            "pool_version_id": each.version.id,
            "tariff_version_id": each.tariff_version_id,
            "quantity": each.statement.supply.quantity,
            "unit": each.statement.supply.unit,
            "amount": each.statement.supply.amount,
            "evidence": canonical_json(each.evidence),
        }
        for each in computed.statements
    ]


def _shares(computed: Computed, ids: dict[str, int]) -> list[dict[str, Any]]:
    units = {unit.code: unit.id for unit in computed.registry.units}
    return [
        {
            "statement_id": ids[each.statement.pool],
            "position": position,
            "unit_id": None if share.unit is None else units[share.unit],
            "payer": share.payer.value,
            "vacant": share.vacant,
            "key": share.key,
            "quantity": share.quantity,
            "amount": share.amount,
            "odd_quantity": share.odd_quantity,
            "odd_amount": share.odd_amount,
        }
        for each in computed.statements
        for position, share in enumerate(each.statement.shares)
    ]


def _bills(computed: Computed, community_run_id: int) -> list[dict[str, Any]]:
    registry = computed.registry
    return [
        {
            "id": community_run_id * PLACES + place,
            "community_run_id": community_run_id,
            "account_id": bill.account.id,
            "unit_id": bill.unit.id,
            "number": bill.number,
            "period": registry.period.key,
            "total": bill.total,
            "currency": registry.currency,
        }
        for place, bill in enumerate(computed.bills, start=1)
    ]


def _lines(
    computed: Computed,
    base: int,
    usages: dict[tuple[str, str], int],
    statements: dict[str, int],
) -> list[dict[str, Any]]:
    return [
        {
            "bill_id": base + place,
            "position": position,
            "charge": line.charge,
            "revenue": line.revenue,
            "quantity": line.quantity,
            "unit": line.unit,
            "amount": line.amount,
            "tariff_version_id": line.tariff_version_id,
            "usage_id": None if line.usage is None else usages[line.usage],
            "statement_id": None if line.share is None else statements[line.share[0]],
            "share": None if line.share is None else line.share[1],
            "evidence": canonical_json(line.evidence),
        }
        for place, bill in enumerate(computed.bills, start=1)
        for position, line in enumerate(bill.lines, start=1)
    ]
