"""A statement of account ends today, where the account is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from api.pages.paying import days_shown
from billing.store import payments_due

if TYPE_CHECKING:
    from conftest import House

CODE = "100000000287"


def test_the_heading_of_a_statement_of_account_names_the_last_day_that_it_shows(
    billed: House,
) -> None:
    page = billed.reader("li").get("/account").text
    assert "14 Nov 2025–15 Nov 2026" in page
    assert "16 Nov 2026" not in page


@pytest.mark.parametrize(
    ("now", "last"),
    [
        (datetime(2026, 11, 22, 15, 59, tzinfo=UTC), date(2026, 11, 22)),
        (datetime(2026, 11, 22, 16, 0, tzinfo=UTC), date(2026, 11, 23)),
    ],
)
def test_today_is_told_by_the_zone_of_the_account(billed: House, now: datetime, last: date) -> None:
    with billed.database.snapshot() as connection:
        who = payments_due.payer_by_code(connection, CODE)
    assert who.zone == ZoneInfo("Asia/Shanghai")
    assert days_shown(who, now)[1] == last
