"""My meters: the last good reading, and how far a meter's readings are trusted, in words."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import osmanthus_court as court

if TYPE_CHECKING:
    from conftest import House


def text_of(house: House, name: str, language: str = "en") -> str:
    page = house.reader(name, language).get("/meters").text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("<main")[2]))


def test_an_owner_sees_the_own_meters_and_no_others(billed: House) -> None:
    shown = text_of(billed, "li")
    for meter in ("E-1-201", "W-1-201"):
        assert meter in shown
    assert "1-101" not in shown
    assert "5,790.1 kWh" in shown


def test_what_is_not_good_is_told_in_words(billed: House) -> None:
    shown = text_of(billed, "li")
    assert "The others do not count for any bill:" in shown
    assert "1 in doubt" in shown
    assert "the counter rose faster than the meter can count" in shown
    assert "1 次存疑" in text_of(billed, "li", "zh-CN")


def test_readings_that_are_all_good_are_told_so(billed: House) -> None:
    assert re.search(r"All readings since \d+ Oct 2026 are good: \d", text_of(billed, "chen"))


def test_a_meter_that_is_silent_is_told_so(billed: House) -> None:
    billed.now = court.NOW + timedelta(days=60)
    assert "No reading has arrived since" in text_of(billed, "li")


def test_who_holds_no_unit_sees_no_meter(billed: House) -> None:
    assert "No meter stands at your unit" in text_of(billed, "clerk")
