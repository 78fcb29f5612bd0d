"""What people ask of gateways: to read a meter now, and to count on from another register.

A request waits here until its gateway calls. One to read expires; one to rebase stays until the
gateway has said that it is done, however long the gateway is away.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from api import tables
from billing.store.ids import insert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

READ_WITHIN = timedelta(seconds=60)
"""How long somebody waits for an answer: a gateway that calls does so every few seconds."""
SHOWN = 5


class State(StrEnum):
    """How far a request is."""

    WAITING = "waiting"
    """The gateway has not called for it yet."""
    TAKEN = "taken"
    """The gateway has it."""
    ANSWERED = "answered"
    NOT_TAKEN = "not-taken"
    """The gateway did not call in time: it is offline."""
    NOT_ANSWERED = "not-answered"
    """The gateway took it, and did not answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request with what became of it."""

    id: int
    gateway: str
    kind: str
    meter: str
    detail: Mapping[str, Any]
    asked_by: str
    asked_at: datetime
    expires_at: datetime | None
    taken_at: datetime | None
    answered_at: datetime | None
    answer: Mapping[str, Any] | None

    def state(self, now: datetime) -> State:
        """Return how far the request is at `now`."""
        if self.answered_at is not None:
            return State.ANSWERED
        late = self.expires_at is not None and now >= self.expires_at
        if self.taken_at is None:
            return State.NOT_TAKEN if late else State.WAITING
        return State.NOT_ANSWERED if late else State.TAKEN


def ask_to_read(
    connection: Connection, *, gateway: str, meter: str, actor: str, now: datetime
) -> int:
    """Ask for the meter to be read now. Asked again before the answer, it is the same request."""
    table = tables.gateway_request
    waiting = connection.scalar(
        select(table.c.id).where(
            table.c.kind == "read",
            table.c.meter == meter,
            table.c.answered_at.is_(None),
            table.c.expires_at > now,
        )
    )
    if waiting is not None:
        return int(waiting)
    return insert(
        connection,
        table,
        gateway=gateway,
        kind="read",
        meter=meter,
        detail="{}",
        asked_by=actor,
        asked_at=now,
        expires_at=now + READ_WITHIN,
    )


def ask_to_rebase(
    connection: Connection,
    *,
    gateway: str,
    meter: str,
    detail: Mapping[str, str],
    actor: str,
    now: datetime,
) -> int:
    """Ask that the meter's register counts on from the time and value in `detail`."""
    return insert(
        connection,
        tables.gateway_request,
        gateway=gateway,
        kind="rebase",
        meter=meter,
        detail=json.dumps(dict(detail)),
        asked_by=actor,
        asked_at=now,
    )


def waiting(connection: Connection, gateway: str, *, now: datetime) -> list[Request]:
    """Return what the gateway has to do, the oldest first."""
    table = tables.gateway_request
    rows = connection.execute(
        select(table)
        .where(
            table.c.gateway == gateway,
            table.c.answered_at.is_(None),
            (table.c.kind == "rebase") | (table.c.taken_at.is_(None) & (table.c.expires_at > now)),
        )
        .order_by(table.c.id)
    )
    return [_request(row) for row in rows]


def take(connection: Connection, ids: list[int], *, now: datetime) -> None:
    """Note that the gateway has the requests `ids`."""
    table = tables.gateway_request
    connection.execute(update(table).where(table.c.id.in_(ids)).values(taken_at=now))


def answer(
    connection: Connection, request: int, *, gateway: str, text: Mapping[str, Any], now: datetime
) -> bool:
    """Keep the gateway's answer; return False for a request that is not the gateway's.

    A second answer changes nothing.
    """
    table = tables.gateway_request
    mine = (table.c.id == request) & (table.c.gateway == gateway)
    if connection.scalar(select(table.c.id).where(mine)) is None:
        return False
    connection.execute(
        update(table)
        .where(mine, table.c.answered_at.is_(None))
        .values(answered_at=now, answer=json.dumps(dict(text)))
    )
    return True


def find(connection: Connection, request: int) -> Request | None:
    """Return the request with the number `request`."""
    table = tables.gateway_request
    row = connection.execute(select(table).where(table.c.id == request)).one_or_none()
    return None if row is None else _request(row)


def reads_of(connection: Connection, meter: str, *, limit: int = SHOWN) -> list[Request]:
    """Return the last requests to read the meter, the newest first."""
    table = tables.gateway_request
    query = select(table).where(table.c.meter == meter, table.c.kind == "read")
    return [
        _request(row) for row in connection.execute(query.order_by(table.c.id.desc()).limit(limit))
    ]


def _request(row: Row[Any]) -> Request:
    return Request(
        id=row.id,
        gateway=row.gateway,
        kind=row.kind,
        meter=row.meter,
        detail=json.loads(row.detail),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        taken_at=row.taken_at,
        answered_at=row.answered_at,
        answer=None if row.answer is None else json.loads(row.answer),
    )
