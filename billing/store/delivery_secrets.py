"""Secrets of webhooks stay sealed under the newest key, also those that were stored in clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing.delivery.signing import PREFIX
from billing.delivery_tables import webhook
from billing.store.delivery_webhooks import whose

if TYPE_CHECKING:
    from billing.sealing import Seal


def is_any_clear(connection: Connection) -> bool:
    """Return whether a secret is stored that a version before sealing has left in clear."""
    return any(
        each is not None and each.startswith(PREFIX)
        for row in connection.execute(select(webhook.c.secret, webhook.c.secret_before))
        for each in row
    )


def seal_anew(connection: Connection, seal: Seal) -> int:
    """Seal what is in clear or under an older key by the newest; return of how many webhooks.

    Raises `SealError`, `NoSealKeyError` where a key is missing; nothing is changed then.
    """
    columns = (webhook.c.secret, webhook.c.secret_before)
    query = select(webhook.c.id, *columns).where(webhook.c.state != "ended").with_for_update()
    changed = 0
    for row in connection.execute(query).all():
        before = (row.secret, row.secret_before)
        after = tuple(_sealed(seal, each, whose(row.id)) for each in before)
        if after != before:
            secrets = {"secret": after[0], "secret_before": after[1]}
            connection.execute(webhook.update().where(webhook.c.id == row.id).values(**secrets))
            changed += 1
    return changed


def _sealed(seal: Seal, kept: str | None, whose: str) -> str | None:
    if kept is None or seal.is_newest(kept):
        return kept
    clear = kept.encode() if kept.startswith(PREFIX) else seal.open(kept, whose)
    return seal.close(clear, whose)
