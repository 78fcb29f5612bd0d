"""An archive of each kind, empty, one for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meters.archive.sql import SqlArchive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def archive_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, where no archive is yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'archive.db'}"
    url: str = request.getfixturevalue("fresh_postgresql_url")
    return url


@pytest.fixture
def archive(archive_url: str) -> Iterator[SqlArchive]:
    archive = SqlArchive(archive_url)
    yield archive
    archive.close()


@pytest.fixture
def sqlite_archive(tmp_path: Path) -> Iterator[SqlArchive]:
    archive = SqlArchive(f"sqlite:///{tmp_path / 'archive.db'}", timeout_s=0)
    yield archive
    archive.close()
