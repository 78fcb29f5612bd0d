"""Enrolment: a token that an engineer makes, and that a gateway changes once for its own key."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert, select, update

from api import tables
from api.credentials import digest
from api.permission import Permission
from api.store import device_lists, keys
from billing.store import audit

if TYPE_CHECKING:
    from datetime import datetime

VALID = timedelta(hours=24)
"""How long a token waits for its gateway: as long as a fitter needs to reach the site."""


def offer(
    connection: Connection, gateway: str, *, token: str, actor: str, now: datetime
) -> datetime:
    """Keep that `token` may be changed for a key of `gateway`; return when it expires.

    A token that was offered before and not used yet is void. Raises `UnknownGatewayError`.
    """
    if device_lists.tag(connection, gateway) is None:
        raise device_lists.UnknownGatewayError(f"there is no gateway {gateway!r}")
    table = tables.gateway_enrolment
    expires_at = now + VALID
    earlier = (table.c.gateway == gateway) & table.c.used_at.is_(None) & (table.c.expires_at > now)
    connection.execute(update(table).where(earlier).values(expires_at=now))
    connection.execute(
        insert(table).values(
            token_digest=digest(token), gateway=gateway, created_by=actor, expires_at=expires_at
        )
    )
    audit.append(connection, at=now, actor=actor, action="gateway.enrolment.offer", subject=gateway)
    return expires_at


def take_up(connection: Connection, token: str, *, key: str, now: datetime) -> str | None:
    """Change `token` for `key`; return whose key that is, None for a token that does not count.

    Every other key of the gateway ends: a box that was replaced or stolen is locked out.
    """
    table = tables.gateway_enrolment
    counts = (
        (table.c.token_digest == digest(token))
        & table.c.used_at.is_(None)
        & (table.c.expires_at > now)
    )
    # one statement decides: of two gateways with one token, one is enrolled
    if connection.execute(update(table).where(counts).values(used_at=now)).rowcount != 1:
        return None
    known = tables.gateway
    gateway, project = connection.execute(
        select(known.c.name, known.c.project_id)
        .join(table, table.c.gateway == known.c.name)
        .where(table.c.token_digest == digest(token))
    ).one()
    ended = keys.end_keys_of(connection, gateway, now=now)
    keys.add_key(
        connection,
        name=f"gateway {gateway}",
        key_digest=digest(key),
        scopes=[Permission.GATEWAY_REPORT],
        gateway=gateway,
        now=now,
        project=project,
    )
    audit.append(
        connection,
        at=now,
        actor=f"gateway:{gateway}",
        action="gateway.enrolment.take-up",
        subject=gateway,
        detail={"keys_ended": ended},
        project=project,
    )
    return str(gateway)
