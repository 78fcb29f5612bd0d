"""`tallygate meters redecode`: what stored words would be by a corrected type; nothing changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from gateway.bench.commands import meters
from meters.archive.open import open_archive
from meters.catalog import FOLDER
from meters.interval import Interval
from meters.reading import Reading, Series, Verdict
from meters.words import WordOrder, WordType, encode, to_hex

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

START = datetime(2026, 10, 1, tzinfo=UTC)
SERIES = Series("m-1", "import_energy")
ALWAYS = Interval(START, START + timedelta(days=1))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Three hours of a meter whose words stood the other way round: its values were nonsense."""
    url = f"sqlite:///{tmp_path / 'archive.sqlite'}"
    archive = open_archive(url)
    archive.append(
        [
            Reading(SERIES, START + timedelta(hours=hour), Decimal(0), raw, Verdict.GOOD)
            for hour in range(3)
            for raw in [to_hex(encode(Decimal(100 + hour), WordType.FLOAT32, WordOrder.CDAB))]
        ]
    )
    archive.close()
    return url


@pytest.fixture
def corrected(tmp_path: Path) -> Path:
    text = (FOLDER / "eastron-sdm120.toml").read_text("utf-8")
    file = tmp_path / "corrected.toml"
    file.write_text(
        text.replace('id = "eastron-sdm120"', 'id = "corrected"')
        .replace("function = 4\n", 'function = 4\norder = "CDAB"\n')
        .replace('frame = "01 04 04 46 2a 75 21 29 8c"', 'words = "7521 462a"')
        .replace('words = "41e6 28f6"', 'words = "28f6 41e6"'),
        "utf-8",
    )
    return file


def redecode(url: str, corrected: Path, *more: str) -> Result:
    arguments = ("redecode", url, "--type", str(corrected), "--meter", "m-1", *more)
    return CliRunner().invoke(meters, arguments)


def test_words_are_read_again_and_the_archive_stays(url: str, corrected: Path) -> None:
    result = redecode(url, corrected, "--was", "eastron-sdm120", "--json")

    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert [each["new_value"] for each in shown["overlays"]] == ["100", "101", "102"]
    assert {each["old_value"] for each in shown["overlays"]} == {"0"}
    archive = open_archive(url)
    assert {each.value for each in archive.readings(SERIES, ALWAYS)} == {Decimal(0)}
    archive.close()


def test_a_person_sees_time_old_and_new_for_the_time_asked_for(url: str, corrected: Path) -> None:
    span = ("--from", "2026-10-01T01:00", "--to", "2026-10-01T02:00")
    result = redecode(url, corrected, "--was", "eastron-sdm120", *span)

    heading, row, count = result.stdout.splitlines()
    assert heading.split()[2:6] == ["REGISTER", "WAS", "WOULD", "BE"]
    assert row.split()[:6] == ["2026-10-01", "01:00:00", "import_energy", "0", "101", "kWh"]
    assert count == "1 of 1 readings would change"


def test_a_type_that_says_the_same_changes_nothing_but_what_was_wrong(url: str) -> None:
    arguments = ("redecode", url, "--type", "eastron-sdm120", "--meter", "m-1", "--json")
    shown = json.loads(CliRunner().invoke(meters, arguments).stdout)

    assert shown["unchanged"] == 3
    assert shown["overlays"] == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "there is no meter type 'corrected'"),
        (("--was", "abb-b23"), "read with function 3"),
        (("--was", "wmbusmeters-water"), "not read in the same way"),
        (("--was", "eastron-sdm120", "--meter", "m-2"), "holds no reading of 'm-2'"),
        (("--was", "eastron-sdm120", "--from", "2026-10-02", "--to", "2026-10-01"), "not before"),
    ],
)
def test_what_cannot_be_read_again_says_why(
    url: str, corrected: Path, more: tuple[str, ...], said: str
) -> None:
    result = redecode(url, corrected, *more)

    assert result.exit_code == 1
    assert said in result.stderr


def test_an_archive_that_is_none_is_said_so(corrected: Path) -> None:
    result = redecode("mailto:nobody", corrected, "--was", "eastron-sdm120")

    assert result.exit_code == 1
    assert "write sqlite:///" in result.stderr
