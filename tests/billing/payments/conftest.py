"""Tills: the small community with its October issued, on each database."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from small_community import Books, boundary_readings
from till import Till

from billing.database import Database
from meters.archive.sql import SqlArchive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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


@pytest.fixture
def till(request: pytest.FixtureRequest, database_url: str) -> Till:
    """A till on each kind of database."""
    name = "sqlite_till" if database_url.startswith("sqlite") else "postgresql_till"
    found: Till = request.getfixturevalue(name)
    return found


@pytest.fixture
def postgresql_till(books: Books) -> Till:
    """A till on a server."""
    books.bill()
    return Till(books)


@pytest.fixture
def sqlite_till(issued_file: Path, archive: SqlArchive, tmp_path: Path) -> Iterator[Till]:
    """A till in a file, for what does not depend on SQL."""
    path = shutil.copy(issued_file, tmp_path / "till.sqlite")
    with Database(f"sqlite:///{path}") as opened:
        yield Till(Books(opened, archive))
