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
    from collections.abc import Iterable
    from datetime import date, datetime

    from sqlalchemy import Select

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
    entries = list(entries)
    counts_on = _open_day(connection, community_id, at, day)
    insert_rows(
        connection,
        tables.journal_entry,
        ("reference", "community_id", "posted_at", "day"),
        [(each.reference, community_id, at, counts_on) for each in entries],
    )
    insert_rows(
        connection,
        tables.posting,
        ("reference", "position", "ledger_account", "account_id", "amount"),
        [
            (each.reference, position, it.ledger_account, it.account_id, it.amount)
            for each in entries
            for position, it in enumerate(each.postings, start=1)
        ],
    )
    return counts_on


def closed_through(connection: Connection, community_id: int) -> date | None:
    """Return the last day of a community that is closed, None where none is."""
    day: date | None = connection.scalar(_last_closed(), {"community": community_id})
    return day


@cache
def _last_closed() -> Select[Any]:
    of_community = day_close.c.community_id == bindparam("community")
    return select(func.max(day_close.c.day)).where(of_community)


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


def _open_day(connection: Connection, community_id: int, at: datetime, day: date | None) -> date:
    """Return the day that an entry counts on, and keep others from closing it meanwhile."""
    zone = connection.execute(_zone_locked(), {"community": community_id}).scalar_one()
    wanted = utc(at).astimezone(ZoneInfo(zone)).date() if day is None else day
    closed = closed_through(connection, community_id)
    return wanted if closed is None else max(wanted, closed + timedelta(days=1))


@cache
def _zone_locked() -> Select[Any]:
    table = tables.community
    query = select(table.c.zone).where(table.c.id == bindparam("community"))
    return query.with_for_update(read=True)
