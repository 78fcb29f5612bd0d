"""The tables: made by migrations alone, equal to what the program knows, else refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect, text
from sqlalchemy.exc import DBAPIError

import api.tables
from billing.database import MIGRATIONS, Database, DatabaseError
from billing.store import runs
from billing.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Table

BY_SET = ("usage", "share", "bill", "bill_line")
"""Tables whose references PostgreSQL checks by the statement, as `test_immutability` holds."""

assert api.tables.metadata is metadata  # its tables stand beside billing's


def test_migrations_make_exactly_the_tables_that_the_program_knows(database: Database) -> None:
    with database.snapshot() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)

    if database.engine.dialect.name == "postgresql":
        differences = [each for each in differences if not _is_of_postgresql(each)]
    assert differences == []


def _is_of_postgresql(difference: tuple[Any, ...]) -> bool:
    """Return whether a reference is missing that triggers of whole statements stand for.

    Or the comment is there that says which policies were made (`billing.scoping.guard`).
    """
    what, of = difference[:2]
    if what == "remove_table_comment":
        return bool(of.name == "project")
    return bool(what == "add_fk" and of.parent.name in BY_SET)


def checks(table: Table) -> set[str]:
    return {
        str(each.name)
        for each in table.constraints
        if isinstance(each, CheckConstraint) and each.name
    }


def test_migrations_make_every_check_that_the_program_counts_on(database: Database) -> None:
    inspector = inspect(database.engine)

    for name, table in metadata.tables.items():
        made = {str(each["name"]) for each in inspector.get_check_constraints(name)}
        assert made == checks(table), name


def test_migrating_again_changes_nothing(database: Database) -> None:
    database.migrate()

    database.check_version()


def test_a_database_without_tables_is_refused_with_the_command_to_run(empty_url: str) -> None:
    with (
        Database(empty_url) as empty,
        pytest.raises(DatabaseError, match=r"version none.*run `tallygate billing migrate`"),
    ):
        empty.check_version()


def test_a_database_of_an_older_version_is_refused_with_the_command_to_run(
    database: Database,
) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")

    with pytest.raises(DatabaseError, match=r"version 0001.*run `tallygate billing migrate`"):
        database.check_version()


def test_a_database_of_a_newer_program_is_left_alone(database: Database) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(DatabaseError, match=r"version 9999.*a newer one made it"):
        database.check_version()
    with pytest.raises(DatabaseError, match=r"version 9999.*a newer one made it"):
        database.migrate()


def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    with Database(empty_url) as database:
        with database.transaction() as connection:
            connection.exec_driver_sql("CREATE TABLE share (x integer)")

        with pytest.raises(Exception, match="share"):
            database.migrate()

        assert inspect(database.engine).get_table_names() == ["share"]


def test_a_snapshot_sees_one_state_while_others_write(database: Database) -> None:
    count = "SELECT count(*) FROM community"
    insert = (
        "INSERT INTO community (code, title, zone, currency, due_days, tariffs)"
        " VALUES ('x', '{}', 'UTC', 'CNY', 1, '{}')"
    )
    with database.snapshot() as seen:
        assert seen.exec_driver_sql(count).scalar() == 0
        with database.transaction() as other:
            other.exec_driver_sql(insert)
        assert seen.exec_driver_sql(count).scalar() == 0

    with database.snapshot() as seen:
        assert seen.exec_driver_sql(count).scalar() == 1


def test_what_fails_in_a_transaction_is_undone_whole(database: Database) -> None:
    insert = (
        "INSERT INTO community (code, title, zone, currency, due_days, tariffs)"
        " VALUES ('x', '{}', 'UTC', 'CNY', 1, '{}')"
    )
    with pytest.raises(DBAPIError), database.transaction() as connection:  # noqa: PT012  two in one
        connection.exec_driver_sql(insert)
        connection.exec_driver_sql(insert)

    with database.snapshot() as seen:
        assert seen.exec_driver_sql("SELECT count(*) FROM community").scalar() == 0


BEFORE_REVISIONS = "0007"
ISSUED_THEN = (
    """INSERT INTO community (id, code, title, zone, currency, due_days, tariffs)
    VALUES (1, 'x', '{}', 'UTC', 'CNY', 1, '{}')""",
    """INSERT INTO bill_run (id, period, state, created_by, created_at, computed_by, approved_by,
    approved_at, digest) VALUES (1, '2026-10', 'approved', 'a', :at, 'a', 'b', :at, 'd')""",
    """INSERT INTO community_run (id, bill_run_id, community_id, period, state, problems, bills,
    total, digest) VALUES (1, 1, 1, '2026-10', 'computed', '[]', 0, 0, 'd')""",
    "UPDATE bill_run SET state = 'issued'",
)


def test_runs_that_were_issued_before_runs_were_reviewed_stay_issued(empty_url: str) -> None:
    moment = datetime(2026, 11, 2, tzinfo=UTC)
    with Database(empty_url) as database:
        with database.transaction() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, BEFORE_REVISIONS)
        for statement in ISSUED_THEN:
            with database.transaction() as connection:
                connection.execute(text(statement), {"at": moment} if ":at" in statement else {})

        database.migrate()

        with database.snapshot() as connection:
            run = runs.read(connection, 1)
        (part,) = run.communities
        assert (run.state, run.kind, run.approved_digest, run.reviewed_by) == (
            *("issued", "ordinary"),
            *("d", "b"),
        )
        assert (part.revision, part.period, part.anomalies) == (0, "2026-10", ())
        for attack in (
            "UPDATE bill_run SET issued_by = 'other'",
            "UPDATE community_run SET total = 1",
            "DELETE FROM bill_run",
        ):
            with (
                pytest.raises(DBAPIError, match="add a correction instead"),
                database.transaction() as connection,
            ):
                connection.exec_driver_sql(attack)
