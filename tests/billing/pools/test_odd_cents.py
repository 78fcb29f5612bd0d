"""Odd cents: who gets them this month, and that they go round over the months."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.money import NothingToSplitByError
from billing.pools.odd_cents import CARRIED_PER_UNIT, split, spread

FLATS = {f"{n:02}": area for n, area in enumerate([8950, 8950, 11_020, 6410, 12_000, 7333])}
"""Unit → area in hundredths of a m²: remainders that are unequal each month, but alike."""


def turn(place: int) -> bytes:
    return bytes([place])


def year(monthly: int, weights: list[int]) -> tuple[list[int], list[int], list[Counter[int]]]:
    """Return what each has paid in twelve months, owes still, and got of odd cents each month."""
    carried = [0] * len(weights)
    paid = [0] * len(weights)
    months = []
    for _ in range(12):
        made = split(monthly, weights, carried=carried, tie_key=turn)
        carried = list(made.carried)
        paid = [one + more for one, more in zip(paid, made.parts, strict=True)]
        months.append(Counter({place: odd for place, odd in enumerate(made.odd) if odd}))
    return paid, carried, months


def test_the_odd_cent_does_not_go_to_the_same_flats_each_month() -> None:
    weights = list(FLATS.values())
    alone = split(10_007, weights, carried=[0] * 6, tie_key=turn).odd
    paid, _, months = year(10_007, weights)

    # by the largest remainder alone, those that win now would pay it twelve times, others never
    assert 0 < sum(alone) < 6
    received = sum(months, Counter())
    assert received.total() == 12 * sum(alone)
    assert max(received.values()) < 12
    assert any(received[place] for place in range(6) if not alone[place])
    for place, weight in enumerate(weights):
        exact = Fraction(12 * 10_007 * weight, sum(weights))
        assert abs(paid[place] - exact) < 1


def test_equal_flats_take_turns() -> None:
    _, _, months = year(10_000, [1] * 24)

    received = sum(months, Counter())
    assert set(received.values()) == {8}  # 16 odd cents a month are 192 a year, 8 for each


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(1, 2_000_000), min_size=1, max_size=12),
    st.lists(st.integers(-(10**6), 10**7), min_size=12, max_size=36),
)
def test_nobody_is_ever_two_cents_off_however_long_it_goes_on(
    weights: list[int], months: list[int]
) -> None:
    carried = [0] * len(weights)
    paid = [0] * len(weights)
    exact = [Fraction(0)] * len(weights)
    for amount in months:
        made = split(amount, weights, carried=carried, tie_key=turn)
        carried = list(made.carried)
        paid = [one + more for one, more in zip(paid, made.parts, strict=True)]
        exact = [
            one + Fraction(amount * weight, sum(weights))
            for one, weight in zip(exact, weights, strict=True)
        ]
        for place, owed in enumerate(carried):
            difference = exact[place] - paid[place]
            assert abs(difference) < 2
            # what is carried is cut to a millionth of a cent each month, and no more
            assert abs(difference - Fraction(owed, CARRIED_PER_UNIT)) <= len(months) * Fraction(
                1, CARRIED_PER_UNIT
            )


def test_a_share_that_is_whole_takes_no_odd_cent_however_much_it_is_owed() -> None:
    made = split(100, [50, 25, 25], carried=[9_000_000, 0, 0], tie_key=turn)
    assert made.parts == (50, 25, 25)

    made = split(101, [100, 1, 0], carried=[0, 0, 5_000_000], tie_key=turn)
    assert made.parts == (100, 1, 0)


def test_a_credit_pays_back_what_was_owed() -> None:
    made = split(-1, [1, 1], carried=[400_000, -400_000], tie_key=turn)

    assert made.parts == (0, -1)  # who had paid too much gets it back
    assert made.carried == (-100_000, 100_000)


@pytest.mark.parametrize("weights", [[0, 0], [1, -1], [2, -1]])
def test_nothing_is_split_by_nothing_or_less(weights: list[int]) -> None:
    with pytest.raises(NothingToSplitByError, match="cannot split 5"):
        split(5, weights, carried=[0, 0], tie_key=turn)


def test_cells_of_a_table_add_up_both_ways() -> None:
    rows = split(7, [1, 1, 1], carried=[0] * 3, tie_key=turn).parts

    table = spread([1, 1, 1], rows, [5, 2])

    assert [sum(row) for row in table] == list(rows)
    assert [sum(column) for column in zip(*table, strict=True)] == [5, 2]
    assert {cell for row in table for cell in row} == {0, 1, 2}


def test_a_cell_takes_a_second_unit_where_no_table_does_without() -> None:
    weights, columns = [11, 27, 14, 28, 6, 12], [11, 6]
    rows = (1, 4, 3, 4, 2, 3)  # cut down 1, 4, 1, 4, 0, 1: three lack two, the columns two and four

    assert spread(weights, rows, columns) == ((1, 0), (3, 1), (2, 1), (3, 1), (1, 1), (1, 2))


def test_a_table_whose_sums_contradict_each_other_is_refused() -> None:
    with pytest.raises(ValueError, match="rows sum to 7, columns to 0; no table has both"):
        spread([1, 1, 1], [3, 2, 2], [])
