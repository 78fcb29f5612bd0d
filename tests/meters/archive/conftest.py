"""An archive of each kind, empty, one for each test."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from meters.archive.compaction import compact
from meters.archive.sql import SqlArchive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from meters.archive.protocol import Appended, Archive
    from meters.reading import Reading

AFTER_ALL = date(2200, 1, 1)


class CompactingArchive(SqlArchive):
    """An SQL archive that closes every day after every other batch."""

    _batches = 0

    def append(self, readings: Sequence[Reading]) -> Appended:
        done = super().append(readings)
        self._batches += 1
        if self._batches % 2:
            compact(self, AFTER_ALL, pause_s=0)
        return done


@pytest.fixture(params=["sqlite", "postgresql"])
def archive_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty SQL database, where no archive is yet."""
    return _sql_url(request, tmp_path, request.param)


@pytest.fixture
def sql_archive(archive_url: str) -> Iterator[SqlArchive]:
    archive = SqlArchive(archive_url)
    yield archive
    archive.close()


@pytest.fixture(
    params=["sqlite", "sqlite, compacted", "postgresql", "postgresql, compacted"],
)
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    """An archive of each kind."""
    kind, _, compacted = request.param.partition(", ")
    made = (CompactingArchive if compacted else SqlArchive)(_sql_url(request, tmp_path, kind))
    yield made
    made.close()


@pytest.fixture
def sqlite_archive(tmp_path: Path) -> Iterator[SqlArchive]:
    archive = SqlArchive(f"sqlite:///{tmp_path / 'archive.db'}", timeout_s=0)
    yield archive
    archive.close()


def _sql_url(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> str:
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'archive.db'}"
    url: str = request.getfixturevalue("fresh_postgresql_url")
    return url
