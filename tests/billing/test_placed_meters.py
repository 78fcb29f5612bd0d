"""Meters where they stand, found by thousands: without what their pages show of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from small_community import INSTALLED, STARTS

from billing.store.views import meters

if TYPE_CHECKING:
    from small_community import Books


def test_meters_that_stand_are_named_with_their_points_and_units(books: Books) -> None:
    with books.database.snapshot() as connection:
        found = {each.meter: each for each in meters.placed(connection, at=STARTS[1])}
        (whole,) = meters.standing(connection, ids=[found["E-101"].installation_id])
        before = meters.placed(connection, at=INSTALLED - timedelta(days=1))

    assert (whole.meter, whole.meter_type) == ("E-101", found["E-101"].meter_type)
    assert [(found[name].point, found[name].unit) for name in ("E-101", "W-301", "lift")] == [
        ("E-101", "101"),
        ("W-301", "301"),
        ("lift", None),
    ]
    assert len(found) == 11
    assert before == []
