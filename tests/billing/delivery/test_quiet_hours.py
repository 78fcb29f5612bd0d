"""Nobody's phone rings at night."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from billing.delivery.quiet_hours import not_before

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-22T12:59:59+00:00", "2026-11-22T12:59:59+00:00"),  # 20:59:59 there
        ("2026-11-22T13:00:00+00:00", "2026-11-23T00:00:00+00:00"),  # 21:00
        ("2026-11-22T16:30:00+00:00", "2026-11-23T00:00:00+00:00"),  # half past midnight
        ("2026-11-22T23:59:59+00:00", "2026-11-23T00:00:00+00:00"),  # 7:59:59
        ("2026-11-23T00:00:00+00:00", "2026-11-23T00:00:00+00:00"),  # 8:00
    ],
)
def test_it_waits_until_eight_in_the_communitys_zone(now: str, expected: str) -> None:
    found = not_before(datetime.fromisoformat(now), SHANGHAI)
    assert found == datetime.fromisoformat(expected)


def test_a_night_in_which_the_clock_is_set_ends_at_eight_too() -> None:
    found = not_before(datetime.fromisoformat("2026-10-24T20:00:00+00:00"), BERLIN)
    assert found == datetime.fromisoformat("2026-10-25T07:00:00+00:00")
