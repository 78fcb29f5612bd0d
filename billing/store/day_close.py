"""Close the days of a community: what a closed day holds is final, what comes late counts later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from billing import tables
from billing.canonical import canonical_json, read_json
from billing.money import from_fen
from billing.payment_tables import day_close
from billing.store import audit, ledger, registry
from meters.interval import utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from sqlalchemy import Row


class DayError(ValueError):
    """A day cannot be closed; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A closed day. `entries`: how many count since the close before; `balance`: through it."""

    day: date
    entries: int
    balance: Mapping[str, int]
    closed_by: str
    closed_at: datetime


def close(
    connection: Connection, community: str, day: date, *, actor: str, now: datetime
) -> Closed:
    """Close `day` of a community, and all open days before it.

    Raises `DayError` for a day that has not begun or is closed, and `UnknownCommunityError`.
    """
    known = registry.community_ids(connection)
    if community not in known:
        raise registry.UnknownCommunityError(f"there is no community {community!r}")
    community_id = known[community]
    registry.lock(connection, [community_id])
    before = ledger.closed_through(connection, community_id)
    zone = connection.scalar(
        select(tables.community.c.zone).where(tables.community.c.id == community_id)
    )
    today = utc(now).astimezone(ZoneInfo(str(zone))).date()
    if day > today:
        raise DayError(f"{day} has not begun; close it when it is over")
    if before is not None and day <= before:
        raise DayError(f"{community} is closed through {before} already")
    balance = ledger.trial_balance(connection, community_id, through=day)
    if difference := sum(balance.values()):
        raise DayError(f"the trial balance is off by {difference} fen; it is not closed like that")
    values = {
        "community_id": community_id,
        "day": day,
        "entries": _entries(connection, community_id, before, day),
        "balance": canonical_json(balance),
        "closed_by": actor,
        "closed_at": now,
    }
    connection.execute(day_close.insert().values(**values))
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="day.close",
        subject=f"community:{community}",
        communities=[known[community]],
        detail={
            "day": day.isoformat(),
            "entries": values["entries"],
            "balance": {name: str(from_fen(amount)) for name, amount in sorted(balance.items())},
        },
    )
    return closed_days(connection, community_id)[0]


def closed_days(connection: Connection, community_id: int) -> list[Closed]:
    """Return the closes of a community, the last one first."""
    table = day_close
    query = select(table).where(table.c.community_id == community_id)
    return [_closed(row) for row in connection.execute(query.order_by(table.c.day.desc()))]


def _entries(connection: Connection, community_id: int, before: date | None, day: date) -> int:
    entry = tables.journal_entry
    query = select(func.count()).where(entry.c.community_id == community_id, entry.c.day <= day)
    if before is not None:
        query = query.where(entry.c.day > before)
    return int(connection.execute(query).scalar_one())


def _closed(row: Row[Any]) -> Closed:
    return Closed(
        day=row.day,
        entries=row.entries,
        balance=read_json(row.balance),
        closed_by=row.closed_by,
        closed_at=row.closed_at,
    )
