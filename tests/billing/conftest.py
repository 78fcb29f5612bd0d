"""Books of a small community, on each database, with an archive that holds its readings."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from postgresql_server import copied_database
from small_community import Books, boundary_readings
from till import Till

from billing.database import Database
from meters.archive.sql import SqlArchive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A billing database in a file, just migrated; copied, never opened."""
    path: Path = tmp_path_factory.mktemp("migrated") / "billing.sqlite"
    with Database(f"sqlite:///{path}") as database:
        database.migrate()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of each kind that has no table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty-billing.sqlite'}"
    url: str = request.getfixturevalue("fresh_postgresql_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path) -> str:
    """The URL of a billing database of each kind, without a row."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'billing.sqlite')}"
    url: str = request.getfixturevalue("copied_postgresql_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A billing database of each kind, without a row."""
    with Database(database_url) as opened:
        yield opened


@pytest.fixture
def sqlite_database(tmp_path: Path, migrated_file: Path) -> Iterator[Database]:
    """A billing database in a file, without a row, for what does not depend on SQL."""
    path = shutil.copy(migrated_file, tmp_path / "only.sqlite")
    with Database(f"sqlite:///{path}") as opened:
        yield opened


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[SqlArchive]:
    """An archive that holds the readings at every boundary."""
    opened = SqlArchive(f"sqlite:///{tmp_path / 'archive.sqlite'}")
    opened.append(boundary_readings())
    yield opened
    opened.close()


@pytest.fixture
def empty_archive(tmp_path: Path) -> Iterator[SqlArchive]:
    """An archive without readings."""
    opened = SqlArchive(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture
def books(database: Database, archive: SqlArchive) -> Books:
    """The small community, defined, on each kind of database."""
    made = Books(database, archive)
    made.define()
    return made


@pytest.fixture
def sqlite_books(sqlite_database: Database, archive: SqlArchive) -> Books:
    """The small community, defined, in a file."""
    made = Books(sqlite_database, archive)
    made.define()
    return made


@pytest.fixture
def blank_books(sqlite_database: Database, archive: SqlArchive) -> Books:
    """Books without a community."""
    return Books(sqlite_database, archive)


@pytest.fixture(scope="session")
def issued_file(migrated_file: Path) -> Path:
    """A billing database in a file whose October is issued; copied, never opened."""
    path = migrated_file.parent / "issued.sqlite"
    shutil.copy(migrated_file, path)
    archive = SqlArchive(f"sqlite:///{path.parent / 'readings.sqlite'}")
    archive.append(boundary_readings())
    with Database(f"sqlite:///{path}") as database:
        made = Books(database, archive)
        made.define()
        made.bill()
    archive.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def till(request: pytest.FixtureRequest) -> Till:
    """A till on each kind of database."""
    found: Till = request.getfixturevalue(f"{request.param}_till")
    return found


@pytest.fixture(scope="session")
def issued_postgresql_url(migrated_postgresql_url: str, issued_file: Path) -> Iterator[str]:
    """The URL of a billing database whose October is issued; copied, never opened."""
    archive = SqlArchive(f"sqlite:///{issued_file.parent / 'readings.sqlite'}")
    with copied_database(migrated_postgresql_url) as url:
        with Database(url) as database:
            made = Books(database, archive)
            made.define()
            made.bill()
        archive.close()
        yield url


@pytest.fixture
def postgresql_till(issued_postgresql_url: str, archive: SqlArchive) -> Iterator[Till]:
    """A till on a server."""
    with copied_database(issued_postgresql_url) as url, Database(url) as opened:
        yield Till(Books(opened, archive))


@pytest.fixture
def sqlite_till(issued_file: Path, archive: SqlArchive, tmp_path: Path) -> Iterator[Till]:
    """A till in a file, for what does not depend on SQL."""
    path = shutil.copy(issued_file, tmp_path / "till.sqlite")
    with Database(f"sqlite:///{path}") as opened:
        yield Till(Books(opened, archive))
