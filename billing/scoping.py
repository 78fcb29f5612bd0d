"""Which project each row belongs to, and what keeps a connection to the rows of one project.

A table says it by its columns: `project_id`, else `community_id`, else its first reference that is
never empty; `info={"project": …}` says what columns cannot. Two walls follow from that. Statements
of a scoped connection name no table but what is the project's of it (`scoped_compiler`). On
PostgreSQL policies of row-level security, which `guard` makes, hold whatever the statement says; on
SQLite, which has none, a statement that is written as text and names a table is refused
(`refuse_text`).
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import TextClause, inspect, text
from sqlalchemy.exc import DBAPIError

from billing.columns import SCOPE, metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, Connection, Dialect, Table
    from sqlalchemy.sql.compiler import SQLCompiler

NOBODY = 0
"""The scope of a call that nobody is known to make: no project has this id."""
SQLITE_FUNCTION = "tallygate_project"
ROLE = "tallygate_caller"
"""The role that scoped connections take on PostgreSQL. It owns nothing, so policies bind it."""
SETTING = "tallygate.project"
BEYOND = "beyond the project"
"""Where SQLite's connection keeps that its wall is down."""


class Reach(Enum):
    """Whose the rows of a table are that belongs to no project."""

    EVERYBODY = "everybody's"
    """Every project sees and writes them."""
    INSTALLATION = "the installation's"
    """No project sees them."""


@dataclass(frozen=True, slots=True)
class Through:
    """Rows belong to the project of the row of `parent` whose `key` their `column` holds."""

    column: str
    parent: str
    key: str


@dataclass(frozen=True, slots=True)
class Own:
    """Rows name their project in `column`."""

    column: str = "project_id"


class UnknownReachError(RuntimeError):
    """Nothing says to which project the rows of a table belong."""


class UnscopedTextError(RuntimeError):
    """SQL that is written as text would pass the first wall, and SQLite has no policies."""


def reach(table: Table) -> Own | Through | Reach:
    """Return whose the rows of `table` are; raise `UnknownReachError`."""
    said: Own | Through | Reach | None = table.info.get("project")
    if said is not None:
        return said
    if "project_id" in table.c:
        return Own()
    if "community_id" in table.c and not table.c.community_id.nullable:
        return Through("community_id", "community", "id")
    for column in table.c:
        for reference in column.foreign_keys:
            parent: Table = reference.column.table
            alone = reference.constraint is not None and len(reference.constraint.columns) == 1
            if alone and not column.nullable and not isinstance(reach(parent), Reach):
                return Through(column.name, parent.name, reference.column.name)
    raise UnknownReachError(
        f"nothing says to which project the rows of {table.name} belong: give it a project_id, a "
        'reference that is never empty, or info={"project": …}'
    )


def scope_of(connection: Connection) -> int | None:
    """Return the project that `connection` is kept to, None where it sees all."""
    found: int | None = connection.get_execution_options().get(SCOPE)
    return found


@contextmanager
def beyond(connection: Connection) -> Iterator[None]:
    """Let textual statements reach all projects within the block: the second wall is down.

    For what is one thing to the whole installation: a name that is taken, the chain of the audit
    log. Nothing that is read here is to be answered to anybody.
    """
    if scope_of(connection) is None:
        yield
        return
    if connection.dialect.name != "postgresql":
        before = connection.info.get(BEYOND, False)
        connection.info[BEYOND] = True
        try:
            yield
        finally:
            connection.info[BEYOND] = before
        return
    connection.exec_driver_sql("SET LOCAL ROLE NONE")
    try:
        yield
    except BaseException:
        with suppress(DBAPIError):  # a transaction that failed is rolled back, and the role with it
            connection.exec_driver_sql(f"SET LOCAL ROLE {ROLE}")
        raise
    connection.exec_driver_sql(f"SET LOCAL ROLE {ROLE}")


def is_taken(connection: Connection, column: Column[Any], value: str | int) -> bool:
    """Return whether a row of any project holds `value` in `column`."""
    query = text(f"SELECT 1 FROM {column.table.name} WHERE {column.name} = :value LIMIT 1")  # noqa: S608  names of ours
    with beyond(connection):
        return connection.scalar(query, {"value": value}) is not None


# --- the first wall: what statements name ---------------------------------------------------------


def scoped_compiler(dialect: Dialect) -> type[SQLCompiler]:
    """Return the compiler of `dialect` that reads and changes rows of the project only."""
    current = _current(dialect.name)
    usual: type[SQLCompiler] = dialect.statement_compiler

    class ScopedCompiler(usual):  # type: ignore[valid-type, misc]  # the base is the dialect's own
        """Puts what is the project's of a table wherever a statement names the table."""

        def visit_table(self, table: Any, **how: Any) -> str:
            named: str = super().visit_table(table, **how)
            if not how.get("asfrom") or how.get("iscrud"):
                return named
            kept = condition(table, table.name, current)
            if kept is None:
                return named
            whole = f"(SELECT * FROM {named} WHERE {kept})"  # noqa: S608  names of ours
            alias = how.get("enclosing_alias")
            is_named = alias is not None and alias.element is table
            return whole if is_named else f"{whole} AS {named}"

        def visit_textclause(self, textclause: Any, *others: Any, **how: Any) -> str:
            within = bool(self.stack)  # else it is a whole statement, which `refuse_text` judges
            if (
                within
                and not isinstance(textclause, _Condition)
                and _SELECTS.search(textclause.text)
            ):
                raise _written(textclause.text)
            found: str = super().visit_textclause(textclause, *others, **how)
            return found

        def visit_update(self, update_stmt: Any, *others: Any, **how: Any) -> str:
            found: str = super().visit_update(self._kept(update_stmt), *others, **how)
            return found

        def visit_delete(self, delete_stmt: Any, *others: Any, **how: Any) -> str:
            found: str = super().visit_delete(self._kept(delete_stmt), *others, **how)
            return found

        def _kept(self, statement: Any) -> Any:
            kept = condition(statement.table, statement.table.name, current)
            return statement if kept is None else statement.where(_raw(kept))

    return ScopedCompiler


def condition(table: Table, name: str, current: str, depth: int = 0) -> str | None:
    """Return the SQL that holds of the rows of `table`, called `name`, that are of the project.

    None where it holds of all. `current`: SQL of the project.
    """
    # SQLite, which knows no sizes, would begin each list with what is the project's: + keeps it off
    aside = "+" if current.startswith(SQLITE_FUNCTION) else ""
    match reach(table):
        case Reach.EVERYBODY:
            return None
        case Reach.INSTALLATION:
            return "1 = 0"
        case Own(column):
            return f"{aside}{name}.{column} = {current}"
        case Through(column, "community", "id"):
            return (
                f"{aside}{name}.{column} IN (SELECT id FROM community WHERE project_id = {current})"  # noqa: S608  names of ours
            )
        case Through(column, parent, key):
            above = f"scope_{depth}"
            kept = condition(metadata.tables[parent], above, current, depth + 1)
            return (
                f"EXISTS (SELECT 1 FROM {parent} AS {above} "  # noqa: S608  names of ours
                f"WHERE {above}.{key} = {name}.{column} AND {kept})"
            )


class _Condition(TextClause):
    """What holds of the rows of a project, as `condition` says it."""

    inherit_cache = True


def _raw(sql: str) -> TextClause:
    return _Condition(sql)


def _current(dialect: str) -> str:
    if dialect == "sqlite":
        return f"{SQLITE_FUNCTION}()"
    return f"CAST(current_setting('{SETTING}') AS bigint)"


# --- the second wall on SQLite: no SQL as text ----------------------------------------------------


_SELECTS = re.compile(r"\bselect\b", re.IGNORECASE)
_ADDS_ROWS = re.compile(r"\s*insert\b(?!.*\bselect\b)", re.IGNORECASE | re.DOTALL)
"""Rows that are named one by one take nothing from those that are there."""
_WORD = re.compile(r"[a-z_][a-z_0-9]*")


def refuse_text(
    connection: Connection,
    _cursor: object,
    statement: str,
    _parameters: object,
    context: Any,
    _many: object,
) -> None:
    """Raise `UnscopedTextError` for a statement as text that names a table of projects.

    Listens to what a scoped connection is about to execute; `beyond` lets it pass.
    """
    compiled = context.compiled
    if compiled is not None and not isinstance(compiled.statement, TextClause):
        return
    if connection.info.get(BEYOND, False) or _ADDS_ROWS.match(statement):
        return
    named = metadata.tables.keys() & set(_WORD.findall(statement.lower()))
    if any(reach(metadata.tables[name]) is not Reach.EVERYBODY for name in named):
        raise _written(statement)


def _written(statement: str) -> UnscopedTextError:
    return UnscopedTextError(
        "SQL that is written as text would reach the rows of every project; say it by the tables, "
        f"or within `beyond`: {statement[:200]}"
    )


# --- the second wall: policies of PostgreSQL ------------------------------------------------------


def make_role(connection: Connection) -> None:
    """Make the role that scoped connections take, and let this user take it.

    Raises `DBAPIError` where the role is missing and this user may not make it.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_ROLE)


def guard(connection: Connection) -> None:
    """Make the policies of every table, unless they are as they should be.

    A table that this program does not know is shut, unless one that did has made its policy. What
    was made is kept with the table `project`, and comes with it out of a backup; policies do not,
    where the server that it is restored to has no such role.
    """
    if connection.dialect.name != "postgresql":
        return
    guarded = set(
        connection.scalars(
            text("SELECT tablename FROM pg_policies WHERE policyname = 'of_the_project'")
        )
    )
    names = set(inspect(connection).get_table_names()) - {"alembic_version"}
    known = sorted(name for name in names if name in metadata.tables or name not in guarded)
    statements = [_GRANTS, *(each for name in known for each in _policies(name))]
    made = hashlib.sha256("\n".join(statements).encode()).hexdigest()
    open_to_callers = {name for name in known if _whose(name) is not Reach.INSTALLATION}
    if (
        open_to_callers <= guarded
        and connection.scalar(text("SELECT obj_description('project'::regclass)")) == made
    ):
        return
    for each in (*statements, f"COMMENT ON TABLE project IS '{made}'"):
        connection.exec_driver_sql(each)


_ROLE = f"""DO $$ BEGIN
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}') THEN
            BEGIN
                CREATE ROLE {ROLE} NOLOGIN;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
        IF NOT pg_has_role(current_user, '{ROLE}', CASE
            WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
        THEN
            GRANT {ROLE} TO CURRENT_USER;
        END IF;
    END $$"""  # noqa: S608  the name is ours
"""From version 16 on a role that one made is one's own to give, and not yet to take."""

_GRANTS = f"""DO $$ BEGIN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO {ROLE}', current_schema());
        EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO {ROLE}', current_schema());
    END $$"""


def _policies(name: str) -> Iterator[str]:
    yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
    yield f"DROP POLICY IF EXISTS of_the_project ON {name}"
    whose = _whose(name)
    yield f"REVOKE ALL ON {name} FROM {ROLE}"
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {ROLE}"
    if whose is not Reach.INSTALLATION:
        yield f"CREATE POLICY of_the_project ON {name} TO {ROLE} USING ({_policy(name, whose)})"


def _whose(name: str) -> Own | Through | Reach:
    try:
        return reach(metadata.tables[name])
    except (KeyError, UnknownReachError):
        return Reach.INSTALLATION


def _policy(name: str, whose: Own | Through | Reach) -> str:
    """Return what holds of rows that are of the project; a parent's own policy does the rest."""
    match whose:
        case Own(column):
            return f"{column} = {_current('postgresql')}"
        case Through(column, "community", "id"):
            return f"{column} IN (SELECT id FROM community)"  # noqa: S608  names of ours
        case Through(column, parent, key):
            return f"EXISTS (SELECT 1 FROM {parent} AS above WHERE above.{key} = {name}.{column})"  # noqa: S608  names of ours
        case _:
            return "true"
