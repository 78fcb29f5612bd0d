"""The outbox: what has happened is written in the transaction that makes it happen.

`tell` and `bills_issued` are called where those transactions are. `spread` makes of each event the
deliveries of whoever hears of it, later, in a transaction of its own. Keys make both once: an event
by its key, a delivery by event, channel and target, whoever comes at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, exists, select
from sqlalchemy.dialects import postgresql, sqlite

from billing import tables
from billing.canonical import canonical_json, read_json
from billing.delivery.event import Event, Kind
from billing.delivery_tables import contact, contact_account, delivery, event, webhook
from billing.money import from_fen
from billing.store.bulk import insert_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Row

CONTACT = "contact:"
AT_ONCE = 500
"""Events that are spread in one transaction."""


@dataclass(frozen=True, slots=True)
class Hearer:
    """Who hears of which events over which channel, of those that happen from `since` on.

    `webhook_id`: None for anything else. `project`: the code of whose events only, None for all.
    """

    channel: str
    target: str
    kinds: frozenset[str]
    since: datetime | None = None
    webhook_id: int | None = None
    project: str | None = None

    def hears(self, kind: str, at: datetime, project: str) -> bool:
        return (
            kind in self.kinds
            and (self.since is None or at >= self.since)
            and self.project in (None, project)
        )


def tell(connection: Connection, *told: Event) -> None:
    """Write what has happened, in the transaction in which it does.

    What was told already is told no second time.
    """
    values = [
        {
            "key": each.key,
            "kind": each.kind.value,
            "subject": each.subject,
            "community_id": each.community_id,
            "account_id": each.account_id,
            "at": each.at,
            "data": canonical_json(dict(each.data)),
        }
        for each in told
    ]
    connection.execute(_unless_there(connection.dialect.name, event), values)


def bills_issued(connection: Connection, community_run_id: int, *, at: datetime) -> None:
    """Write of every bill of a community's run that it is issued; a month billed anew corrects."""
    bill, part = tables.bill, tables.community_run
    account, unit, community = tables.account, tables.unit, tables.community
    revision = connection.execute(
        select(part.c.revision).where(part.c.id == community_run_id)
    ).scalar_one()
    kind = Kind.CORRECTION_ISSUED if revision else Kind.BILL_ISSUED
    rows = connection.execute(
        select(
            *(bill.c.number, bill.c.account_id, bill.c.period, bill.c.total, bill.c.currency),
            *(bill.c.issued_on, bill.c.due_on, account.c.code.label("account")),
            *(unit.c.code.label("unit"), community.c.code.label("community"), community.c.id),
        )
        .join(account, account.c.id == bill.c.account_id)
        .join(unit, unit.c.id == bill.c.unit_id)
        .join(community, community.c.id == account.c.community_id)
        .where(bill.c.community_run_id == community_run_id)
        .order_by(bill.c.number)
    ).all()
    insert_columns(
        connection,
        event,
        {
            "key": [f"{kind}:{row.number}" for row in rows],
            "kind": [kind.value] * len(rows),
            "subject": [row.number for row in rows],
            "community_id": [row.id for row in rows],
            "account_id": [row.account_id for row in rows],
            "at": [at] * len(rows),
            "data": [canonical_json(_bill_data(row)) for row in rows],
        },
    )


def _bill_data(row: Any) -> dict[str, Any]:
    return {
        "bill": row.number,
        "community": row.community,
        "account": row.account,
        "unit": row.unit,
        "period": row.period,
        "total": str(from_fen(row.total)),
        "currency": row.currency,
        "issued_on": row.issued_on.isoformat(),
        "due_on": row.due_on.isoformat(),
    }


def is_anything_to_spread(connection: Connection) -> bool:
    """Return whether an event waits for its deliveries to be made."""
    return bool(connection.scalar(select(exists().where(event.c.spread_at.is_(None)))))


def spread(connection: Connection, groups: Sequence[Hearer], *, now: datetime) -> int:
    """Make the deliveries of the oldest events that have none yet; return how many events.

    Webhooks hear of what they asked for; `groups` are those of the settings. On PostgreSQL two
    processes take different events, on SQLite one waits for the other.
    """
    community, project = tables.community, tables.project
    query = (
        select(event, project.c.code.label("project"))
        .join(community, community.c.id == event.c.community_id)
        .join(project, project.c.id == community.c.project_id)
        .where(event.c.spread_at.is_(None))
        .order_by(event.c.id)
        .limit(AT_ONCE)
    )
    rows = connection.execute(query.with_for_update(skip_locked=True, of=event)).all()
    if not rows:
        return 0
    everybody = [*_webhooks(connection), *groups]
    people = _people(connection, {row.account_id for row in rows if row.account_id is not None})
    made = [
        {
            "event_id": row.id,
            "channel": hearer.channel,
            "target": hearer.target,
            "webhook_id": hearer.webhook_id,
            "state": "waiting",
            "tries": 0,
            "next_at": now,
        }
        for row in rows
        for hearer in _hearers(row, everybody, people)
    ]
    if made:
        connection.execute(_unless_there(connection.dialect.name, delivery).values(made))
    ids = [row.id for row in rows]
    connection.execute(event.update().where(event.c.id.in_(ids)).values(spread_at=now))
    return len(rows)


def _hearers(
    row: Row[Any], everybody: Sequence[Hearer], people: Mapping[int, Sequence[Hearer]]
) -> list[Hearer]:
    """Return who hears of an event: of an address that is to be confirmed, that alone."""
    if row.kind == Kind.ADDRESS_STATED:
        data = read_json(row.data)
        return [Hearer(data["channel"], f"{CONTACT}{data['contact']}", frozenset())]
    known = [*everybody, *people.get(row.account_id, ())]
    return [each for each in known if each.hears(row.kind, row.at, row.project)]


def _people(connection: Connection, accounts: Collection[int]) -> dict[int, list[Hearer]]:
    """Return who hears of what happens to each account, at addresses that are confirmed."""
    rows = connection.execute(
        select(contact, contact_account.c.account_id)
        .join(contact_account, contact_account.c.contact_id == contact.c.id)
        .where(contact_account.c.account_id.in_(accounts), contact.c.confirmed_at.is_not(None))
        .order_by(contact.c.id)
    )
    found: dict[int, list[Hearer]] = {}
    for row in rows:
        kinds = frozenset(read_json(row.kinds))
        hearer = Hearer(row.channel, f"{CONTACT}{row.id}", kinds, row.confirmed_at)
        found.setdefault(row.account_id, []).append(hearer)
    return found


def _webhooks(connection: Connection) -> Iterable[Hearer]:
    project = tables.project
    query = (
        select(webhook, project.c.code.label("project"))
        .join(project, project.c.id == webhook.c.project_id)
        .where(webhook.c.state == "on")
    )
    for row in connection.execute(query):
        kinds = frozenset(read_json(row.kinds))
        target = f"webhook:{row.id}"
        yield Hearer("webhook", target, kinds, row.created_at, row.id, row.project)


@cache
def _unless_there(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    insert = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    return insert.on_conflict_do_nothing()
