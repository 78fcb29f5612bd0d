"""Webhooks in the database: who is told what where, with which secret; what was sent; replays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, select

from billing import tables
from billing.canonical import canonical_json, read_json
from billing.delivery.event import OUTWARD, Kind, message_id
from billing.delivery.schedule import Said, State
from billing.delivery.signing import new_secret
from billing.delivery_tables import delivery, delivery_attempt, event, webhook
from billing.store import audit
from billing.store.ids import insert
from meters.told import StateName, told

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime, timedelta

    from sqlalchemy import Row, Select

    from billing.sealing import Seal


class UnknownWebhookError(LookupError):
    """There is no such webhook, or it has ended."""


class UnknownDeliveryError(LookupError):
    """There is no such delivery of this webhook."""


class WebhookOffError(ValueError):
    """The webhook is not on, so nothing is sent to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An endpoint that is told of `kinds`. `state`: on, off (by a person), disabled (it failed).

    `secret` and `secret_before` are sealed; `secrets` opens those that sign now.
    """

    id: int
    project_id: int
    url: str
    title: str
    kinds: tuple[Kind, ...]
    state: str
    failing_since: datetime | None
    secret_before_until: datetime | None
    created_by: str
    created_at: datetime
    secret: str
    secret_before: str | None

    def secrets(self, seal: Seal, now: datetime) -> tuple[str, ...]:
        """Return what signs now: the newest first, the one before while it lives.

        Raises `SealError`, `NoSealKeyError`.
        """
        before, until = self.secret_before, self.secret_before_until
        lives = before is not None and until is not None and until > now
        sealed = (self.secret, before) if lives else (self.secret,)
        return tuple(seal.open(each, whose(self.id)).decode() for each in sealed if each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A delivery as lists show it, with what it told of."""

    id: int
    kind: Kind
    subject: str
    at: datetime
    target: str
    event_key: str
    data: Mapping[str, Any]
    state: State
    tries: int
    next_at: datetime | None
    done_at: datetime | None

    @property
    def message_id(self) -> str:
        return message_id(self.event_key, self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a delivery."""

    begun_at: datetime
    ended_at: datetime
    said: Said
    status: int | None
    detail: str


def add(
    connection: Connection,
    seal: Seal,
    *,
    url: str,
    title: str,
    kinds: Collection[Kind],
    actor: str,
    now: datetime,
) -> Webhook:
    """Add an endpoint with a secret of its own, and return it. Its address was judged before.

    Raises `NoSealKeyError`.
    """
    webhook_id = insert(
        connection,
        webhook,
        url=url,
        title=title,
        kinds=_kinds(kinds),
        secret="",  # it is sealed for the row, whose id is known now
        state="on",
        created_by=actor,
        created_at=now,
    )
    _set(connection, webhook_id, secret=_new_secret(seal, webhook_id))
    detail = {"url": url, "events": sorted(kinds)}
    _log(connection, "webhook.add", webhook_id, actor, now, **detail)
    return read(connection, webhook_id)


def change(
    connection: Connection,
    webhook_id: int,
    *,
    url: str,
    title: str,
    kinds: Collection[Kind],
    on: bool,
    actor: str,
    now: datetime,
) -> Webhook:
    """Say anew where an endpoint is, what it is told of, and whether it is told at all."""
    before = read(connection, webhook_id, lock=True)
    state = "on" if on else "off"
    connection.execute(
        webhook.update()
        .where(webhook.c.id == webhook_id)
        .values(
            url=url,
            title=title,
            kinds=_kinds(kinds),
            state=state,
            failing_since=before.failing_since if before.state == state == "on" else None,
        )
    )
    if not on:
        _end_waiting(connection, webhook_id, now)
    detail = {"url": url, "events": sorted(kinds), "state": state, "before": before.state}
    _log(connection, "webhook.change", webhook_id, actor, now, **detail)
    return read(connection, webhook_id)


def rotate(
    connection: Connection,
    seal: Seal,
    webhook_id: int,
    *,
    overlap: timedelta,
    actor: str,
    now: datetime,
) -> Webhook:
    """Give an endpoint a new secret; the one before signs too for `overlap` more: two at most.

    Raises `NoSealKeyError`.
    """
    before = read(connection, webhook_id, lock=True)
    until = now + overlap
    _set(
        connection,
        webhook_id,
        secret=_new_secret(seal, webhook_id),
        secret_before=before.secret,
        secret_before_until=until,
    )
    _log(connection, "webhook.rotate", webhook_id, actor, now, until=until.isoformat())
    return read(connection, webhook_id)


def end(connection: Connection, webhook_id: int, *, actor: str, now: datetime) -> None:
    """End an endpoint for good; what was sent to it stays to be seen in the database."""
    read(connection, webhook_id, lock=True)
    forgotten = {"secret": "", "secret_before": None, "secret_before_until": None}
    _set(connection, webhook_id, state="ended", **forgotten)
    _end_waiting(connection, webhook_id, now)
    _log(connection, "webhook.end", webhook_id, actor, now)


def read(connection: Connection, webhook_id: int, *, lock: bool = False) -> Webhook:
    """Return a webhook that has not ended; raise `UnknownWebhookError`."""
    query = select(webhook).where(webhook.c.id == webhook_id, webhook.c.state != "ended")
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise UnknownWebhookError(told("there is no webhook {webhook}", webhook=webhook_id))
    return _webhook(row)


def listed(connection: Connection) -> list[Webhook]:
    """Return the webhooks that have not ended, the oldest first."""
    query = select(webhook).where(webhook.c.state != "ended").order_by(webhook.c.id)
    return [_webhook(row) for row in connection.execute(query)]


def sent(
    connection: Connection,
    webhook_id: int,
    *,
    limit: int,
    before_id: int | None = None,
    state: State | None = None,
) -> list[Sent]:
    """Return deliveries of a webhook, the newest first, those before `before_id`."""
    query = _sent().where(delivery.c.webhook_id == webhook_id)
    if before_id is not None:
        query = query.where(delivery.c.id < before_id)
    if state is not None:
        query = query.where(delivery.c.state == state.value)
    rows = connection.execute(query.order_by(delivery.c.id.desc()).limit(limit))
    return [_shown(row) for row in rows]


def one_sent(connection: Connection, webhook_id: int, delivery_id: int) -> Sent:
    """Return a delivery of a webhook; raise `UnknownDeliveryError`."""
    mine = and_(delivery.c.id == delivery_id, delivery.c.webhook_id == webhook_id)
    row = connection.execute(_sent().where(mine)).one_or_none()
    if row is None:
        raise UnknownDeliveryError(told("the webhook has no delivery {number}", number=delivery_id))
    return _shown(row)


def attempts(connection: Connection, delivery_id: int) -> list[Attempt]:
    """Return the tries of a delivery, the first one first."""
    table = delivery_attempt
    rows = connection.execute(
        select(table).where(table.c.delivery_id == delivery_id).order_by(table.c.id)
    )
    return [
        Attempt(
            begun_at=row.begun_at,
            ended_at=row.ended_at,
            said=Said(row.said),
            status=row.status,
            detail=row.detail,
        )
        for row in rows
    ]


def replay(
    connection: Connection, webhook_id: int, delivery_id: int, *, actor: str, now: datetime
) -> Sent:
    """Send a delivery again, from its first try on and under the same message id.

    What waits or is being sent just now stays as it is.
    """
    _assert_on(read(connection, webhook_id, lock=True))
    one_sent(connection, webhook_id, delivery_id)
    _again(connection, and_(delivery.c.id == delivery_id, delivery.c.webhook_id == webhook_id), now)
    _log(connection, "webhook.replay", webhook_id, actor, now, delivery=delivery_id)
    return one_sent(connection, webhook_id, delivery_id)


def replay_since(
    connection: Connection, webhook_id: int, since: datetime, *, actor: str, now: datetime
) -> int:
    """Send everything again that has happened since then, and what was missed while it was off.

    Return how many messages that are.
    """
    found = read(connection, webhook_id, lock=True)
    _assert_on(found)
    kinds = [each.value for each in found.kinds]
    known = select(delivery.c.event_id).where(delivery.c.webhook_id == webhook_id)
    community = tables.community
    own = select(community.c.id).where(community.c.project_id == found.project_id)
    wanted = and_(
        event.c.at >= since,
        event.c.kind.in_(kinds),
        event.c.spread_at.is_not(None),
        event.c.community_id.in_(own),
    )
    missed = connection.scalars(
        select(event.c.id).where(wanted, event.c.id.not_in(known)).order_by(event.c.id)
    ).all()
    mine = and_(
        delivery.c.webhook_id == webhook_id,
        delivery.c.event_id.in_(select(event.c.id).where(wanted)),
    )
    count = _again(connection, mine, now)
    for event_id in missed:
        insert(
            connection,
            delivery,
            event_id=event_id,
            channel="webhook",
            target=f"webhook:{webhook_id}",
            webhook_id=webhook_id,
            state=State.WAITING.value,
            tries=0,
            next_at=now,
        )
    count += len(missed)
    detail = {"since": since.isoformat(), "messages": count}
    _log(connection, "webhook.replay", webhook_id, actor, now, **detail)
    return count


def _again(connection: Connection, which: Any, now: datetime) -> int:
    ended = delivery.c.state.in_((State.SENT.value, State.FAILED.value))
    values = {"state": State.WAITING.value, "tries": 0, "next_at": now, "done_at": None}
    return connection.execute(delivery.update().where(which, ended).values(**values)).rowcount


def _assert_on(found: Webhook) -> None:
    if found.state != "on":
        state = StateName(found.state)
        raise WebhookOffError(
            told("webhook {webhook} is {state}; switch it on first", webhook=found.id, state=state)
        )


def _end_waiting(connection: Connection, webhook_id: int, now: datetime) -> None:
    waiting = and_(delivery.c.webhook_id == webhook_id, delivery.c.state == State.WAITING.value)
    values = {"state": State.FAILED.value, "done_at": now}
    connection.execute(delivery.update().where(waiting).values(**values))


def _set(connection: Connection, webhook_id: int, **values: object) -> None:
    connection.execute(webhook.update().where(webhook.c.id == webhook_id).values(**values))


def _new_secret(seal: Seal, webhook_id: int) -> str:
    return seal.close(new_secret().encode(), whose(webhook_id))


def whose(webhook_id: int) -> str:
    """Return for whom the secrets of a webhook are sealed."""
    return f"webhook {webhook_id}"


def _kinds(kinds: Collection[Kind]) -> str:
    return canonical_json([kind.value for kind in OUTWARD if kind in kinds])


def _webhook(row: Row[Any]) -> Webhook:
    values = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for a row's columns
    values["kinds"] = tuple(Kind(each) for each in read_json(values["kinds"]))
    return Webhook(**values)


def _sent() -> Select[Any]:
    return select(
        *(delivery.c.id, delivery.c.state, delivery.c.tries, delivery.c.next_at),
        *(delivery.c.done_at, delivery.c.target, event.c.kind, event.c.subject, event.c.at),
        *(event.c.data, event.c.key),
    ).join(event, event.c.id == delivery.c.event_id)


def _shown(row: Row[Any]) -> Sent:
    state = State(row.state)
    return Sent(
        id=row.id,
        kind=Kind(row.kind),
        subject=row.subject,
        at=row.at,
        target=row.target,
        event_key=row.key,
        data=read_json(row.data),
        state=state,
        tries=row.tries,
        next_at=row.next_at if state is State.WAITING else None,
        done_at=row.done_at,
    )


def _log(
    connection: Connection,
    action: str,
    webhook_id: int,
    actor: str,
    now: datetime,
    **detail: object,
) -> None:
    audit.append(
        connection, at=now, actor=actor, action=action, subject=str(webhook_id), detail=detail
    )
