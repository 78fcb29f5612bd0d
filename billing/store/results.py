"""What a run made of a community, in the database: usages, statements, shares, bills and lines.

It is laid out in columns before the transaction begins, with the digest over them, so that nobody
waits for the database's lock longer than the writing takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, delete, func, select

from billing import tables
from billing.bill import Line
from billing.canonical import canonical_json, evidence_json
from billing.digest import community_digest, records_digest
from billing.evidence import usage_text
from billing.pools.apportionment import key_documents
from billing.store import records
from billing.store.bulk import insert_columns
from billing.store.records import PLACES
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from billing.run import Computed
    from billing.store.records import Columns
    from meters.usage import Usage


@dataclass(frozen=True, slots=True)
class Laid:
    """What a run made of a community as rows of each table, in columns, and its digest."""

    columns: Mapping[Table, Columns]
    digest: str


def lay_out(community_run_id: int, computed: Computed) -> Laid:
    """Return `computed` as it is to be stored for a community's run."""
    made = max(len(computed.usages), len(computed.statements), len(computed.bills))
    if made >= PLACES:
        raise ValueError(f"{made} usages or bills of one community do not fit; split it in two")
    base = community_run_id * PLACES
    usages = _usages(computed, base, community_run_id)
    statements = _statements(computed, base, community_run_id)
    shares = _shares(computed, base)
    bills = _bills(computed, base, community_run_id)
    lines = _lines(computed, base)
    registry = computed.registry
    points = {each.id: each.code for each in registry.points}
    units = {each.id: each.code for each in registry.units}
    accounts = {bill.account.id: bill.account.code for bill in computed.bills}
    tariffs = {
        version.id: version.tariff.digest
        for versions in registry.tariffs.values()
        for version in versions
    }
    pools = {each.id: (each.pool.id, each.pool.digest) for each in registry.pools}
    digest = community_digest(
        {
            "usage": records.usages(usages, points),
            "statement": records.statements(statements, pools, tariffs),
            "share": records.shares(shares, units, base),
            "bill": records.bills(bills, accounts, units, base),
            "line": records.lines(lines, tariffs, base),
            "correction": records_digest([]),
        }
    )
    columns = {
        tables.usage: usages,
        tables.statement: statements,
        tables.share: shares,
        tables.bill: bills,
        tables.bill_line: lines,
    }
    return Laid(columns, digest)


def replace(connection: Connection, community_run_id: int, laid: Laid | None) -> None:
    """Store what is `laid` out in place of what an earlier computation of the same run left."""
    _delete(connection, community_run_id)
    if laid is not None:
        for table, columns in laid.columns.items():
            insert_columns(connection, table, columns)


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
        select(bill.c.number, bill.c.account_id, line.c.revenue, func.sum(line.c.amount))
        .join(line, line.c.bill_id == bill.c.id)
        .where(bill.c.community_run_id == community_run_id)
        .group_by(bill.c.number, bill.c.account_id, line.c.revenue)
        .order_by(bill.c.number, func.min(line.c.position))
    ).all()
    for (number, account_id), categories in groupby(rows, key=itemgetter(0, 1)):
        yield number, account_id, {revenue: int(amount) for _, _, revenue, amount in categories}


def counted(connection: Connection, community_run_id: int) -> tuple[int, int]:
    """Return how many bills a community's run has, and what they come to in fen."""
    bill = tables.bill
    count, total = connection.execute(
        select(func.count(), func.coalesce(func.sum(bill.c.total), 0)).where(
            bill.c.community_run_id == community_run_id
        )
    ).one()
    return int(count), int(total)


def lines_of(connection: Connection, bill_id: int) -> int:
    """Return how many lines a bill has."""
    line = tables.bill_line
    query = select(func.count()).select_from(line).where(line.c.bill_id == bill_id)
    return int(connection.execute(query).scalar_one())


def _delete(connection: Connection, community_run_id: int) -> None:
    first, after = community_run_id * PLACES, (community_run_id + 1) * PLACES
    for column in (
        tables.bill_line.c.bill_id,
        tables.share.c.statement_id,
        tables.bill.c.id,
        tables.statement.c.id,
        tables.usage.c.id,
    ):
        connection.execute(delete(column.table).where(column > first, column < after))


def _usages(computed: Computed, base: int, community_run_id: int) -> Columns:
    points = {point.code: point.id for point in computed.registry.points}
    usages = list(computed.usages.values())
    return {
        "id": range(base + 1, base + 1 + len(usages)),
        "community_run_id": [community_run_id] * len(usages),
        "point_id": [points[each.point] for each in usages],
        "register": [each.register for each in usages],
        "start": [each.interval.start for each in usages],
        "end": [each.interval.end for each in usages],
        "quantity": [_billed(each) for each in usages],
        "unit": [each.unit for each in usages],
        "evidence": [usage_text(each) for each in usages],
        "joined": [each.joined for each in usages],
    }


def _billed(usage: Usage) -> int:
    if usage.quantity is None:
        raise ValueError(f"the usage of {usage.point} is blocked; its community must be parked")
    return to_scaled(usage.quantity)


def _statements(computed: Computed, base: int, community_run_id: int) -> Columns:
    made = computed.statements
    return {
        "id": range(base + 1, base + 1 + len(made)),
        "community_run_id": [community_run_id] * len(made),
        "pool_version_id": [each.version.id for each in made],
        "tariff_version_id": [each.tariff_version_id for each in made],
        "quantity": [each.statement.supply.quantity for each in made],
        "unit": [each.statement.supply.unit for each in made],
        "amount": [each.statement.supply.amount for each in made],
        "keys": [canonical_json(key_documents(each.statement.keys)) for each in made],
        "evidence": [evidence_json(each.evidence) for each in made],
    }


def _shares(computed: Computed, base: int) -> Columns:
    units: dict[str | None, int | None] = {unit.code: unit.id for unit in computed.registry.units}
    units[None] = None
    made = [
        (base + place, position, share)
        for place, each in enumerate(computed.statements, start=1)
        for position, share in enumerate(each.statement.shares)
    ]
    shares = [share for _, _, share in made]
    return {
        "statement_id": [statement_id for statement_id, _, _ in made],
        "position": [position for _, position, _ in made],
        "unit_id": [units[each.unit] for each in shares],
        "payer": [each.payer.value for each in shares],
        "vacant": [each.vacant for each in shares],
        "key": [each.key for each in shares],
        "rest_key": [each.rest_key for each in shares],
        "quantity": [each.quantity for each in shares],
        "amount": [each.amount for each in shares],
        "odd_quantity": [each.odd_quantity for each in shares],
        "odd_amount": [each.odd_amount for each in shares],
        "carried": [each.carried for each in shares],
    }


def _bills(computed: Computed, base: int, community_run_id: int) -> Columns:
    bills, registry = computed.bills, computed.registry
    return {
        "id": range(base + 1, base + 1 + len(bills)),
        "community_run_id": [community_run_id] * len(bills),
        "account_id": [each.account.id for each in bills],
        "unit_id": [each.unit.id for each in bills],
        "number": [each.number for each in bills],
        "period": [registry.period.key] * len(bills),
        "total": [each.total for each in bills],
        "currency": [registry.currency] * len(bills),
    }


def _lines(computed: Computed, base: int) -> Columns:
    usages = {key: base + place for place, key in enumerate(computed.usages, start=1)}
    statements = {
        each.statement.pool: base + place for place, each in enumerate(computed.statements, start=1)
    }
    lines = [line for bill in computed.bills for line in bill.lines]
    fields: Iterable[Sequence[Any]] = zip(*lines, strict=True) if lines else repeat(())
    made = dict(zip(Line._fields, fields, strict=False))
    used, shared = made.pop("usage"), made.pop("share")
    return {
        **made,
        "bill_id": [
            base + place for place, bill in enumerate(computed.bills, start=1) for _ in bill.lines
        ],
        "position": [
            position for bill in computed.bills for position in range(1, len(bill.lines) + 1)
        ],
        "usage_id": [None if usage is None else usages[usage] for usage in used],
        "statement_id": [None if share is None else statements[share[0]] for share in shared],
        "share": [None if share is None else share[1] for share in shared],
    }
