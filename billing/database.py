"""The billing database: SQLite by default, PostgreSQL in production, one transaction a change."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from billing import scoping
from billing.columns import SCOPE
from meters.archive.driver import begin_writing, set_up_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S = 30
INSUFFICIENT_PRIVILEGE = "42501"
"""SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html."""


class DatabaseError(RuntimeError):
    """The database is not at the version that this program needs."""


class Database:
    """Connections to the database at `url`; close it, or use it as a context manager."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._scoped = _scoped(self.engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection whose changes are committed together at the end, or not at all."""
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database and changes nothing."""
        with self.engine.connect() as connection:
            yield connection

    def within(self, project: int | None) -> Database:
        """Return the database as it is to callers of `project`: nothing of another one is there.

        The whole of it for None.
        """
        return self if project is None else ProjectDatabase(self, self._scoped, project)

    @property
    def whole(self) -> Database:
        """All of it, for what is done whoever asked: a provider's word is kept for its order."""
        return self

    def migrate(self) -> None:
        """Bring the database to the newest version of its tables.

        Raises `DatabaseError` if a newer program made them, or if the user at PostgreSQL may not
        make the role that projects are kept apart by.
        """
        with self._unreferenced() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
            if found is not None and found not in _known_versions():
                raise _newer(found)
            try:
                scoping.make_role(connection)
            except DBAPIError as error:
                if _fields(error).get("C") != INSUFFICIENT_PRIVILEGE:
                    raise
                raise _lacks_role(self.engine.url.username, error) from error
            command.upgrade(_config(connection), "head")
            scoping.guard(connection)

    @contextmanager
    def _unreferenced(self) -> Iterator[Connection]:
        """Give a transaction in which tables may go and come back under what refers to them.

        SQLite asks for it before a transaction begins; what refers to nothing undoes all of it.
        """
        with self.engine.connect().execution_options(writes=True) as connection:
            sqlite = connection.dialect.name == "sqlite"
            driver: Any = connection.connection.dbapi_connection
            if sqlite:
                driver.execute("PRAGMA foreign_keys = OFF")
            try:
                with connection.begin():
                    yield connection
                    if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                        raise DatabaseError(
                            "rows of the billing database refer to rows that are not there; "
                            "restore a backup"
                        )
            finally:
                if sqlite:
                    driver.execute("PRAGMA foreign_keys = ON")

    def check_version(self) -> None:
        """Raise `DatabaseError` unless the tables are at the version that this program needs."""
        with self.snapshot() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        known = _known_versions()
        if found is not None and found not in known:
            raise _newer(found)
        wanted = known[0]
        if found != wanted:
            raise DatabaseError(
                f"the billing database is at version {found or 'none'}, this program needs "
                f"{wanted}; run `tallygate billing migrate`"
            )


class ProjectDatabase(Database):
    """The rows of one project, over the connections of the whole database."""

    def __init__(self, whole: Database, engine: Engine, project: int) -> None:
        self.url = whole.url
        self.engine = engine
        self._whole = whole
        self._project = project

    @property
    def whole(self) -> Database:
        return self._whole

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        options = {SCOPE: self._project, "writes": True}
        with self.engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        options = {SCOPE: self._project}
        with self.engine.connect().execution_options(**options) as connection:
            yield connection


def _known_versions() -> list[str]:
    """Return the versions that this program can bring a database to, the newest first."""
    return [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]


def _newer(found: str) -> DatabaseError:
    return DatabaseError(
        f"the billing database is at version {found}, which this program does not know: a newer "
        "one made it; run that one, or restore a backup from before"
    )


def reason(error: DBAPIError) -> str:
    """Return what the database says is wrong, in its words."""
    return str(_fields(error).get("M", error.orig))


def _fields(error: DBAPIError) -> dict[str, str]:
    """Return the fields of what PostgreSQL said, `C` its SQLSTATE and `M` its message, else none.

    pg8000 gives them so: https://www.postgresql.org/docs/current/protocol-error-fields.html.
    """
    said = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return said if isinstance(said, dict) else {}


def _lacks_role(user: str | None, error: DBAPIError) -> DatabaseError:
    return DatabaseError(
        f"the user {user} at PostgreSQL may not make the role that keeps projects apart "
        f"({reason(error)}); let a superuser run `CREATE ROLE {scoping.ROLE} NOLOGIN` where there "
        f'is none yet, and `GRANT {scoping.ROLE} TO "{user}"`, then migrate again'
    )


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True)
        event.listen(engine, "connect", set_up_postgresql)
        event.listen(engine, "begin", _begin_postgresql)
        return engine
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _scoped(engine: Engine) -> Engine:
    """Return an engine over the connections of `engine` whose statements keep to a project."""
    scoped = create_engine(engine.url, pool=engine.pool)
    scoped.dialect.statement_compiler = scoping.scoped_compiler(scoped.dialect)
    if engine.dialect.name == "sqlite":
        event.listen(scoped, "begin", _begin_sqlite)
        event.listen(scoped, "before_cursor_execute", scoping.refuse_text)
    else:
        event.listen(scoped, "begin", _begin_postgresql)
    return scoped


def _set_up_sqlite(connection: Any, record: Any) -> None:
    """Hand the transactions to us: the driver would begin them late and commit before DDL."""
    connection.isolation_level = None
    # With recursive triggers, what an INSERT OR REPLACE deletes is refused like any deletion.
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "recursive_triggers = ON",
        "cache_size = -65536",  # KiB: what a run writes, and its indexes, stay in memory
    ):
        connection.execute(f"PRAGMA {pragma}")
    record.info[SCOPE] = scoping.NOBODY
    connection.create_function(
        scoping.SQLITE_FUNCTION, 0, lambda: record.info[SCOPE], deterministic=True
    )


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once: a read that turns into a write would fail as "locked"."""
    writes = connection.get_execution_options().get("writes", False)
    connection.info[SCOPE] = scoping.scope_of(connection) or scoping.NOBODY
    if writes:
        begin_writing(connection, within_s=BUSY_TIMEOUT_S)
    else:  # takes no lock, so nothing of it can fail that would have to be told as SQLAlchemy does
        driver: Any = connection.connection.dbapi_connection
        driver.execute("BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    """Let a snapshot see one state: by default each statement would see its own."""
    first = []
    if not connection.get_execution_options().get("writes", False):
        first.append("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    project = scoping.scope_of(connection)
    if project is not None:
        first += [
            f"SET LOCAL ROLE {scoping.ROLE}",
            f"SET LOCAL {scoping.SETTING} = '{int(project)}'",
        ]
    if first:
        connection.exec_driver_sql("; ".join(first))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
