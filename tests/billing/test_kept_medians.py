"""Medians of similar households are kept once a month is issued, on either database."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from small_community import NOVEMBER, OCTOBER, Books, after

from billing import similar
from billing.store import medians, runs
from billing.store.changes import Change, set_attribute, set_class

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from sqlalchemy import Connection

    from billing.similar import Medians

YARD = 1


@pytest.fixture(autouse=True)
def _few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar, "FEWEST", 1)


def keep(books: Books) -> int:
    with books.database.transaction() as connection:
        return sum(medians.keep(connection, each) for each in medians.missing(connection))


def of(books: Books) -> list[Medians]:
    """Return the medians of electricity of October and November, whether they are kept or not."""
    with books.database.snapshot() as connection:
        counting = runs.counting(connection, YARD)
        parts = {counting[each.key].id: each for each in (OCTOBER, NOVEMBER)}
        found = medians.of(connection, YARD, "electricity", parts)
    return [found[each] for each in parts]


def change(books: Books, say: Callable[[Connection, Change], None], since: date) -> None:
    told = Change(
        community="yard",
        unit="101",
        since=since,
        actor="clerk",
        reason="measured again",
        now=after("2026-11"),
    )
    with books.database.transaction() as connection:
        say(connection, told)


def test_what_is_kept_is_what_is_worked_out(books: Books) -> None:
    assert keep(books) == 0, "nothing is issued"
    books.bill("2026-10")
    books.bill("2026-11")
    worked_out = of(books)
    assert all(each.of_bands and each.of_classes for each in worked_out)

    assert (keep(books), keep(books)) == (2, 0)

    assert of(books) == worked_out


def test_a_change_drops_the_months_from_its_day_on(books: Books) -> None:
    books.bill("2026-10")
    books.bill("2026-11")
    assert keep(books) == 2
    october, november = of(books)

    change(books, lambda c, told: set_attribute(c, told, "area", Decimal(200)), NOVEMBER.first)

    assert of(books)[0] == october
    assert of(books)[1] != november
    changed = of(books)
    assert keep(books) == 1
    assert of(books) == changed


def test_another_class_drops_them_too(books: Books) -> None:
    books.bill("2026-10")
    books.bill("2026-11")
    assert keep(books) == 2
    change(books, lambda c, told: set_class(c, told, "residential"), OCTOBER.first)
    assert keep(books) == 2
