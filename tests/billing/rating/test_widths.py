"""How wide steps are: by persons, dwellings and days, and in a part of a month."""

from __future__ import annotations

from typing import Any

import one_draw as st
import pytest
from hypothesis import settings
from one_draw import given
from pydantic import ValidationError
from rating_clerk import (
    EXAMPLES,
    PRICES,
    REGISTER,
    ROUNDINGS,
    agree,
    document_of,
    homes_as_columns,
    numbers,
    parts_of_periods,
    tariff_of,
)
from tariff_oracle import Home

from billing.rating.evidence import parts
from billing.rating.rate import rate

WATER = [[12, "2"], [20, "3"], ["5"]]


def water(steps: list[list[Any]] | None = None, **more: Any) -> dict[str, Any]:
    charge = {"name": "water", "kind": "steps", "per": "month", "register": REGISTER}
    return {**charge, "steps": steps or WATER, **more}


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(st.integers(1, 500), max_size=3, unique=True).map(sorted),
    st.tuples(PRICES, numbers(0, 6, 0), numbers(0, 10**5, 4), st.booleans()),
    st.sampled_from(["never", "always", {"outside": [25, 35]}, {"outside": [30, 31]}]),
    st.tuples(ROUNDINGS, st.sampled_from(["month", "quarter", "year"]), parts_of_periods()),
    st.lists(
        st.tuples(st.integers(-(10**5), 10**7), st.integers(0, 12), st.integers(0, 3)), max_size=3
    ),
)
def test_every_width_is_what_a_clerk_makes_it(
    bounds: list[int],
    terms: tuple[str, str, str, bool],
    width: Any,
    rules: tuple[dict[str, str], str, tuple[int, int, int]],
    rows: list[tuple[int, int, int]],
) -> None:
    rounding, per, (period_days, before, days) = rules
    steps = [[bound, str(place)] for place, bound in enumerate(bounds)]
    charge = water([*steps, [terms[0]]], per=per)
    charge["extra"] = {"attribute": "persons", "above": terms[1], "each": terms[2]}
    if terms[3]:
        charge["times"] = "dwellings"
    if per == "month":
        charge["days"] = width
    homes = [
        Home(
            use={REGISTER: use},
            before_year={REGISTER: 10**6},
            before_quarter={REGISTER: 10**5},
            attributes={"persons": persons * 10_000, "dwellings": dwellings * 10_000},
            days=days,
            days_before=before,
        )
        for use, persons, dwellings in rows
    ]
    agree(document_of([charge], rounding), homes, period_days)


def billed(charge: dict[str, Any], period_days: int = 30, **home: Any) -> list[int]:
    """Return the quantity in each step, whole units."""
    tariff = tariff_of([charge])
    columns = homes_as_columns(tariff, [Home(**home)], period_days)
    (line,) = rate(tariff, columns)
    return [quantity // 10_000 for quantity in line.parts.quantity[0].tolist()]


def test_each_person_above_four_widens_every_bound() -> None:
    charge = water(extra={"attribute": "persons", "above": 4, "each": "6"})
    use = {REGISTER: 400_000}

    assert billed(charge, use=use, attributes={"persons": 40_000}) == [12, 8, 20]
    assert billed(charge, use=use, attributes={"persons": 20_000}) == [12, 8, 20]
    assert billed(charge, use=use, attributes={"persons": 60_000}) == [24, 8, 8]


def test_each_bound_may_be_widened_by_its_own() -> None:
    charge = water(extra={"attribute": "persons", "above": 4, "each": ["3", "5"]})

    assert billed(charge, use={REGISTER: 400_000}, attributes={"persons": 50_000}) == [15, 10, 15]


def test_a_meter_of_three_dwellings_has_three_times_the_widths() -> None:
    charge = water(times="dwellings")

    assert billed(charge, use={REGISTER: 700_000}, attributes={"dwellings": 30_000}) == [36, 24, 10]


@pytest.mark.parametrize(
    ("days", "period_days", "expected"),
    [
        ("never", 60, [12, 8, 20]),
        ("always", 60, [24, 16, 0]),
        ("always", 15, [6, 4, 30]),
        ({"outside": [25, 35]}, 31, [12, 8, 20]),
        ({"outside": [25, 35]}, 60, [24, 16, 0]),
        ({"outside": [25, 35]}, 15, [6, 4, 30]),
    ],
)
def test_widths_follow_the_days_of_the_period_where_the_tariff_says_so(
    days: Any, period_days: int, expected: list[int]
) -> None:
    home = {"use": {REGISTER: 400_000}, "days": period_days}

    assert billed(water(days=days), period_days, **home) == expected


def test_half_a_month_has_half_the_widths_and_says_them() -> None:
    tariff = tariff_of([water()])
    home = Home(use={REGISTER: 200_000}, days=15)
    (line,) = rate(tariff, homes_as_columns(tariff, [home], 30))
    (said,) = parts(line)

    assert line.parts.quantity.tolist() == [[60_000, 40_000, 100_000]]
    assert [part.get("until") for part in said] == ["6", "10", None]


@given(st.integers(1, 30), st.integers(1, 10**6))
def test_the_parts_of_a_month_have_its_widths_together(first: int, bound: int) -> None:
    charge = water([[f"{bound // 10_000}.{bound % 10_000:04}", "1"], ["2"]])
    tariff = tariff_of([charge])
    use = {REGISTER: 10**9}
    homes = [Home(use=use, days=first), Home(use=use, days=31 - first, days_before=first)]
    (line,) = rate(tariff, homes_as_columns(tariff, homes, 31))

    assert int(line.parts.quantity[:, 0].sum()) == bound


def test_widths_of_a_year_go_on_and_are_not_cut_by_days() -> None:
    charge = water(per="year")
    home = {"use": {REGISTER: 100_000}, "before_year": {REGISTER: 100_000}, "days": 3}

    assert billed(charge, **home) == [2, 8, 0]


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        (
            {"extra": {"attribute": "persons", "above": 4, "each": ["1", "2", "3"]}},
            "3 numbers for 2",
        ),
        ({"extra": {"attribute": "persons", "above": 4, "each": ["5", "3"]}}, "must not fall"),
        ({"per": "year", "days": "always"}, "do not follow days; leave out days"),
        ({"days": {"outside": [35, 25]}}, r"outside is \[least, most\] days"),
        ({"days": "sometimes"}, "days"),
    ],
)
def test_widths_that_do_not_fit_are_refused(changes: dict[str, Any], advice: str) -> None:
    with pytest.raises(ValidationError, match=advice):
        tariff_of([{**water(), **changes}])
