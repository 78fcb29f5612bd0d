"""Billed usage in the database: what opens the next period, and what each month has used."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import JSON, Connection, cast, func, select

from billing import tables
from billing.canonical import read_json
from billing.evidence import read_register
from billing.registry import Issued
from billing.store import runs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import ColumnElement

    from billing.store.runs import Counting
    from meters.interval import Period
    from meters.register_at import RegisterAt


def issued_before(
    connection: Connection, community_id: int, period: Period
) -> dict[tuple[int, str], Issued]:
    """Return what issued bills say before `period`, by point id and register name."""
    parts = runs.counting(connection, community_id, before=period.key)
    texts = _ending(connection, parts, period, _closing(connection))
    closings = {key: read_register(read_json(text)) for key, text in texts.items()}
    used = _by_month(connection, parts, period)
    this_year = period.earlier_months(12)
    found = {}
    for key in closings.keys() | used.keys():
        months = used.get(key, {})
        found[key] = Issued(
            closings.get(key),
            by_month={month: use for month, use in months.items() if month in this_year},
            last_year={month: use for month, use in months.items() if month not in this_year},
        )
    return found


def closings_before(
    connection: Connection, parts: Mapping[str, Counting], period: Period
) -> dict[tuple[int, str], str]:
    """Return the evidence of usage that ends where `period` starts, by the same key.

    `parts`: what counts of each month.
    """
    return _ending(connection, parts, period, tables.usage.c.evidence)


def beside(
    connection: Connection, usage_id: int, registers: Collection[str]
) -> dict[str, tuple[int, str]]:
    """Return id and evidence of what `registers` counted where and when a usage did, in order.

    A line that counts several registers names the usage of the first; this finds them all.
    """
    usage, one = tables.usage, tables.usage.alias("one")
    rows = connection.execute(
        select(usage.c.register, usage.c.id, usage.c.evidence)
        .join(
            one,
            (one.c.community_run_id == usage.c.community_run_id)
            & (one.c.point_id == usage.c.point_id)
            & (one.c.start == usage.c.start)
            & (one.c.end == usage.c.end),
        )
        .where(one.c.id == usage_id, usage.c.register.in_(registers))
        .order_by(usage.c.register)
    )
    return {register: (found, text) for register, found, text in rows}


def closing(evidence: str) -> RegisterAt:
    """Return the register that a usage closed with, from its evidence."""
    return read_register(read_json(evidence)["segments"][-1]["closing"])


def _ending(
    connection: Connection,
    parts: Mapping[str, Counting],
    period: Period,
    what: ColumnElement[str],
) -> dict[tuple[int, str], str]:
    """Return `what` the usage says that ends where `period` starts, by point id and register."""
    before = parts.get(period.previous.key)
    if before is None:
        return {}
    usage = tables.usage
    rows = connection.execute(
        select(usage.c.point_id, usage.c.register, what).where(
            usage.c.community_run_id == before.id,
            usage.c.end == period.interval.start,
            usage.c.joined.is_(False),
        )
    ).all()
    return {(point_id, register): text for point_id, register, text in rows}


def _closing(connection: Connection) -> ColumnElement[str]:
    """Return the register that a usage closed with, in its evidence: the database finds it."""
    evidence = tables.usage.c.evidence
    if connection.dialect.name == "postgresql":
        return func.json_extract_path_text(cast(evidence, JSON), "segments", "-1", "closing")
    return func.json_extract(evidence, "$.segments[#-1].closing")


def _by_month(
    connection: Connection, parts: Mapping[str, Counting], period: Period
) -> dict[tuple[int, str], dict[str, int]]:
    """Return what was billed in each of the twelve months before, 10⁻⁴ units."""
    since = period.first.replace(year=period.first.year - 1).strftime("%Y-%m")
    months = {part.id: month for month, part in sorted(parts.items()) if since <= month}
    usage = tables.usage
    rows = connection.execute(
        select(
            usage.c.community_run_id,
            usage.c.point_id,
            usage.c.register,
            func.sum(usage.c.quantity),
        )
        .where(usage.c.community_run_id.in_(months), usage.c.joined.is_(False))
        .group_by(usage.c.community_run_id, usage.c.point_id, usage.c.register)
    ).all()
    found: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for part_id, point_id, register, total in sorted(rows, key=lambda row: months[row[0]]):
        found[point_id, register][months[part_id]] = int(total)
    return found
