"""What is sealed is sealed by the newest key, and what was kept in clear before is sealed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from api.store import answers
from billing.delivery.signing import PREFIX
from billing.store import delivery_secrets

if TYPE_CHECKING:
    from billing.database import Database
    from billing.sealing import Seal

LOG = logging.getLogger(__name__)


def seal_anew(database: Database, seal: Seal) -> int:
    """Seal the secrets of webhooks by the newest key; return of how many they were not.

    Where some were in clear, so were the answers that told of them; those are sealed too. Raises
    `SealError` where a key is missing.
    """
    with database.transaction() as connection:
        _forget_what_is_overwritten(connection)
        were_clear = delivery_secrets.is_any_clear(connection)
        changed = delivery_secrets.seal_anew(connection, seal)
        if were_clear:
            answers.seal_those_with(connection, seal, f'"{PREFIX}')
    if were_clear:
        LOG.warning(
            "secrets of webhooks were stored in clear and are sealed now; backups from before "
            "hold them still: `tallygate webhook rotate-secrets` gives webhooks new ones"
        )
    return changed


def _forget_what_is_overwritten(connection: Connection) -> None:
    """Have SQLite overwrite what is replaced with zeros, not leave it in free pages."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
