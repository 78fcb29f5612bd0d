"""Events of long ago are dropped with their deliveries; what may still be sent stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, and_, delete, exists, func, or_, select

from billing.delivery.event import Kind
from billing.delivery.schedule import State
from billing.delivery_tables import delivery, delivery_attempt, event
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import ColumnElement

    from billing.database import Database


class EventsGoneError(LookupError):
    """What is asked for may have been dropped."""


AT_ONCE = 1000
"""Events that go in one transaction."""
OPEN = (State.WAITING.value, State.SENDING.value)


def assert_kept(since: datetime, kept: timedelta, *, now: datetime) -> None:
    """Raise `EventsGoneError` where not all that has happened since then is kept."""
    if since < now - kept:
        first = (now - kept).isoformat(timespec="seconds")
        raise EventsGoneError(
            told(
                "events are kept for {days} days; ask for those since {first}",
                days=kept.days,
                first=first,
            )
        )


def is_kept(connection: Connection, webhook_id: int, delivery_id: int) -> bool:
    """Return whether a delivery of a webhook is still there."""
    mine = and_(delivery.c.id == delivery_id, delivery.c.webhook_id == webhook_id)
    return bool(connection.scalar(select(exists().where(mine))))


def prune(database: Database, *, before: datetime) -> int:
    """Drop what happened before that time and was told, a transaction at a time; return how many.

    What waits or is being sent stays, what was sent, or given up, since then, and so does the last
    silence of each meter: by it is known that it has been told of.
    """
    dropped = 0
    while True:
        with database.transaction() as connection:
            found = _over(connection, before)
            held = _held(connection, found, before)
            gone = [each for each in found if each not in held]
            _drop(connection, gone)
        dropped += len(gone)
        if len(found) < AT_ONCE or not gone:
            return dropped


def _over(connection: Connection, before: datetime) -> Sequence[int]:
    newest = (
        select(func.max(event.c.id))
        .where(event.c.kind == Kind.METER_OFFLINE.value)
        .group_by(event.c.subject)
    )
    query = (
        select(event.c.id)
        .where(
            event.c.at < before,
            event.c.spread_at < before,
            ~exists().where(delivery.c.event_id == event.c.id, _not_over(before)),
            event.c.id.not_in(newest),
        )
        .order_by(event.c.at, event.c.id)
        .limit(AT_ONCE)
    )
    return connection.scalars(query.with_for_update(skip_locked=True)).all()


def _held(connection: Connection, events: Sequence[int], before: datetime) -> set[int]:
    """Return those of which somebody has just asked to send a message again; lock the others."""
    mine = select(delivery.c.id).where(delivery.c.event_id.in_(events)).with_for_update()
    connection.execute(mine).all()
    again = select(delivery.c.event_id).where(delivery.c.event_id.in_(events), _not_over(before))
    return set(connection.scalars(again))


def _not_over(before: datetime) -> ColumnElement[bool]:
    return or_(
        delivery.c.state.in_(OPEN), delivery.c.done_at.is_(None), delivery.c.done_at >= before
    )


def _drop(connection: Connection, events: Sequence[int]) -> None:
    deliveries = select(delivery.c.id).where(delivery.c.event_id.in_(events))
    connection.execute(
        delete(delivery_attempt).where(delivery_attempt.c.delivery_id.in_(deliveries))
    )
    connection.execute(delete(delivery).where(delivery.c.event_id.in_(events)))
    connection.execute(delete(event).where(event.c.id.in_(events)))
