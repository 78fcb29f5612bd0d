"""Rows of one project and no others: by what statements name, and by policies of PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import small_community as small
from sqlalchemy import MetaData, Table, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

import api.tables
from billing import tables
from billing.community import parse_community
from billing.database import Database
from billing.payments.application import Policy
from billing.scoping import (
    NOBODY,
    Reach,
    UnknownReachError,
    UnscopedTextError,
    beyond,
    reach,
)
from billing.store import audit, payments_policy, projects, registry
from billing.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

OTHER = 2
OUTSIDE = {
    "idempotency": Reach.EVERYBODY,
    "login_failure": Reach.INSTALLATION,
    "payment_callback": Reach.INSTALLATION,
    "tariff_version": Reach.EVERYBODY,
}
"""The tables whose rows belong to no project. Another one here needs a reason that is written."""

assert api.tables.metadata is metadata  # its tables stand beside billing's


@pytest.fixture
def two(database: Database) -> Database:
    """Two projects with a community each."""
    fill(database)
    return database


def fill(database: Database) -> None:
    with database.transaction() as connection:
        projects.add(connection, "other", "Other", actor="a", now=small.INSTALLED)
        for code, project in (("mine", "default"), ("theirs", "other")):
            document = small.community_document(code, f"{code}-") | {"project": project}
            registry.import_community(connection, parse_community(document, code))


def counts(connection: Connection) -> dict[str, int]:
    return {
        name: connection.scalar(select(func.count()).select_from(table)) or 0
        for name, table in metadata.tables.items()
    }


def test_every_table_says_whose_its_rows_are() -> None:
    found = {name: reach(table) for name, table in metadata.tables.items()}
    assert {name: each for name, each in found.items() if isinstance(each, Reach)} == OUTSIDE


def test_a_table_that_does_not_say_it_is_refused() -> None:
    with pytest.raises(UnknownReachError, match="to which project the rows of stray belong"):
        reach(Table("stray", MetaData()))


def test_each_project_has_its_own_rows_and_none_of_another(two: Database) -> None:
    with two.snapshot() as connection:
        whole = counts(connection)
    found = []
    for project in (1, OTHER):
        with two.within(project).snapshot() as connection:
            found.append(counts(connection))
            assert connection.scalars(select(tables.project.c.id)).all() == [project]
    assert found[0]["unit"] == found[1]["unit"] == 4
    assert found[0]["installation"] == found[1]["installation"] > 0
    for name, count in whole.items():
        if name not in OUTSIDE:
            assert found[0][name] + found[1][name] == count, name


def test_nobody_sees_nothing(two: Database) -> None:
    with two.within(NOBODY).snapshot() as connection:
        found = counts(connection)
    assert {name for name, count in found.items() if count} <= set(OUTSIDE)


def test_a_join_an_alias_and_a_subquery_are_kept_to_the_project(two: Database) -> None:
    community, point = tables.community, tables.point.alias("place")
    inner = select(point.c.community_id, func.count().label("n")).group_by(point.c.community_id)
    counted = inner.subquery()
    query = select(community.c.code, counted.c.n).outerjoin(
        counted, counted.c.community_id == community.c.id
    )
    with two.within(OTHER).snapshot() as connection:
        assert [row.code for row in connection.execute(query)] == ["theirs"]
        assert connection.execute(inner).all()[0].n == 11
        assert len(connection.execute(inner).all()) == 1


def test_rows_of_another_project_are_neither_changed_nor_removed(two: Database) -> None:
    table = tables.community
    with two.within(OTHER).transaction() as connection:
        changed = connection.execute(update(table).values(due_days=1))
        aimed = connection.execute(update(table).where(table.c.id == 1).values(due_days=1))
        assert (changed.rowcount, aimed.rowcount) == (1, 0)
        attributes = tables.unit_attribute
        removed = connection.execute(delete(attributes))
    with two.snapshot() as connection:
        assert connection.scalars(select(table.c.due_days).order_by(table.c.id)).all() == [10, 1]
        kept = connection.scalar(select(func.count()).select_from(attributes)) or 0
    assert kept == removed.rowcount > 0


def test_what_is_added_is_of_the_project(two: Database) -> None:
    gateway = api.tables.gateway
    row = {"name": "gw", "digest": "", "created_at": small.INSTALLED}
    with two.within(OTHER).transaction() as connection:
        connection.execute(insert(gateway).values(row))
    with two.snapshot() as connection:
        assert connection.scalar(select(gateway.c.project_id)) == OTHER


def test_one_chain_holds_what_all_projects_did(two: Database) -> None:
    for project in (1, OTHER, 1):
        with two.within(project).transaction() as connection:
            audit.append(connection, at=small.INSTALLED, actor="a", action="b", subject="c")
    with two.transaction() as connection:
        audit.append(connection, at=small.INSTALLED, actor="a", action="of none", subject="c")
    with two.snapshot() as connection:
        assert audit.verify(connection) == 5
    for project, seen in ((1, [4, 2]), (OTHER, [3, 1])):
        with two.within(project).snapshot() as connection:
            found = audit.entries(connection, audit.Wanted(), limit=9)
        assert [each.position for each in found] == seen


def test_what_concerns_several_projects_is_an_entry_of_each_and_of_no_other(two: Database) -> None:
    with two.transaction() as connection:
        third = projects.add(connection, "third", "Third", actor="a", now=small.INSTALLED)
        ids = connection.scalars(select(tables.community.c.id)).all()
        for communities in (ids, ids[1:], ()):
            audit.append(
                connection,
                at=small.INSTALLED,
                actor="a",
                action=f"of {len(communities)}",
                subject="c",
                communities=communities,
            )
        payments_policy.state(connection, "theirs", Policy(), actor="a", now=small.INSTALLED)
    with two.snapshot() as connection:
        assert audit.verify(connection) == 7
    for project, seen in (
        (1, ["of 2"]),
        (OTHER, ["payment.policy", "of 1", "of 2", "project.add"]),
        (third, ["project.add"]),
    ):
        with two.within(project).snapshot() as connection:
            found = audit.entries(connection, audit.Wanted(), limit=9)
        assert [each.action for each in found] == seen


# --- the second wall on SQLite --------------------------------------------------------------------


@pytest.fixture
def scoped(sqlite_database: Database) -> Iterator[Connection]:
    fill(sqlite_database)
    with sqlite_database.within(OTHER).transaction() as connection:
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT code FROM community",
        "UPDATE unit SET code = 'x'",
        'DELETE FROM "account"',
        "WITH c AS (SELECT * FROM community) SELECT code FROM c",
        "INSERT INTO hold SELECT * FROM hold",
        "SELECT count(*) FROM LOGIN_FAILURE",
    ],
)
def test_sql_as_text_that_names_a_table_is_refused(scoped: Connection, statement: str) -> None:
    with pytest.raises(UnscopedTextError, match="every project"):
        scoped.execute(text(statement))
    with pytest.raises(UnscopedTextError, match="every project"):
        scoped.exec_driver_sql(statement)


def test_sql_as_text_within_a_statement_is_refused_too(scoped: Connection) -> None:
    table = tables.community
    hidden = text("id IN (SELECT community_id FROM account)")
    with pytest.raises(UnscopedTextError):
        scoped.execute(select(table.c.code).where(hidden))


def test_sql_as_text_reaches_all_beyond_and_what_is_everybodys(scoped: Connection) -> None:
    assert scoped.scalar(text("SELECT count(*) FROM tariff_version")) == 0
    with beyond(scoped):
        assert scoped.scalars(text("SELECT code FROM community")).all() == ["mine", "theirs"]
    with pytest.raises(UnscopedTextError):
        scoped.scalar(text("SELECT code FROM community"))


# --- the second wall on PostgreSQL ----------------------------------------------------------------


def test_textual_sql_without_a_condition_sees_the_project_only(copied_postgresql_url: str) -> None:
    with Database(copied_postgresql_url) as database:
        database.migrate()
        fill(database)
        with database.within(OTHER).snapshot() as connection:
            for name in metadata.tables:
                seen = connection.scalar(text(f"SELECT count(*) FROM {name}"))  # noqa: S608  names of ours
                meant = connection.scalar(select(func.count()).select_from(metadata.tables[name]))
                assert seen == meant, name
            assert connection.scalars(text("SELECT code FROM community")).all() == ["theirs"]
            assert connection.scalar(text("SELECT count(*) FROM unit")) == 4
            assert connection.scalar(text("SELECT count(*) FROM login_failure")) == 0
        with database.within(OTHER).transaction() as connection:
            gone = connection.execute(text("DELETE FROM unit_attribute WHERE unit_id < 5"))
            assert gone.rowcount == 0
        stolen = "UPDATE community SET project_id = 2 WHERE code = 'mine'"
        given = "UPDATE community SET project_id = 1"
        with database.within(OTHER).transaction() as connection:
            assert connection.execute(text(stolen)).rowcount == 0
        with (
            pytest.raises(DBAPIError, match="row-level security"),
            database.within(OTHER).transaction() as connection,
        ):
            connection.execute(text(given))
        with database.snapshot() as connection:
            assert len(connection.scalars(text("SELECT code FROM community")).all()) == 2
            unguarded = text(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relrowsecurity"
                " AND relnamespace = 'public'::regnamespace"
            )
            assert connection.scalars(unguarded).all() == ["alembic_version"]


def test_what_a_backup_does_not_bring_to_a_new_server_is_made_again(
    copied_postgresql_url: str,
) -> None:
    with Database(copied_postgresql_url) as database:
        with database.transaction() as connection:  # as restored where the role was not there yet
            connection.exec_driver_sql("DROP OWNED BY tallygate_caller")
        with database.within(1).snapshot() as connection, pytest.raises(DBAPIError):
            connection.execute(select(tables.project.c.id))

        database.migrate()

        with database.within(1).snapshot() as connection:
            assert connection.scalars(select(tables.project.c.id)).all() == [1]
