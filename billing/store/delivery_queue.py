"""Deliveries that are due: taken under a lease, tried, and what came of it.

Whoever sends takes a delivery by `UPDATE … WHERE state = 'waiting'`, so that of two processes one
has it. It keeps it for `LEASE`, longer than any try may take. A lease that ran out was held by
somebody who died: where a second message does no harm it is tried again, else it is left `unsure`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    LABEL_STYLE_TABLENAME_PLUS_COL,
    Connection,
    and_,
    exists,
    or_,
    select,
)

from billing import tables
from billing.canonical import read_json
from billing.delivery.event import Kind, message_id
from billing.delivery.quiet_hours import not_before
from billing.delivery.schedule import (
    Next,
    Result,
    Said,
    State,
    after,
    is_to_be_switched_off,
)
from billing.delivery_tables import delivery, delivery_attempt, event, webhook
from billing.store import audit
from billing.store.ids import insert

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import ColumnElement

LEASE = timedelta(minutes=2)
LONGEST_DETAIL = 500
ACTOR = "delivery"
"""The actor of what happens because endpoints fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A delivery that is ours until `until`, for its try number `tries`, with its event."""

    id: int
    channel: str
    target: str
    webhook_id: int | None
    tries: int
    until: datetime
    kind: Kind
    subject: str
    event_key: str
    at: datetime
    community_id: int
    account_id: int | None
    data: Mapping[str, Any]

    @property
    def message_id(self) -> str:
        return message_id(self.event_key, self.target)


def is_anything_due(connection: Connection, channels: Collection[str], *, now: datetime) -> bool:
    """Return whether a delivery over one of `channels` is due, or was left by somebody who died."""
    return bool(connection.scalar(select(exists().where(or_(_due(channels, now), _left(now))))))


def lease(connection: Connection, channels: Collection[str], *, now: datetime) -> Leased | None:
    """Take the delivery that is due for longest over one of `channels`; None where nothing is.

    A webhook is sent one message at a time, so that a slow one holds up nobody else.
    """
    if "sms" in channels:
        _wait_for_the_morning(connection, now)
    other = delivery.alias("other")
    busy = exists().where(
        other.c.webhook_id == delivery.c.webhook_id, other.c.state == State.SENDING.value
    )
    first = connection.scalar(
        select(delivery.c.id)
        .where(_due(channels, now), ~busy)
        .order_by(delivery.c.next_at, delivery.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if first is None:
        return None
    until = now + LEASE
    taken = connection.execute(
        delivery.update()
        .where(delivery.c.id == first, delivery.c.state == State.WAITING.value)
        .values(state=State.SENDING.value, leased_until=until, tries=delivery.c.tries + 1)
    )
    return _leased(connection, first) if taken.rowcount else None


def record(
    connection: Connection, leased: Leased, result: Result, *, begun: datetime, now: datetime
) -> Next | None:
    """Keep what came of a try and return what the delivery comes to.

    None where the lease ran out meanwhile and somebody else has it: then only the try is kept.
    """
    _keep_attempt(connection, leased.id, result, begun=begun, now=now)
    following = after(result.said, leased.tries, leased.id, now)
    mine = and_(
        delivery.c.id == leased.id,
        delivery.c.state == State.SENDING.value,
        delivery.c.leased_until == leased.until,
    )
    if not _step(connection, mine, following, now):
        return None
    if leased.webhook_id is not None:
        _note_webhook(connection, leased.webhook_id, result, now)
    return following


def recover(
    connection: Connection, repeatable: Collection[str], *, now: datetime
) -> list[tuple[int, State]]:
    """Take back what somebody has left who died while sending; return id and state of each.

    Over a `repeatable` channel it is tried again: its receiver knows a second message by its id.
    Over any other it is `unsure`, for a person to look at.
    """
    found = connection.execute(
        select(delivery.c.id, delivery.c.channel, delivery.c.leased_until, delivery.c.tries)
        .where(_left(now))
        .with_for_update(skip_locked=True)
    ).all()
    recovered = []
    for row in found:
        said = Said.FAILED if row.channel in repeatable else Said.UNSURE
        following = after(said, row.tries, row.id, now)
        still = and_(delivery.c.id == row.id, delivery.c.leased_until == row.leased_until)
        if _step(connection, still, following, now):
            begun = row.leased_until - LEASE
            result = Result(said, detail="whoever sent it has stopped before the answer was kept")
            _keep_attempt(connection, row.id, result, begun=begun, now=now)
            recovered.append((int(row.id), following.state))
    return recovered


def _wait_for_the_morning(connection: Connection, now: datetime) -> None:
    """Put off what would ring a phone now in a community where it is night.

    The question whether an address is right is sent at any hour: somebody has just asked for it.
    """
    of_community = select(event.c.id).where(
        event.c.community_id == tables.community.c.id, event.c.kind != Kind.ADDRESS_STATED.value
    )
    for community_id, zone in connection.execute(
        select(tables.community.c.id, tables.community.c.zone).where(
            exists().where(_due(["sms"], now), delivery.c.event_id.in_(of_community))
        )
    ).all():
        morning = not_before(now, ZoneInfo(zone))
        if morning > now:
            mine = select(event.c.id).where(
                event.c.community_id == community_id, event.c.kind != Kind.ADDRESS_STATED.value
            )
            connection.execute(
                delivery.update()
                .where(_due(["sms"], now), delivery.c.event_id.in_(mine))
                .values(next_at=morning)
            )


def _due(channels: Collection[str], now: datetime) -> ColumnElement[bool]:
    return and_(
        delivery.c.state == State.WAITING.value,
        delivery.c.next_at <= now,
        delivery.c.channel.in_(channels),
    )


def _left(now: datetime) -> ColumnElement[bool]:
    return and_(delivery.c.state == State.SENDING.value, delivery.c.leased_until <= now)


def _step(
    connection: Connection, which: ColumnElement[bool], following: Next, now: datetime
) -> bool:
    waits = following.state is State.WAITING
    values: dict[str, Any] = {
        "state": following.state.value,
        "leased_until": None,
        "done_at": None if waits else now,
    }
    if following.at is not None:
        values["next_at"] = following.at
    return bool(connection.execute(delivery.update().where(which).values(**values)).rowcount)


def _keep_attempt(
    connection: Connection, delivery_id: int, result: Result, *, begun: datetime, now: datetime
) -> None:
    insert(
        connection,
        delivery_attempt,
        delivery_id=delivery_id,
        begun_at=begun,
        ended_at=now,
        said=result.said.value,
        status=result.status,
        detail=result.detail[:LONGEST_DETAIL],
    )


def _note_webhook(connection: Connection, webhook_id: int, result: Result, now: datetime) -> None:
    """Note since when an endpoint fails, and switch it off where that is for too long."""
    mine = webhook.c.id == webhook_id
    row = connection.execute(select(webhook).where(mine).with_for_update()).one()
    if result.said is Said.SENT:
        if row.failing_since is not None:
            connection.execute(webhook.update().where(mine).values(failing_since=None))
        return
    since = row.failing_since or now
    values: dict[str, Any] = {"failing_since": since}
    if row.state == "on" and is_to_be_switched_off(since, result.said, now):
        values["state"] = "disabled"
        _give_up_on(connection, webhook_id, now)
        detail = {"failing_since": since.isoformat(), "last": result.detail[:LONGEST_DETAIL]}
        audit.append(
            connection,
            at=now,
            actor=ACTOR,
            action="webhook.disable",
            subject=str(webhook_id),
            detail=detail,
            project=row.project_id,
        )
    connection.execute(webhook.update().where(mine).values(**values))


def _give_up_on(connection: Connection, webhook_id: int, now: datetime) -> None:
    """End what waits for an endpoint that is switched off; it can be replayed."""
    waiting = and_(delivery.c.webhook_id == webhook_id, delivery.c.state == State.WAITING.value)
    values = {"state": State.FAILED.value, "done_at": now}
    connection.execute(delivery.update().where(waiting).values(**values))


def _leased(connection: Connection, delivery_id: int) -> Leased:
    row = connection.execute(
        select(delivery, event)
        .join(event, event.c.id == delivery.c.event_id)
        .where(delivery.c.id == delivery_id)
        .set_label_style(LABEL_STYLE_TABLENAME_PLUS_COL)
    ).one()
    return Leased(
        id=row.delivery_id,
        channel=row.delivery_channel,
        target=row.delivery_target,
        webhook_id=row.delivery_webhook_id,
        tries=row.delivery_tries,
        until=row.delivery_leased_until,
        kind=Kind(row.event_kind),
        subject=row.event_subject,
        event_key=row.event_key,
        at=row.event_at,
        community_id=row.event_community_id,
        account_id=row.event_account_id,
        data=read_json(row.event_data),
    )
