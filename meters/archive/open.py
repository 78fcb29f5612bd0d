"""Opens the archive that a URL names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from meters.archive.influx_address import SCHEMES, read_address
from meters.archive.protocol import ArchiveUrlError
from meters.archive.sql import DRIVERS, SqlArchive

if TYPE_CHECKING:
    from meters.archive.protocol import Archive


def open_archive(url: str) -> Archive:
    """Return the archive at `url`.

    `sqlite:///path`, `postgresql+pg8000://user:password@host/db`, or `influxdb+http://…` as
    `influx_address` describes. An archive that is away now is opened all the same; its calls raise
    `ArchiveUnavailableError` until it is back. Raises `ArchiveUrlError`, and `ArchiveSchemaError`
    for a newer archive.
    """
    try:
        scheme = make_url(url).drivername
    except (ArgumentError, ValueError) as error:
        raise ArchiveUrlError(
            "the archive's URL cannot be read; write sqlite:///path/of/archive.db,"
            " postgresql+pg8000://user:password@host:port/database or"
            " influxdb+http://host:port/database?version=1"
        ) from error
    if scheme in SCHEMES:
        from meters.archive.influx import (  # noqa: PLC0415 - SQL archives do without its libraries
            InfluxArchive,
        )

        return InfluxArchive(read_address(url))
    if scheme not in DRIVERS:
        raise ArchiveUrlError(
            f"{scheme}: is no kind of archive; write {' or '.join((*DRIVERS, *SCHEMES))} in the URL"
        )
    return SqlArchive(url)
