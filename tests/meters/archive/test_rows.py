"""Readings as rows: exact, and refused by name where they do not fit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from meters.archive.rows import UnstorableReadingError, encode
from meters.reading import Reading, Series, Verdict

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
SERIES = Series("e-1", "import_energy")


def reading(value: str = "1", time: datetime = NOON) -> Reading:
    return Reading(SERIES, time, Decimal(value), "0001", Verdict.GOOD)


def test_nothing_makes_no_rows() -> None:
    assert encode([], {}) == []


def test_any_zone_without_an_offset_is_utc() -> None:
    for zone in (UTC, timezone(timedelta(0)), ZoneInfo("UTC")):
        ((hour, _, time, *_),) = encode([reading(time=NOON.replace(tzinfo=zone))], {SERIES: 7})
        assert (hour, time) == (1_790_856_000 // 3600, 1_790_856_000)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (reading(time=NOON.replace(tzinfo=None)), "not in UTC"),
        (reading(time=NOON.replace(tzinfo=ZoneInfo("Asia/Shanghai"))), "not in UTC"),
        (reading(time=NOON.replace(microsecond=500_000)), "fraction of a second"),
        (reading("1.00001"), "more than 4 decimals"),
        (reading("1." + "0" * 60 + "1"), "more than 4 decimals"),
        (reading("922337203685477.5808"), "beyond 64 bits"),
        (reading("1e999999"), "beyond 64 bits"),
        (reading("NaN"), "no quantity"),
    ],
)
def test_the_reading_that_does_not_fit_is_the_one_that_is_named(bad: Reading, why: str) -> None:
    with pytest.raises(UnstorableReadingError, match=why) as caught:
        encode([reading(), bad, reading()], {SERIES: 7})
    assert caught.value.reading is bad
