"""What a run made of a community, as records without ids: what its digest is taken of.

A record is a line of text: its fields, divided by a control character that no code, name or JSON
text holds. What is about to be stored and what the database holds give the same records, so the
same question asked later shows whether a byte has changed. Ids of the database and the times of
people's actions do not count; readings with their raw words, statements with every share, and bills
with every line do. What a record refers to, it names by code, digest, or place in the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Integer, Select, Text, cast, func, literal, select, type_coerce
from sqlalchemy.dialects.postgresql import aggregate_order_by

from billing import digest, tables
from billing.store.bulk import select_texts

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

Columns = Mapping[str, Sequence[Any]]

PLACES = 10**6
"""A community run holds at most this many bills, usages and statements each."""
FIELD = "\x1f"

_TIME = "%Y-%m-%d %H:%M:%S.%f"
_TIME_SQL = "YYYY-MM-DD HH24:MI:SS.US"


def usages(columns: Columns, points: Mapping[int, str]) -> str:
    """Return the digest of the records of usages; `points`: codes by id."""
    return _digest(
        [points[each] for each in columns["point_id"]],
        columns["register"],
        _times(columns["start"]),
        _times(columns["end"]),
        *(columns[name] for name in ("quantity", "unit", "evidence")),
    )


def statements(
    columns: Columns, pools: Mapping[int, tuple[str, str]], tariffs: Mapping[int, str]
) -> str:
    """Return the digest of statements; `pools`: code and digest by id, `tariffs`: digests."""
    return _digest(
        [pools[each][0] for each in columns["pool_version_id"]],
        [pools[each][1] for each in columns["pool_version_id"]],
        [None if each is None else tariffs[each] for each in columns["tariff_version_id"]],
        *(columns[name] for name in ("quantity", "unit", "amount", "keys", "evidence")),
    )


def shares(columns: Columns, units: Mapping[int, str], base: int) -> str:
    """Return the digest of shares; `units`: codes by id; statements' ids count from `base`."""
    names = ("key", "rest_key", "quantity", "amount", "odd_quantity", "odd_amount", "carried")
    return _digest(
        [each - base for each in columns["statement_id"]],
        columns["position"],
        [None if each is None else units[each] for each in columns["unit_id"]],
        columns["payer"],
        [int(each) for each in columns["vacant"]],
        *(columns[name] for name in names),
    )


def bills(
    columns: Columns, accounts: Mapping[int, str], units: Mapping[int, str], base: int
) -> str:
    """Return the digest of bills; `accounts` and `units`: codes by id."""
    return _digest(
        [each - base for each in columns["id"]],
        columns["number"],
        columns["period"],
        [accounts[each] for each in columns["account_id"]],
        [units[each] for each in columns["unit_id"]],
        columns["total"],
        columns["currency"],
    )


def lines(columns: Columns, tariffs: Mapping[int, str], base: int) -> str:
    """Return the digest of lines; `tariffs`: digests by id."""
    names = ("position", "charge", "revenue", "quantity", "unit", "amount")
    return _digest(
        [each - base for each in columns["bill_id"]],
        *(columns[name] for name in names),
        [None if each is None else tariffs[each] for each in columns["tariff_version_id"]],
        [None if each is None else each % PLACES for each in columns["usage_id"]],
        [None if each is None else each % PLACES for each in columns["statement_id"]],
        columns["share"],
        columns["evidence"],
    )


def community_digest(connection: Connection, community_run_id: int) -> str:
    """Return the digest over all that the database holds of a community's run, as hex."""
    base = community_run_id * PLACES
    share, line, correction = tables.share.c, tables.bill_line.c, tables.correction.c
    kinds = {
        "usage": (_usages(connection), (tables.usage.c.id,)),
        "statement": (_statements(), (tables.statement.c.id,)),
        "share": (_shares(base), (share.statement_id, share.position)),
        "bill": (_bills(base), (tables.bill.c.id,)),
        "line": (_lines(base), (line.bill_id, line.position)),
        "correction": (_corrections(base), (correction.bill_id, correction.position)),
    }
    return digest.community_digest(
        {
            kind: _stored(
                connection, fields.where(place[0] > base, place[0] < base + PLACES), place
            )
            for kind, (fields, place) in kinds.items()
        }
    )


def _digest(*fields: Sequence[Any]) -> str:
    form = FIELD.join(["%s"] * len(fields))
    return digest.records_digest(map(form.__mod__, zip(*map(_texts, fields), strict=True)))


def _texts(values: Sequence[Any]) -> Sequence[Any]:
    """Return `values` with what is written for them as text: nothing where there is none."""
    return ["" if value is None else value for value in values] if None in values else values


def _times(values: Sequence[datetime]) -> list[str]:
    made = {value: value.astimezone(UTC).strftime(_TIME) for value in set(values)}
    return [made[value] for value in values]


def _stored(
    connection: Connection, fields: Select[Any], place: tuple[ColumnElement[int], ...]
) -> str:
    """Return the digest of the records that `fields` are selected for, in the order of `place`.

    The database makes the records, PostgreSQL the digest too: to fetch a million lines would take
    longer.
    """
    if connection.dialect.name != "postgresql":
        form = FIELD.join(["%s"] * len(fields.selected_columns))  # of nothing it writes nothing
        written = func.printf(form, *fields.selected_columns)
        query = fields.with_only_columns(written).order_by(*place)
        return digest.records_digest(select_texts(connection, query))
    texts: list[ColumnElement[str]] = [
        func.coalesce(cast(each, Text), "") for each in fields.selected_columns
    ]
    record = reduce(lambda one, other: one + FIELD + other, texts)
    whole = func.coalesce(func.string_agg(record, aggregate_order_by(literal("\n"), *place)), "")
    hashed = func.encode(func.sha256(func.convert_to(whole, "UTF8")), "hex")
    return str(connection.scalar(fields.with_only_columns(hashed)))


def _time(connection: Connection, column: ColumnElement[datetime]) -> ColumnElement[str]:
    if connection.dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", column), _TIME_SQL)
    return type_coerce(column, Text)


def _usages(connection: Connection) -> Select[Any]:
    usage, point = tables.usage, tables.point
    return select(
        point.c.code,
        usage.c.register,
        _time(connection, usage.c.start),
        _time(connection, usage.c.end),
        usage.c.quantity,
        usage.c.unit,
        usage.c.evidence,
    ).join(point, point.c.id == usage.c.point_id)


def _statements() -> Select[Any]:
    statement, pool, tariff = tables.statement, tables.pool_version, tables.tariff_version
    return (
        select(
            pool.c.code,
            pool.c.digest,
            tariff.c.digest,
            statement.c.quantity,
            statement.c.unit,
            statement.c.amount,
            statement.c["keys"],
            statement.c.evidence,
        )
        .join(pool, pool.c.id == statement.c.pool_version_id)
        .outerjoin(tariff, tariff.c.id == statement.c.tariff_version_id)
    )


def _shares(base: int) -> Select[Any]:
    share, unit = tables.share, tables.unit
    return select(
        share.c.statement_id - base,
        share.c.position,
        unit.c.code,
        share.c.payer,
        cast(share.c.vacant, Integer),
        share.c.key,
        share.c.rest_key,
        share.c.quantity,
        share.c.amount,
        share.c.odd_quantity,
        share.c.odd_amount,
        share.c.carried,
    ).outerjoin(unit, unit.c.id == share.c.unit_id)


def _bills(base: int) -> Select[Any]:
    bill, account, unit = tables.bill, tables.account, tables.unit
    return (
        select(
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
    )


def _lines(base: int) -> Select[Any]:
    line, tariff = tables.bill_line, tables.tariff_version
    return select(
        line.c.bill_id - base,
        line.c.position,
        line.c.charge,
        line.c.revenue,
        line.c.quantity,
        line.c.unit,
        line.c.amount,
        tariff.c.digest,
        line.c.usage_id % PLACES,
        line.c.statement_id % PLACES,
        line.c.share,
        line.c.evidence,
    ).outerjoin(tariff, tariff.c.id == line.c.tariff_version_id)


def _corrections(base: int) -> Select[Any]:
    """Select which months lines correct, and what they reverse or replace there."""
    correction, of = tables.correction, tables.bill.alias("of_bill")
    return select(
        correction.c.bill_id - base,
        correction.c.position,
        correction.c.period,
        cast(correction.c.reversal, Integer),
        of.c.number,
        correction.c.of_position,
    ).outerjoin(of, of.c.id == correction.c.of_bill_id)
