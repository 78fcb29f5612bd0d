"""What a person looks at: messages that may have arrived or have not, and sending one again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from billing.delivery.event import Kind
from billing.delivery.schedule import State
from billing.delivery_tables import delivery, event
from billing.store import audit

if TYPE_CHECKING:
    from datetime import datetime

OPEN_STATES = (State.UNSURE, State.FAILED)


class NothingToSendError(LookupError):
    """There is no such message, or nobody has to look at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A message that a person may send again, or let be."""

    id: int
    channel: str
    target: str
    kind: Kind
    subject: str
    state: State
    done_at: datetime


def counted(connection: Connection) -> list[tuple[str, str, int]]:
    """Return how many deliveries there are by channel and state."""
    by = (delivery.c.channel, delivery.c.state)
    rows = connection.execute(select(*by, func.count()).group_by(*by).order_by(*by))
    return [(row[0], row[1], int(row[2])) for row in rows]


def stuck(connection: Connection, *, limit: int) -> list[Stuck]:
    """Return what is unsure or has failed, the newest first."""
    rows = connection.execute(
        select(delivery, event.c.kind, event.c.subject)
        .join(event, event.c.id == delivery.c.event_id)
        .where(delivery.c.state.in_([state.value for state in OPEN_STATES]))
        .order_by(delivery.c.id.desc())
        .limit(limit)
    )
    return [
        Stuck(
            id=row.id,
            channel=row.channel,
            target=row.target,
            kind=Kind(row.kind),
            subject=row.subject,
            state=State(row.state),
            done_at=row.done_at,
        )
        for row in rows
    ]


def send_again(connection: Connection, delivery_id: int, *, actor: str, now: datetime) -> None:
    """Send a message again that is unsure or has failed. Raises `NothingToSendError`."""
    states = [state.value for state in OPEN_STATES]
    waits = {"state": State.WAITING.value, "tries": 0, "next_at": now, "done_at": None}
    changed = connection.execute(
        delivery.update()
        .where(delivery.c.id == delivery_id, delivery.c.state.in_(states))
        .values(**waits)
    )
    if not changed.rowcount:
        raise NothingToSendError(f"there is no message {delivery_id} that is unsure or has failed")
    of_event = select(delivery.c.event_id).where(delivery.c.id == delivery_id)
    concerned = connection.scalars(select(event.c.community_id).where(event.c.id.in_(of_event)))
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="delivery.again",
        subject=str(delivery_id),
        communities=concerned.all(),
    )
