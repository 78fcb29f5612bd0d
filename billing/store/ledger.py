"""The double-entry journal in the database: every entry sums to zero, nothing is ever edited.

Each entry counts on a local day of its community. A day that is closed takes no entry any more, so
what comes late counts on the next open day; the database holds that too.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, bindparam, func, select

from billing import tables
from billing.payment_tables import day_close
from billing.store.bulk import insert_rows
from meters.interval import utc

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date, datetime

    from sqlalchemy import BindParameter, Select

    from billing.ledger import Entry


def post(
    connection: Connection,
    community_id: int,
    entries: Iterable[Entry],
    *,
    at: datetime,
    day: date | None = None,
) -> date:
    """Add `entries` to the journal and return the day that they count on.

    That is the local day of `at`, or `day`; the next open one where it is closed. A reference that
    was posted before is refused.
    """
    return post_all(connection, {community_id: [*entries]}, at=at, day=day)[community_id]


def post_all(
    connection: Connection,
    entries: Mapping[int, Sequence[Entry]],
    *,
    at: datetime,
    day: date | None = None,
) -> dict[int, date]:
    """Add the `entries` of several communities, by community; return the day of each likewise."""
    days = _open_days(connection, entries.keys(), at, day)
    insert_rows(
        connection,
        tables.journal_entry,
        ("reference", "community_id", "posted_at", "day"),
        [
            (each.reference, community_id, at, days[community_id])
            for community_id, of_community in entries.items()
            for each in of_community
        ],
    )
    insert_rows(
        connection,
        tables.posting,
        ("reference", "position", "ledger_account", "account_id", "amount"),
        [
            (each.reference, position, it.ledger_account, it.account_id, it.amount)
            for of_community in entries.values()
            for each in of_community
            for position, it in enumerate(each.postings, start=1)
        ],
    )
    return days


def closed_through(connection: Connection, community_id: int) -> date | None:
    """Return the last day of a community that is closed, None where none is."""
    return _closed_through(connection, [community_id]).get(community_id)


def _closed_through(connection: Connection, communities: Collection[int]) -> dict[int, date]:
    rows = connection.execute(_last_closed(), {"communities": list(communities)})
    return {row.community_id: row.day for row in rows}


@cache
def _last_closed() -> Select[Any]:
    table = day_close
    query = select(table.c.community_id, func.max(table.c.day).label("day"))
    return query.where(table.c.community_id.in_(_communities())).group_by(table.c.community_id)


def trial_balance(
    connection: Connection, community_id: int | None = None, *, through: date | None = None
) -> dict[str, int]:
    """Return the balance of each ledger account in fen; the balances sum to zero (I8).

    `through`: of the entries until that day, that day included.
    """
    posting, entry = tables.posting, tables.journal_entry
    query = select(posting.c.ledger_account, func.sum(posting.c.amount)).group_by(
        posting.c.ledger_account
    )
    if community_id is not None or through is not None:
        query = query.join(entry, entry.c.reference == posting.c.reference)
    if community_id is not None:
        query = query.where(entry.c.community_id == community_id)
    if through is not None:
        query = query.where(entry.c.day <= through)
    return {name: int(amount) for name, amount in connection.execute(query)}


def _open_days(
    connection: Connection, communities: Collection[int], at: datetime, day: date | None
) -> dict[int, date]:
    """Return the day that entries count on, by community; keep others from closing it meanwhile."""
    zones = connection.execute(_zones_locked(), {"communities": list(communities)}).all()
    closed = _closed_through(connection, communities)
    days = {}
    for community_id, zone in zones:
        wanted = utc(at).astimezone(ZoneInfo(zone)).date() if day is None else day
        last = closed.get(community_id)
        days[community_id] = wanted if last is None else max(wanted, last + timedelta(days=1))
    return days


@cache
def _zones_locked() -> Select[Any]:
    table = tables.community
    query = select(table.c.id, table.c.zone).where(table.c.id.in_(_communities()))
    return query.order_by(table.c.id).with_for_update(read=True)


def _communities() -> BindParameter[Sequence[int]]:
    return bindparam("communities", expanding=True)
