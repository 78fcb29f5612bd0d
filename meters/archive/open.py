"""Opens the archive that a URL names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from meters.archive.protocol import ArchiveUrlError
from meters.archive.sql import DRIVERS, SqlArchive

if TYPE_CHECKING:
    from meters.archive.protocol import Archive


def open_archive(url: str) -> Archive:
    """Return the archive at `url`: `sqlite:///path` or `postgresql+pg8000://user:password@host/db`.

    An archive that is away now is opened all the same; its calls raise `ArchiveUnavailableError`
    until it is back. Raises `ArchiveUrlError`, and `ArchiveSchemaError` for a newer archive.
    """
    try:
        scheme = make_url(url).drivername
    except (ArgumentError, ValueError) as error:
        raise ArchiveUrlError(
            "the archive's URL cannot be read; write sqlite:///path/of/archive.db or"
            " postgresql+pg8000://user:password@host:port/database"
        ) from error
    if scheme not in DRIVERS:
        raise ArchiveUrlError(
            f"{scheme}: is no kind of archive; write {' or '.join(DRIVERS)} in the URL"
        )
    return SqlArchive(url)
