"""`tallygate archive …`: what an archive holds, and how it stays small."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from meters.archive.compaction import compact as compact_archive
from meters.archive.copying import copy as copy_archive
from meters.archive.open import open_archive
from meters.archive.protocol import ArchiveUnavailableError, ArchiveUrlError
from meters.archive.retention import LEAST_MONTHS, RetentionError, cutoff
from meters.archive.retention import expire as expire_archive
from meters.archive.sql import SqlArchive
from meters.archive.stock import take_stock
from meters.archive.tables import ArchiveSchemaError
from meters.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meters.archive.copying import Copied
    from meters.archive.protocol import Archive

URL = click.argument("url", envvar="TALLYGATE_ARCHIVE_URL")
DAY = click.DateTime(formats=["%Y-%m-%d"])
FIRST, AFTER = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@click.group()
def archive() -> None:
    """Look after the archive of readings.

    URL is sqlite:///path, postgresql+pg8000://user:password@host/database or
    influxdb+http://host:port/database?version=1; TALLYGATE_ARCHIVE_URL holds it as well.
    """


@archive.command()
@URL
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def stats(url: str, *, as_json: bool) -> None:
    """Print what the SQL archive at URL holds and what it costs."""
    with _opened_sql(url) as opened:
        stock = take_stock(opened)
    if as_json:
        click.echo(json.dumps(asdict(stock), default=str))
        return
    per_reading = ""
    if stock.readings:
        per_reading = f", {Decimal(stock.bytes) / stock.readings:.2f} a reading"
    free = f", {stock.free_bytes:,} of them free" if stock.free_bytes else ""
    click.echo(f"series    {stock.series:,}")
    click.echo(f"readings  {stock.readings:,}")
    click.echo(f"  rows    {stock.rows:,}")
    click.echo(f"  chunks  {stock.chunked:,} readings in {stock.chunks:,}")
    if stock.first and stock.last:
        click.echo(f"from      {stock.first:%Y-%m-%d %H:%M} UTC")
        click.echo(f"until     {stock.last:%Y-%m-%d %H:%M} UTC")
    click.echo(f"bytes     {stock.bytes:,}{per_reading}{free}")


@archive.command()
@URL
@click.option("--before", type=DAY, help="First day that stays as it is; else three days ago.")
@click.option("--shrink", is_flag=True, help="Give freed space back to the disk, then.")
def compact(url: str, before: datetime | None, *, shrink: bool) -> None:
    """Close the days of the SQL archive at URL: a fifteenth of the space, all answers the same.

    Others may read and write meanwhile; --shrink makes writers wait, and needs room for a copy of
    what is left.
    """
    day = (before or datetime.now(UTC) - timedelta(days=3)).date()
    with _opened_sql(url) as opened:
        done = compact_archive(opened, day)
        click.echo(
            f"{done.readings:,} readings of {done.days:,} days went into {done.chunks:,} chunks"
        )
        if shrink:
            opened.shrink()
            click.echo(f"the archive takes {take_stock(opened).bytes:,} bytes")


@archive.command()
@URL
@click.option(
    "--keep-months",
    type=int,
    required=True,
    help=f"Whole months that stay, before this one; {LEAST_MONTHS} at least.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def expire(url: str, keep_months: int, *, yes: bool) -> None:
    """Delete what the SQL archive at URL holds of long ago.

    Never what bills may still need: two years stay, and of a silent meter its last good day.
    """
    try:
        first = cutoff(datetime.now(UTC).date(), keep_months)
    except RetentionError as error:
        raise click.ClickException(str(error)) from error
    with _opened_sql(url) as opened:
        if not yes:
            click.confirm(f"Delete every reading before {first} for good?", abort=True)
        gone = expire_archive(opened, first)
    silent = f"; {gone.silent:,} silent series keep their last good day" if gone.silent else ""
    click.echo(f"{gone.readings:,} readings of {gone.days:,} days are deleted{silent}")


@archive.command()
@click.argument("source")
@click.argument("target")
@click.option("--since", type=DAY, help="First day (UTC) that is copied.")
@click.option("--until", type=DAY, help="First day (UTC) that is no longer copied.")
def copy(source: str, target: str, since: datetime | None, until: datetime | None) -> None:
    """Copy every reading from the archive SOURCE into the archive TARGET, of any kind.

    What is there already is left alone: a copy that broke off can be repeated. InfluxDB 3 Core
    names only series of the last days: from there, meters that are silent are not copied.
    """
    span = Interval(
        FIRST if since is None else since.replace(tzinfo=UTC),
        AFTER if until is None else until.replace(tzinfo=UTC),
    )

    def _say(copied: Copied) -> None:
        if copied.series % 1000 == 0:
            click.echo(f"{copied.series:,} series, {copied.stored:,} readings", err=True)

    with _opened(source) as old, _opened(target) as new:
        copied = copy_archive(old, new, span, progress=_say)
    click.echo(
        f"{copied.series:,} series: {copied.stored:,} readings copied, {copied.duplicates:,} were"
        f" there, {copied.conflicts:,} contradict what is there, {copied.refused:,} are refused"
    )
    if copied.conflicts or copied.refused:
        raise click.exceptions.Exit(1)


@contextmanager
def _opened(url: str) -> Iterator[Archive]:
    try:
        opened = open_archive(url)
        try:
            yield opened
        finally:
            opened.close()
    except (ArchiveUnavailableError, ArchiveUrlError, ArchiveSchemaError) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _opened_sql(url: str) -> Iterator[SqlArchive]:
    with _opened(url) as opened:
        if not isinstance(opened, SqlArchive):
            raise click.ClickException(
                "this is for SQL archives; InfluxDB compacts by itself, and its retention policy"
                " says what it forgets"
            )
        yield opened
