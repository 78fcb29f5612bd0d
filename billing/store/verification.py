"""Hold a run in the database against the invariants: every line again, from its evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, select

from billing import tables
from billing.canonical import read_json
from billing.recompute import Claim, recompute_charge, recompute_share
from billing.store import audit, definitions, ledger, runs

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(slots=True)
class Verified:
    """What was held against the evidence, and everything that did not hold."""

    lines: int = 0
    statements: int = 0
    usages: int = 0
    audit_entries: int = 0
    failures: list[str] = field(default_factory=list)


def verify_run(connection: Connection, run_id: int) -> Verified:
    """Recompute every line of run `run_id` and check what must hold of it as a whole.

    Lines equal what their evidence gives (I7), shares sum to their statement (I4), billed usage of
    a register tiles time (I2), the trial balance is zero (I8), the audit log is unbroken (I9).
    """
    runs.read(connection, run_id)
    verified = Verified()
    _verify_lines(connection, run_id, verified)
    _verify_statements(connection, run_id, verified)
    _verify_tiling(connection, run_id, verified)
    if difference := sum(ledger.trial_balance(connection).values()):
        verified.failures.append(f"I8: the trial balance is off by {difference} fen")
    try:
        verified.audit_entries = audit.verify(connection)
    except audit.AuditBrokenError as error:
        verified.failures.append(f"I9: {error}")
    return verified


def verify_line(connection: Connection, number: str, position: int) -> list[str]:
    """Return where line `position` of bill `number` differs from what its evidence gives."""
    bill = tables.bill
    row = connection.execute(
        _lines().where(bill.c.number == number, tables.bill_line.c.position == position)
    ).one()
    return _line_failures(connection, row)


def _lines() -> Any:
    bill, line = tables.bill, tables.bill_line
    usage, statement, share = tables.usage, tables.statement, tables.share
    return (
        select(
            line,
            bill.c.number,
            bill.c.period,
            usage.c.evidence.label("usage_evidence"),
            statement.c.evidence.label("statement_evidence"),
            statement.c.pool_version_id,
            statement.c.tariff_version_id.label("supply_tariff_id"),
            share.c.quantity.label("share_quantity"),
            share.c.amount.label("share_amount"),
        )
        .join(bill, bill.c.id == line.c.bill_id)
        .outerjoin(usage, usage.c.id == line.c.usage_id)
        .outerjoin(statement, statement.c.id == line.c.statement_id)
        .outerjoin(
            share,
            (share.c.statement_id == line.c.statement_id) & (share.c.position == line.c.share),
        )
        .order_by(bill.c.number, line.c.position)
    )


def _verify_lines(connection: Connection, run_id: int, verified: Verified) -> None:
    part, bill = tables.community_run, tables.bill
    query = _lines().join(part, part.c.id == bill.c.community_run_id)
    sums: dict[str, int] = {}
    for row in connection.execute(query.where(part.c.bill_run_id == run_id)):
        verified.lines += 1
        sums[row.number] = sums.get(row.number, 0) + row.amount
        verified.failures.extend(
            f"I7: bill {row.number}, line {row.position}: {text}"
            for text in _line_failures(connection, row)
        )
    totals = connection.execute(
        select(bill.c.number, bill.c.total)
        .join(part, part.c.id == bill.c.community_run_id)
        .where(part.c.bill_run_id == run_id)
    )
    for number, total in totals:
        if sums.get(number, 0) != total:
            verified.failures.append(f"bill {number} claims {total}, its lines {sums.get(number)}")


def _line_failures(connection: Connection, row: Row[Any]) -> list[str]:
    claim = Claim(quantity=row.quantity, amount=row.amount)
    if row.statement_id is None:
        found = recompute_charge(
            claim,
            charge=row.charge,
            tariff=definitions.tariff(connection, row.tariff_version_id),
            evidence=read_json(row.evidence),
            usage=None if row.usage_evidence is None else read_json(row.usage_evidence),
        )
    else:
        found = recompute_share(
            claim,
            position=row.share,
            pool=definitions.pool(connection, row.pool_version_id),
            tariff=definitions.tariff(connection, row.supply_tariff_id),
            period=row.period,
            evidence=read_json(row.statement_evidence),
        )
    return [str(difference) for difference in found]


def _verify_statements(connection: Connection, run_id: int, verified: Verified) -> None:
    statement, share, part = tables.statement, tables.share, tables.community_run
    rows = connection.execute(
        select(
            statement.c.id,
            statement.c.quantity,
            statement.c.amount,
            func.sum(share.c.quantity).label("shared_quantity"),
            func.sum(share.c.amount).label("shared_amount"),
        )
        .join(part, part.c.id == statement.c.community_run_id)
        .join(share, share.c.statement_id == statement.c.id)
        .where(part.c.bill_run_id == run_id)
        .group_by(statement.c.id, statement.c.quantity, statement.c.amount)
    )
    for row in rows:
        verified.statements += 1
        if (row.quantity, row.amount) != (row.shared_quantity, row.shared_amount):
            verified.failures.append(
                f"I4: the shares of statement {row.id} sum to {row.shared_amount} fen, "
                f"its supply is {row.amount}"
            )


def _verify_tiling(connection: Connection, run_id: int, verified: Verified) -> None:
    """Hold the billed intervals of each register of the run's points against each other (I2)."""
    usage, part, point = tables.usage, tables.community_run, tables.point
    communities = select(part.c.community_id).where(part.c.bill_run_id == run_id)
    rows = connection.execute(
        select(usage.c.point_id, usage.c.register, usage.c.start, usage.c.end)
        .join(point, point.c.id == usage.c.point_id)
        .where(point.c.community_id.in_(communities))
        .order_by(usage.c.point_id, usage.c.register, usage.c.start)
    )
    billed_until: dict[tuple[int, str], datetime] = {}
    for point_id, register, start, end in rows:
        verified.usages += 1
        until = billed_until.get((point_id, register), start)
        if until != start:
            verified.failures.append(
                f"I2: point {point_id}, {register}: billed until {until}, then from {start}"
            )
        billed_until[point_id, register] = end
