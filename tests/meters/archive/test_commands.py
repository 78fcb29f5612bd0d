"""`tallygate archive …`, as an administrator types it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from meters.archive.open import open_archive
from meters.interval import Interval
from meters.reading import Reading, Series, Verdict
from tallygate import main

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 10, 1, tzinfo=UTC)
METERS = [Series(f"e-{n}", "import_energy") for n in range(3)]
ALL = Interval(START - timedelta(days=4000), START + timedelta(days=4000))


def tallygate(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, ["archive", *arguments], input=answer)


def reading(hour: int, series: Series = METERS[0], value: int | None = None) -> Reading:
    shown = Decimal(hour if value is None else value)
    return Reading(series, START + timedelta(hours=hour), shown, "", Verdict.GOOD)


def fill(url: str, readings: list[Reading]) -> None:
    archive = open_archive(url)
    archive.append(readings)
    archive.close()


def everything(url: str) -> list[Reading]:
    archive = open_archive(url)
    found = [one for series in METERS for one in archive.readings(series, ALL)]
    archive.close()
    return found


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'archive.db'}"
    fill(url, [reading(hour, series) for series in METERS for hour in range(72)])
    return url


def test_closed_days_are_compacted_and_the_figures_tell(url: str) -> None:
    before = everything(url)
    done = tallygate("compact", url, "--before", "2026-10-03", "--shrink")
    assert done.exit_code == 0, done.output
    assert "144 readings of 2 days went into 6 chunks" in done.output
    shown = tallygate("stats", url)
    assert "chunks  144 readings in 6" in shown.output
    assert "from      2026-10-01 00:00 UTC" in shown.output
    figures = json.loads(tallygate("stats", url, "--json").output)
    assert (figures["series"], figures["rows"], figures["chunked"]) == (3, 72, 144)
    assert everything(url) == before


def test_old_readings_are_deleted_only_where_nobody_needs_them(url: str) -> None:
    too_few = tallygate("expire", url, "--keep-months", "12", "--yes")
    assert too_few.exit_code == 1
    assert "12 months are too few" in too_few.output
    old = reading(-24 * 365 * 10)
    fill(url, [old])
    left = tallygate("expire", url, "--keep-months", "24", answer="n\n")
    assert left.exit_code == 1
    assert old in everything(url)
    done = tallygate("expire", url, "--keep-months", "24", answer="y\n")
    assert done.exit_code == 0, done.output
    assert "1 readings of 1 days are deleted" in done.output
    assert old not in everything(url)


def test_an_archive_is_copied_once_however_often_it_is_tried(url: str, influxdb_url: str) -> None:
    first = tallygate("copy", url, influxdb_url, "--until", "2026-10-02")
    assert first.exit_code == 0, first.output
    assert "3 series: 72 readings copied, 0 were there" in first.output
    whole = tallygate("copy", url, influxdb_url)
    assert "144 readings copied, 72 were there" in whole.output
    assert everything(influxdb_url) == everything(url)


def test_a_copy_says_where_the_target_contradicts(url: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'other.db'}"
    fill(target, [reading(5, value=999)])
    done = tallygate("copy", url, target)
    assert done.exit_code == 1
    assert "215 readings copied, 0 were there, 1 contradict" in done.output


@pytest.mark.parametrize("command", [["stats"], ["compact"], ["expire", "--keep-months", "24"]])
def test_what_is_for_sql_says_so(command: list[str]) -> None:
    done = tallygate(command[0], "influxdb+http://127.0.0.1:1/db?version=1", *command[1:])
    assert done.exit_code == 1
    assert "this is for SQL archives" in done.output


@pytest.mark.parametrize(
    ("url", "says"),
    [("gopher://x", "no kind of archive"), ("sqlite:////no/such/folder/a.db", "unable to open")],
)
def test_an_archive_that_cannot_be_opened_is_one_line(url: str, says: str) -> None:
    done = tallygate("stats", url)
    assert done.exit_code == 1
    assert says in done.output
    assert "Traceback" not in done.output
