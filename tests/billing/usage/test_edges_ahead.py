"""Registers at edges, asked ahead: each once for all its instants, and told at some of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.registry import Point
from billing.usage.edges_ahead import EdgesAhead
from billing.usage.wanted import Part, Wanted
from meters.archive.protocol import ArchiveUnavailableError
from meters.archive.sql import SqlArchive
from meters.catalog import shipped
from meters.installation import Installation
from meters.interval import Interval
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from meters.edges import Edges

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NIGHT, DAY, MIDNIGHT = START + 8 * HOUR, START + 22 * HOUR, START + 24 * HOUR


class Counting(SqlArchive):
    """An archive that keeps what it was asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: list[tuple[set[str], set[datetime]]] = []

    def edges(
        self,
        series: Collection[Series],
        instants: Collection[datetime],
        *,
        window: timedelta = 2 * HOUR,
    ) -> Edges:
        self.asked.append(({each.meter for each in series}, set(instants)))
        return super().edges(series, instants, window=window)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Counting]:
    opened = Counting(f"sqlite:///{tmp_path}/archive.sqlite")
    opened.append(
        [
            Reading(Series(meter, name), at, Decimal(n), "0", Verdict.GOOD)
            for meter, name in (("power", "import_energy"), ("water", "volume"))
            for n, at in enumerate((START, NIGHT, DAY, MIDNIGHT))
        ]
    )
    yield opened
    opened.close()


def wanted(meter: str, kind: str, register: str, *edges: datetime) -> Wanted:
    standing = Installation(meter, meter, kind, START - HOUR)
    point = Point(1, meter, "electricity", "unit", "u", None, (standing,))
    part = Part(Interval(START, START + 48 * HOUR), frozenset(edges))
    return Wanted(point, register, {kind: shipped()[kind].registers[register]}, (part,))


POWER = wanted("power", "eastron-sdm120", "import_energy", NIGHT, DAY)
WATER = wanted("water", "bove-ultrasonic", "volume")


def test_each_register_is_asked_once_for_all_its_instants(archive: Counting) -> None:
    with ThreadPoolExecutor(1) as aside:
        ahead = EdgesAhead(archive, [POWER, WATER], [MIDNIGHT], aside)
        bands, midnights = ahead.at([DAY, NIGHT]), ahead.at([MIDNIGHT])

    assert archive.asked == [({"power"}, {NIGHT, DAY, MIDNIGHT}), ({"water"}, {MIDNIGHT})]
    assert bands.series == (Series("power", "import_energy"),)
    assert bands.before.tolist() == [[10_000, 20_000]]
    assert midnights.rows() == {Series("power", "import_energy"): 0, Series("water", "volume"): 1}
    assert midnights.before.tolist() == [[30_000], [30_000]]


def test_without_edges_and_midnights_nothing_is_asked(archive: Counting) -> None:
    with ThreadPoolExecutor(1) as aside:
        EdgesAhead(archive, [WATER], (), aside)
    assert archive.asked == []


def test_an_archive_that_is_away_is_told_where_the_answer_is_wanted(
    archive: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> Edges:
        raise ArchiveUnavailableError("away")

    monkeypatch.setattr(archive, "edges", away)
    with ThreadPoolExecutor(1) as aside:
        ahead = EdgesAhead(archive, [POWER], (), aside)
        with pytest.raises(ArchiveUnavailableError):
            ahead.at([NIGHT])
