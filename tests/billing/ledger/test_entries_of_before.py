"""Entries that were posted before days were closed count on the local day of their posting."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import bindparam, text
from sqlalchemy.exc import DBAPIError

from billing.columns import Instant
from billing.database import MIGRATIONS, Database

BEFORE = "0009"
MADE_THEN = (
    """INSERT INTO community (id, code, title, zone, currency, due_days, tariffs)
    VALUES (1, 'x', '{}', 'Asia/Shanghai', 'CNY', 1, '{}')""",
    "INSERT INTO journal_entry (reference, community_id, posted_at) VALUES ('bill:1', 1, :late)",
    "INSERT INTO journal_entry (reference, community_id, posted_at) VALUES ('bill:2', 1, :early)",
    """INSERT INTO posting (reference, position, ledger_account, amount)
    VALUES ('bill:1', 1, 'a', 5)""",
)
EARLY = datetime(2026, 11, 2, 15, 59, 59, tzinfo=UTC)
LATE = datetime(2026, 11, 2, 16, tzinfo=UTC)  # midnight in Shanghai


def test_they_get_their_day_and_stay(empty_url: str) -> None:
    with Database(empty_url) as database:
        with database.transaction() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, BEFORE)
        for statement in MADE_THEN:
            moments = [
                bindparam(name, at, type_=Instant)
                for name, at in (("late", LATE), ("early", EARLY))
                if f":{name}" in statement
            ]
            with database.transaction() as connection:
                connection.execute(text(statement).bindparams(*moments))

        database.migrate()

        with database.snapshot() as connection:
            rows = connection.execute(
                text("SELECT reference, day FROM journal_entry ORDER BY reference")
            )
            days = {reference: str(day) for reference, day in rows}
        assert days == {"bill:1": "2026-11-03", "bill:2": "2026-11-02"}
        for attack in ("UPDATE journal_entry SET day = '2026-11-09'", "DELETE FROM journal_entry"):
            with (
                pytest.raises(DBAPIError, match="kept for ever"),
                database.transaction() as connection,
            ):
                connection.exec_driver_sql(attack)
