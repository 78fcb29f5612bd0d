"""Corrections in the database: the lines that count of an issued month, and those that correct it.

A line counts that nothing issued has reversed. It stands on a bill of its own month, or on one that
corrects that month: then `correction` says which month it is of, and which line it reverses or
replaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Connection, Select, and_, case, cast, exists, func, select

from billing import tables
from billing.canonical import evidence_json, read_json
from billing.correction import BilledLine, taking_back
from billing.registry import Account
from billing.store.bulk import insert_rows
from billing.store.records import PLACES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement

    from billing.correction import Correction, NewLine
    from billing.run import Computed

_LINE = (
    *("bill_id", "position", "charge", "revenue", "quantity", "unit", "amount"),
    *("tariff_version_id", "usage_id", "statement_id", "share", "evidence"),
)


class Places:
    """Where the usages and statements of a month are stored that a run has computed anew."""

    def __init__(self, community_run_id: int, computed: Computed) -> None:
        base = community_run_id * PLACES
        self._usages = {key: base + at for at, key in enumerate(computed.usages, start=1)}
        self._statements = {
            each.statement.pool: base + at for at, each in enumerate(computed.statements, start=1)
        }

    def ids(self, new: NewLine) -> tuple[int | None, int | None, int | None]:
        """Return what a new line rests on: its usage, its statement, and its share of that."""
        usage, share = new.line.usage, new.line.share
        return (
            None if usage is None else self._usages[usage],
            None if share is None else self._statements[share[0]],
            None if share is None else share[1],
        )


def counting(connection: Connection, community_id: int, period: str) -> list[BilledLine]:
    """Return the lines that count of `period`, in the order of their bills."""
    bill, correction = tables.bill, tables.correction
    own = _lines(community_id).where(bill.c.period == period, correction.c.bill_id.is_(None))
    corrected = _lines(community_id).where(correction.c.period == period, ~correction.c.reversal)
    rows = [*connection.execute(own), *connection.execute(corrected)]
    return [
        BilledLine(
            **{key: value for key, value in row._asdict().items() if not key.startswith("held_")},
            account=Account(row.held_id, row.held_code, row.held_holder),
        )
        for row in sorted(rows, key=lambda row: (row.bill_id, row.position))
    ]


def amounts(connection: Connection, community_id: int, period: str) -> dict[tuple[str, str], int]:
    """Return what counts of `period`, in fen, by unit and charge."""
    counted, unit = counting_amounts([community_id], period).subquery(), tables.unit
    query = select(unit.c.code, counted.c.charge, counted.c.amount).join(
        unit, unit.c.id == counted.c.unit_id
    )
    return {(code, charge): amount for code, charge, amount in connection.execute(query)}


def counting_amounts(
    community_ids: Collection[int],
    period: str,
    unit_ids: Collection[int] | Select[Any] | None = None,
) -> Select[Any]:
    """Return the query for what counts of `period`, in fen, by unit and charge.

    Reversals take theirs back. With `unit_ids` of those alone.
    """
    bill, correction = tables.bill, tables.correction
    part, run = tables.community_run, tables.bill_run
    counts = case((correction.c.reversal, -1), else_=1)
    return (
        amounts_by_charge(unit_ids)
        .join(part, part.c.id == bill.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .where(
            part.c.community_id.in_(community_ids),
            part.c.period >= period,
            run.c.state == "issued",
            func.coalesce(correction.c.period, bill.c.period) == period,
        )
        .having(func.sum(counts) > 0)
    )


def amounts_by_charge(unit_ids: Collection[int] | Select[Any] | None = None) -> Select[Any]:
    """Return the query for what lines come to, in fen, by unit and charge.

    Each line stands beside its correction, if it is of one. With `unit_ids` of those units alone.
    """
    line, bill, correction = tables.bill_line, tables.bill, tables.correction
    query = (
        select(
            bill.c.unit_id,
            line.c.charge,
            cast(func.sum(line.c.amount), BigInteger).label("amount"),
        )
        .join(bill, bill.c.id == line.c.bill_id)
        .outerjoin(correction, of_line())
        .group_by(bill.c.unit_id, line.c.charge)
    )
    return query if unit_ids is None else query.where(bill.c.unit_id.in_(unit_ids))


def numbered(connection: Connection, community_id: int, period: str) -> int:
    """Return how many bills of `period` are issued: the next one takes the next number."""
    bill, part, run = tables.bill, tables.community_run, tables.bill_run
    query = (
        select(func.count())
        .select_from(bill)
        .join(part, part.c.id == bill.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .where(
            part.c.community_id == community_id, bill.c.period == period, run.c.state == "issued"
        )
    )
    return int(connection.execute(query).scalar_one())


def add_lines(
    connection: Connection,
    bill_id: int,
    after: int,
    corrections: Sequence[Correction],
    places: Mapping[str, Places],
) -> int:
    """Put the lines of `corrections` on a bill that has `after` lines; return what they come to.

    `places` by month. Reversals come first, each month by itself, then what is owed instead.
    """
    lines: list[tuple[Any, ...]] = []
    references: list[tuple[Any, ...]] = []
    for correction in corrections:
        for values, of, reversal in _values(correction, places[correction.period]):
            position = after + len(lines) + 1
            lines.append((bill_id, position, *values))
            of_line = (None, None) if of is None else (of.bill_id, of.position)
            references.append((bill_id, position, correction.period, reversal, *of_line))
    insert_rows(connection, tables.bill_line, _LINE, lines)
    columns = ("bill_id", "position", "period", "reversal", "of_bill_id", "of_position")
    insert_rows(connection, tables.correction, columns, references)
    return sum(each.total for each in corrections)


def _values(
    correction: Correction, places: Places
) -> Iterator[tuple[tuple[Any, ...], BilledLine | None, bool]]:
    """Yield the values of each line but its place, the line it refers to, and whether it reverses.

    A reversal rests on what the line rests on that it reverses.
    """
    for each in correction.reversed:
        evidence = taking_back(read_json(each.evidence), bill=each.number, line=each.position)
        yield (
            (
                *(each.charge, each.revenue, -each.quantity, each.unit_of, -each.amount),
                *(each.tariff_version_id, each.usage_id, each.statement_id, each.share),
                evidence_json(evidence),
            ),
            each,
            True,
        )
    for new in correction.new:
        line = new.line
        yield (
            (
                *(line.charge, line.revenue, line.quantity, line.unit, line.amount),
                *(line.tariff_version_id, *places.ids(new)),
                line.evidence,
            ),
            new.of,
            False,
        )


def _lines(community_id: int) -> Select[Any]:
    line, bill, correction = tables.bill_line, tables.bill, tables.correction
    part, run = tables.community_run, tables.bill_run
    unit, account = tables.unit, tables.account
    return (
        select(
            *(line.c.bill_id, bill.c.number, line.c.position, unit.c.code.label("unit")),
            *(line.c.charge, line.c.revenue, line.c.quantity, line.c.unit.label("unit_of")),
            *(line.c.amount, line.c.tariff_version_id, line.c.usage_id, line.c.statement_id),
            *(line.c.share, line.c.evidence),
            account.c.id.label("held_id"),
            account.c.code.label("held_code"),
            account.c.holder.label("held_holder"),
        )
        .join(bill, bill.c.id == line.c.bill_id)
        .join(part, part.c.id == bill.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .join(unit, unit.c.id == bill.c.unit_id)
        .join(account, account.c.id == bill.c.account_id)
        .outerjoin(correction, of_line())
        .where(
            part.c.community_id == community_id,
            run.c.state == "issued",
            ~exists(_reversal_of_a_line()),
        )
    )


def of_line() -> ColumnElement[bool]:
    """Return which correction says of what month a line is."""
    line, correction = tables.bill_line, tables.correction
    return and_(correction.c.bill_id == line.c.bill_id, correction.c.position == line.c.position)


def _reversal_of_a_line() -> Select[Any]:
    reversal, bill = tables.correction.alias("reversal"), tables.bill.alias("reversing")
    part = tables.community_run.alias("reversing_part")
    run = tables.bill_run.alias("reversing_run")
    line = tables.bill_line
    return (
        select(reversal.c.bill_id)
        .join(bill, bill.c.id == reversal.c.bill_id)
        .join(part, part.c.id == bill.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .where(
            reversal.c.reversal,
            reversal.c.of_bill_id == line.c.bill_id,
            reversal.c.of_position == line.c.position,
            run.c.state == "issued",
        )
        .correlate(line)
    )
