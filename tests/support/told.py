"""What people and programs are told of the small community, without a network."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from billing.delivery.dispatching import Dispatcher
from billing.delivery.event import Event, Kind
from billing.delivery.schedule import Result, Said
from billing.delivery_tables import event
from billing.sealing import Seal
from billing.store import delivery_outbox, delivery_webhooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from billing.database import Database
    from billing.delivery.event import Kind as Kinds
    from billing.store.delivery_queue import Leased
    from billing.store.delivery_webhooks import Webhook

NOW = datetime(2026, 12, 4, 2, 0, tzinfo=UTC)
SEAL = Seal(["k" * 40])
URL = "https://hooks.example.com/bills"


@dataclass
class Noting:
    """A sender that keeps what it was to send, and says what became of it as it is told."""

    channel: str = "webhook"
    repeatable: bool = True
    says: list[Result] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)

    def prepare(self, _: Connection, leased: Leased) -> Callable[[datetime], Result]:
        def send(_: datetime) -> Result:
            self.sent.append((leased.subject, leased.message_id))
            return self.says.pop(0) if self.says else Result(Said.SENT, 200)

        return send


@dataclass
class Clock:
    """What time it is."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **length: int) -> None:
        self.now += timedelta(**length)


def body_told(database: Database, kind: Kinds) -> dict[str, Any]:
    """Return what a webhook says of the first event of `kind`."""
    query = select(event.c.at, event.c.data).where(event.c.kind == kind.value).limit(1)
    with database.snapshot() as connection:
        found = connection.execute(query).one()
    return {"type": kind.value, "timestamp": found.at, "data": json.loads(found.data)}


def an_event(subject: str = "B-1", community_id: int = 1, account_id: int | None = None) -> Event:
    return Event(
        kind=Kind.BILL_ISSUED,
        subject=subject,
        at=NOW,
        data={"bill": subject, "total": "12.34"},
        community_id=community_id,
        account_id=account_id,
    )


def tell(database: Database, *subjects: str) -> None:
    with database.transaction() as connection:
        for each in subjects:
            delivery_outbox.tell(connection, an_event(each))


def hook(database: Database, *kinds: Kinds, url: str = URL) -> Webhook:
    """Add a webhook that is told of `kinds`, of issued bills where none is named."""
    with database.transaction() as connection:
        return delivery_webhooks.add(
            connection,
            SEAL,
            url=url,
            title="payments",
            kinds=kinds or (Kind.BILL_ISSUED,),
            actor="admin",
            now=NOW,
        )


def deliver(database: Database, sender: Noting, clock: Clock | None = None) -> int:
    return Dispatcher(database, [sender], clock or Clock()).deliver()
