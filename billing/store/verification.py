"""Hold a run in the database against the invariants: every line again, from its evidence."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, Select, func, select

from billing import tables
from billing.canonical import read_json
from billing.correction import taking_back
from billing.difference import Difference
from billing.digest import run_digest
from billing.pools.policy import Payer
from billing.recompute import (
    UNREADABLE,
    Claim,
    Rated,
    recompute_charges,
    recompute_share,
    recompute_statement,
)
from billing.store import audit, journal_check, papers, records, runs, tiling, usages
from billing.store.referred import Referred, month
from billing.uncollected import uncollected
from billing.usage.check import usage_differences
from meters.interval import Interval
from meters.quantity import from_scaled, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from billing.pools.pool import Pool
    from billing.store.runs import CommunityRun, Counting, Run
    from billing.tariff import Tariff


AT_ONCE = 2000
"""The lines of a tariff version that are rated again together, at most."""


@dataclass(slots=True)
class Verified:
    """What was held against the evidence, and everything that did not hold."""

    lines: int = 0
    statements: int = 0
    usages: int = 0
    audit_entries: int = 0
    failures: list[str] = field(default_factory=list)

    def say(self, where: str, differences: Iterable[object]) -> None:
        self.failures.extend(f"{where}: {each}" for each in differences)


@uncollected()
def verify_run(connection: Connection, run_id: int) -> Verified:
    """Recompute every line of run `run_id` and check what must hold of it as a whole.

    Billed usage of a register tiles time (I2) and follows from its readings (I3), shares sum to
    their statement (I4), what is stored gives the digest (I6), lines equal what their evidence
    gives (I7), the journal balances and claims what was billed (I8), the audit log is unbroken
    (I9).
    """
    run = runs.read(connection, run_id)
    verified = Verified()
    known = Referred(connection)
    for part in run.communities:
        if part.state in runs.LEFT:
            continue
        counting = runs.counting(connection, part.community_id, seen_by=run.id)
        _verify_usages(connection, counting, part, verified)
        verified.say("I2", tiling.failures(connection, part.community_id, counting))
        verified.say("numbers", tiling.missing_numbers(connection, part))
        _verify_statements(connection, counting, part, known, verified)
        _verify_lines(connection, part, known, verified)
    _verify_digests(connection, run, verified)
    verified.say("I8", journal_check.failures(connection, run))
    try:
        verified.audit_entries = audit.verify(connection)
    except audit.AuditBrokenError as error:
        verified.say("I9", [error])
    return verified


def verify_line(connection: Connection, number: str, position: int) -> list[Difference]:
    """Return where line `position` of bill `number` differs from what its evidence gives."""
    bill = tables.bill
    row = connection.execute(
        _lines().where(bill.c.number == number, tables.bill_line.c.position == position)
    ).one()
    known = Referred(connection)
    try:
        if row.reversal:
            return _reversal_differences(row)
        if row.statement_id is None:
            return _charge_differences(row, known)
        return _share_differences(row, known)
    except UNREADABLE as error:
        return [Difference("evidence", "readable", f"{type(error).__name__}: {error}")]


def _found(check: Callable[[], Iterable[Difference]]) -> list[str]:
    """Return what `check` finds; evidence that it cannot even read is a finding too."""
    try:
        return [str(difference) for difference in check()]
    except UNREADABLE as error:
        return [f"its evidence is damaged: {type(error).__name__}: {error}"]


def _verify_usages(
    connection: Connection,
    counting: Mapping[str, Counting],
    part: CommunityRun,
    verified: Verified,
) -> None:
    usage, point = tables.usage, tables.point
    period = month(connection, part.community_id, part.period)
    whole = period.interval
    issued = usages.closings_before(connection, counting, period)
    rows = connection.execute(
        select(usage, point.c.code)
        .join(point, point.c.id == usage.c.point_id)
        .where(usage.c.community_run_id == part.id)
        .order_by(point.c.code, usage.c.register, usage.c.start)
    )
    by_register = groupby(rows, key=lambda row: (row.code, row.register, row.point_id))
    for (code, register, point_id), spans in by_register:
        closed, until = {whole.start: issued.get((point_id, register))}, whole.start
        parts: list[Row[Any]] = []
        joined: list[Row[Any]] = []
        for row in spans:
            verified.usages += 1

            def check(
                row: Row[Any] = row, before: str | None = closed.get(row.start)
            ) -> Iterable[Difference]:
                return usage_differences(
                    row.quantity,
                    register=row.register,
                    interval=Interval(row.start, row.end),
                    evidence=read_json(row.evidence),
                    opens_with=None if before is None else usages.closing(before),
                )

            verified.say(f"I3: usage of {code}, {register}", _found(check))
            if row.joined:
                joined.append(row)
                continue
            if row.start != until:
                verified.say(f"I2: {code}, {register}", [f"billed until {until}, then {row.start}"])
            parts.append(row)
            closed[row.end], until = row.evidence, row.end
        if until != whole.end:
            verified.say(f"I2: {code}, {register}", [f"billed until {until} of {part.period}"])
        verified.say(f"I2: {code}, {register}", _unlike_their_parts(joined, parts))


def _unlike_their_parts(joined: Sequence[Row[Any]], parts: Sequence[Row[Any]]) -> Iterator[str]:
    """Yield the joined usages that are not the sum of those that they join."""
    for row in joined:
        whole = sum(
            each.quantity for each in parts if row.start <= each.start and each.end <= row.end
        )
        if whole != row.quantity:
            counted, summed = (plain(from_scaled(each)) for each in (row.quantity, whole))
            yield f"from {row.start} to {row.end} {counted} counted, its parts sum to {summed}"


def _verify_statements(
    connection: Connection,
    counting: Mapping[str, Counting],
    part: CommunityRun,
    known: Referred,
    verified: Verified,
) -> None:
    statement, period = tables.statement, month(connection, part.community_id, part.period)
    before = max((month for month in counting if month < part.period), default=None)
    carried = {} if before is None else papers.carried_on(connection, counting[before].id)
    query = select(statement).where(statement.c.community_run_id == part.id)
    for row in connection.execute(query.order_by(statement.c.id)):
        verified.statements += 1
        pool, shares = known.pool(row.pool_version_id), _shares(connection, row.id)
        where = f"I4: statement of {pool.id}"
        summed = (sum(each.quantity for each in shares), sum(each.amount for each in shares))
        if summed != (row.quantity, row.amount):
            verified.say(where, [f"its shares sum to {summed[1]} fen, its supply is {row.amount}"])

        def check(
            row: Row[Any] = row, pool: Pool = pool, shares: list[Row[Any]] = shares
        ) -> list[Difference]:
            evidence = read_json(row.evidence)
            owed = {unit: each for unit, each in carried.get(pool.id, {}).items() if each}
            if (stated := dict(evidence["carried"])) != owed:
                return [Difference("carried", str(stated), f"{owed}, stated the month before")]
            return recompute_statement(
                Claim(quantity=row.quantity, amount=row.amount),
                [(s.code, Claim(quantity=s.quantity, amount=s.amount)) for s in shares],
                pool=pool,
                tariffs=known.tariff_named,
                period=period,
                evidence=evidence,
            )

        verified.say(where, _found(check))


def _shares(connection: Connection, statement_id: int) -> list[Row[Any]]:
    share, unit = tables.share, tables.unit
    return list(
        connection.execute(
            select(share.c.quantity, share.c.amount, unit.c.code)
            .outerjoin(unit, unit.c.id == share.c.unit_id)
            .where(share.c.statement_id == statement_id)
            .order_by(share.c.position)
        )
    )


def _verify_lines(
    connection: Connection, part: CommunityRun, known: Referred, verified: Verified
) -> None:
    bill = tables.bill
    sums: dict[str, int] = {}
    rated: dict[int | None, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(_lines().where(bill.c.community_run_id == part.id)):
        verified.lines += 1
        sums[row.number] = sums.get(row.number, 0) + row.amount
        if row.reversal:
            verified.say(_place(row), _found(partial(_reversal_differences, row)))
        elif row.statement_id is not None:
            if differences := _stored_share_differences(row):
                verified.say(_place(row), differences)
        else:
            alike = rated[row.tariff_version_id]
            alike.append(row)
            if len(alike) == AT_ONCE:
                _verify_rated(alike, known, verified)
                alike.clear()
    for alike in rated.values():
        _verify_rated(alike, known, verified)
    totals = connection.execute(
        select(bill.c.number, bill.c.total).where(bill.c.community_run_id == part.id)
    ).all()
    for number, total in totals:
        if sums.get(number, 0) != total:
            verified.say(f"bill {number}", [f"claims {total}, its lines {sums.get(number)}"])
    made = f"{len(totals)} bills of {sum(total for _, total in totals)} fen"
    if made != (counted := f"{part.bills} bills of {part.total} fen"):
        verified.say(part.community, [f"its run counts {counted}, there are {made}"])


def _place(row: Row[Any]) -> str:
    return f"I7: bill {row.number}, line {row.position}"


def _verify_rated(rows: list[Row[Any]], known: Referred, verified: Verified) -> None:
    """Recompute lines of one tariff version at once; where one cannot be read, each by itself."""
    if not rows:
        return
    try:
        tariff = known.tariff(rows[0].tariff_version_id)
        found = recompute_charges(tariff, [_rated(row, tariff, known) for row in rows])
    except UNREADABLE:
        for row in rows:
            verified.say(_place(row), _found(partial(_charge_differences, row, known)))
        return
    for row, differences in zip(rows, found, strict=True):
        if differences:
            verified.say(_place(row), differences)


def _verify_digests(connection: Connection, run: Run, verified: Verified) -> None:
    billed = [part for part in run.communities if part.state not in runs.LEFT]
    for part in billed:
        stored = records.community_digest(connection, part.id)
        if part.state == "computed" and stored != part.digest:
            what = f"what is stored gives the digest {stored}, computed was {part.digest}"
            verified.say(f"I6: {part.community}", [what])
    digest = run_digest((part.name, str(part.digest)) for part in billed)
    if run.digest is not None and digest != run.digest:
        verified.say(f"I6: run {run.id}", ["its digest is not that of its communities"])


def _lines() -> Select[Any]:
    bill, line = tables.bill, tables.bill_line
    usage, statement, share = tables.usage, tables.statement, tables.share
    correction, of = tables.correction, tables.bill_line.alias("of_line")
    of_bill = tables.bill.alias("of_bill")
    return (
        select(
            line,
            bill.c.number,
            func.coalesce(correction.c.period, bill.c.period).label("period"),
            bill.c.unit_id,
            correction.c.reversal,
            of.c.charge.label("of_charge"),
            of.c.revenue.label("of_revenue"),
            of.c.quantity.label("of_quantity"),
            of.c.unit.label("of_unit"),
            of.c.amount.label("of_amount"),
            of.c.evidence.label("of_evidence"),
            of_bill.c.number.label("of_number"),
            of.c.position.label("of_position"),
            usage.c.evidence.label("usage_evidence"),
            statement.c.pool_version_id,
            share.c.quantity.label("share_quantity"),
            share.c.amount.label("share_amount"),
            share.c.unit_id.label("share_unit_id"),
            share.c.payer,
        )
        .join(bill, bill.c.id == line.c.bill_id)
        .outerjoin(usage, usage.c.id == line.c.usage_id)
        .outerjoin(statement, statement.c.id == line.c.statement_id)
        .outerjoin(
            share,
            (share.c.statement_id == line.c.statement_id) & (share.c.position == line.c.share),
        )
        .outerjoin(
            correction,
            (correction.c.bill_id == line.c.bill_id) & (correction.c.position == line.c.position),
        )
        .outerjoin(
            of,
            (of.c.bill_id == correction.c.of_bill_id) & (of.c.position == correction.c.of_position),
        )
        .outerjoin(of_bill, of_bill.c.id == of.c.bill_id)
        .order_by(bill.c.id, line.c.position)
    )


def _charge_differences(row: Row[Any], known: Referred) -> list[Difference]:
    tariff = known.tariff(row.tariff_version_id)
    (found,) = recompute_charges(tariff, [_rated(row, tariff, known)])
    return found


def _rated(row: Row[Any], tariff: Tariff, known: Referred) -> Rated:
    claim = Claim(quantity=row.quantity, amount=row.amount)
    counted = known.usages(row, tariff.registers_of(row.charge))
    return Rated(claim, row.charge, read_json(row.evidence), counted)


def _share_differences(row: Row[Any], known: Referred) -> list[Difference]:
    return recompute_share(
        Claim(quantity=row.quantity, amount=row.amount),
        position=row.share,
        pool=known.pool(row.pool_version_id),
        tariffs=known.tariff_named,
        period=known.month(row.unit_id, row.period),
        evidence=known.statement(row.statement_id),
    )


def _reversal_differences(row: Row[Any]) -> list[Difference]:
    """Hold a reversal against the line that it takes back: exactly that, and no more (I5)."""
    claimed = (row.charge, row.revenue, row.quantity, row.unit, row.amount)
    taken = (row.of_charge, row.of_revenue, -row.of_quantity, row.of_unit, -row.of_amount)
    found = [] if claimed == taken else [Difference("reversal", str(claimed), str(taken))]
    stated = read_json(row.evidence)
    meant = taking_back(read_json(row.of_evidence), bill=row.of_number, line=row.of_position)
    if stated != meant:
        found.append(Difference("what it takes back", str(stated), str(meant)))
    return found


def _stored_share_differences(row: Row[Any]) -> list[Difference]:
    """Hold a shared line against its share; the shares are recomputed with their statement."""
    claimed = (row.quantity, row.amount, row.unit_id, Payer.OWNER)
    stored = (row.share_quantity, row.share_amount, row.share_unit_id, row.payer)
    return [] if claimed == stored else [Difference("share", str(claimed), str(stored))]
