"""Signing off how a pool was apportioned, or holding it with a reason: one transaction a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.lifecycle import ReasonError
from billing.store import pool_checks
from billing.store.pool_checks import Word
from meters.told import told

if TYPE_CHECKING:
    from datetime import datetime

    from billing.database import Database


def check_pool(
    database: Database, *, statement_id: int, word: Word, reason: str, actor: str, now: datetime
) -> int:
    """Say `word` about a statement of a run that is not approved yet, and return the run.

    A run with a pool that is held is not approved. Raises `ReasonError` for a hold without a
    reason, `UnknownStatementError`, and `StateError`.
    """
    if word is Word.HELD and not reason.strip():
        raise ReasonError(told("say why the pool is held"))
    with database.transaction() as connection:
        return pool_checks.say(
            connection, statement_id, word, reason=reason.strip(), actor=actor, now=now
        )
