"""Money: one rounding for integers and columns, sums that never wrap, splits that add up."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from billing.money import (
    Direction,
    InexactMoneyError,
    NothingToSplitByError,
    OverflowInMoneyError,
    Rounding,
    add,
    from_fen,
    from_price,
    largest_remainder,
    multiply,
    round_quotient,
    scaled,
    subtract,
    to_factor,
    to_fen,
    to_price,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ORACLE = {
    Direction.HALF_UP: ROUND_HALF_UP,
    Direction.HALF_EVEN: ROUND_HALF_EVEN,
    Direction.DOWN: ROUND_DOWN,
    Direction.UP: ROUND_UP,
}
INT64 = st.integers(-(2**63), 2**63 - 1)
DIVISORS = st.sampled_from([1, 2, 3, 7, 10, 10**8, 10**9, 10**10, 10**11])


def column(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def by_position(position: int) -> bytes:
    return position.to_bytes(4, "big")


@pytest.mark.parametrize(
    ("direction", "rounded"),
    [
        ("half-up", [-2, -1, -1, 0, 0, 1, 1, 2]),
        ("half-even", [-2, -1, 0, 0, 0, 0, 1, 2]),
        ("down", [-1, 0, 0, 0, 0, 0, 0, 1]),
        ("up", [-2, -1, -1, -1, 1, 1, 1, 2]),
    ],
)
def test_a_credit_rounds_as_the_mirror_of_the_charge(direction: str, rounded: list[int]) -> None:
    values = [-15, -6, -5, -4, 4, 5, 6, 15]

    assert [round_quotient(value, 10, Direction(direction)) for value in values] == rounded
    assert round_quotient(column(*values), 10, Direction(direction)).tolist() == rounded


@settings(max_examples=500, deadline=None)
@given(st.lists(st.integers(-(2**62), 2**62)), DIVISORS, st.sampled_from(Direction))
def test_integers_columns_and_decimals_round_alike(
    values: list[int], divisor: int, direction: Direction
) -> None:
    with localcontext() as context:
        context.prec = 60
        expected = [
            int((Decimal(value) / divisor).to_integral_value(ORACLE[direction]))
            if divisor not in {3, 7}
            else rounded_fraction(Fraction(value, divisor), direction)
            for value in values
        ]

    assert [round_quotient(value, divisor, direction) for value in values] == expected
    assert round_quotient(column(*values), divisor, direction).tolist() == expected


def rounded_fraction(value: Fraction, direction: Direction) -> int:
    floor = abs(value).__floor__()
    rest = abs(value) - floor
    up = {
        Direction.UP: rest > 0,
        Direction.DOWN: False,
        Direction.HALF_UP: rest >= Fraction(1, 2),
        Direction.HALF_EVEN: rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1),
    }[direction]
    return (floor + up) * (-1 if value < 0 else 1)


@pytest.mark.parametrize(
    ("unit", "fen"), [("0.01", 1_234_568), ("0.1", 1_234_570), ("1", 1_234_600), ("10", 1_235_000)]
)
def test_amounts_become_multiples_of_the_rounding_unit(unit: str, fen: int) -> None:
    unrounded = scaled(Decimal("12345.675"), 10)

    assert Rounding(unit=unit).amount(unrounded) == fen
    assert Rounding(unit=unit).amount(column(-unrounded)).tolist() == [-fen]


def test_a_rounding_that_nobody_knows_is_refused() -> None:
    for wrong in ({"unit": "0.05"}, {"direction": "nearest"}, {"place": "page"}, {"digits": 2}):
        with pytest.raises(ValidationError):
            Rounding.model_validate(wrong)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(INT64, INT64), min_size=1), INT64)
def test_no_column_ever_wraps(pairs: list[tuple[int, int]], factor: int) -> None:
    left, right = column(*[a for a, _ in pairs]), column(*[b for _, b in pairs])

    exact_or_raised(lambda: add(left, right), [a + b for a, b in pairs])
    exact_or_raised(lambda: subtract(left, right), [a - b for a, b in pairs])
    exact_or_raised(lambda: multiply(left, factor), [a * factor for a, _ in pairs])
    exact_or_raised(
        lambda: round_quotient(left, 10**8, Direction.HALF_UP),
        [round_quotient(a, 10**8, Direction.HALF_UP) for a, _ in pairs],
    )
    exact_or_raised(
        lambda: Rounding(unit="10", direction=Direction.UP).amount(left),
        [Rounding(unit="10", direction=Direction.UP).amount(a) for a, _ in pairs],
    )


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.tuples(INT64, st.integers(1, 10**6)), min_size=1),
    st.sampled_from(Direction),
    st.sampled_from(["0.01", "10"]),
)
def test_a_divisor_of_its_own_for_each_row_is_divided_by_once(
    rows: list[tuple[int, int]], direction: Direction, unit: str
) -> None:
    values, divisors = column(*[a for a, _ in rows]), column(*[b for _, b in rows])
    rounding = Rounding(unit=unit, direction=direction)
    fen = 10**8 * (1 if unit == "0.01" else 1000)

    exact_or_raised(lambda: multiply(values, divisors), [a * b for a, b in rows])
    exact_or_raised(
        lambda: round_quotient(values, divisors, direction),
        [rounded_fraction(Fraction(a, b), direction) for a, b in rows],
    )
    exact_or_raised(
        lambda: rounding.amount(values, divisors),
        [rounded_fraction(Fraction(a, b * fen), direction) * (fen // 10**8) for a, b in rows],
    )
    assert [rounding.amount(a, b) for a, b in rows] == [
        rounded_fraction(Fraction(a, b * fen), direction) * (fen // 10**8) for a, b in rows
    ]


def exact_or_raised(operation: Callable[[], np.ndarray], exact: list[int]) -> None:
    try:
        result = operation()
    except OverflowInMoneyError:
        return
    assert result.tolist() == exact


@pytest.mark.parametrize(
    "operation",
    [
        lambda: add(column(2**62), column(2**62)),
        lambda: subtract(column(-(2**62)), column(2**62 + 1)),
        lambda: multiply(column(2**40), 2**23),
        lambda: multiply(column(0), 2**63),
        lambda: round_quotient(column(-(2**63)), 10, Direction.DOWN),
    ],
)
def test_overflow_raises_and_says_where_to_look(operation: Callable[[], np.ndarray]) -> None:
    with pytest.raises(OverflowInMoneyError, match="64 bits hold; look for a wrong reading"):
        operation()


def test_what_fits_does_not_raise() -> None:
    assert multiply(column(2**40), 2**22).tolist() == [2**62]
    assert add(column(), column()).tolist() == []


def test_prices_keep_six_decimals_and_money_two() -> None:
    assert to_price(Decimal("0.538312")) == 538_312
    assert from_price(538_312) == Decimal("0.538312")
    assert to_factor(Decimal("13.5")) == 135_000
    assert to_fen(Decimal(2852)) == 285_200
    assert str(from_fen(285_200)) == "2852.00"
    assert str(from_fen(-5)) == "-0.05"


@pytest.mark.parametrize(
    "number", ["0.001", "1e-30", "12345678901234567890123456789.001", "1E+19", "1E+999999999"]
)
def test_money_that_does_not_fit_is_refused_at_once(number: str) -> None:
    with pytest.raises(InexactMoneyError):
        to_fen(Decimal(number))


def test_a_hundred_over_three_is_one_odd_cent_and_no_more() -> None:
    split = largest_remainder(10_000, [1, 1, 1], tie_key=by_position)

    assert split.parts == (3334, 3333, 3333)
    assert split.odd == (1, 0, 0)


def test_the_loss_of_a_master_meter_is_shared_by_use() -> None:
    split = largest_remainder(618_000, [23_104, 18_779, 30_500, 12_056], tie_key=by_position)

    assert split.parts == (169_096, 137_441, 223_226, 88_237)


WEIGHTS = st.lists(st.integers(0, 10**7), min_size=1, max_size=40).filter(any)
TOTALS = st.integers(-(10**12), 10**12)


@settings(max_examples=500, deadline=None)
@given(TOTALS, WEIGHTS)
def test_a_split_sums_to_its_total_and_stays_within_one_of_the_exact_share(
    total: int, weights: list[int]
) -> None:
    split = largest_remainder(total, weights, tie_key=by_position)

    assert sum(split.parts) == total
    for part, odd, weight in zip(split.parts, split.odd, weights, strict=True):
        exact = Fraction(total * weight, sum(weights))
        assert abs(part - exact) < 1
        assert part - odd == int(exact)
        if weight == 0:
            assert part == 0


@settings(max_examples=500, deadline=None)
@given(TOTALS, WEIGHTS)
def test_no_smaller_remainder_is_preferred_to_a_larger(total: int, weights: list[int]) -> None:
    split = largest_remainder(total, weights, tie_key=by_position)
    rests = [abs(Fraction(total * weight, sum(weights))) % 1 for weight in weights]
    chosen = [rest for rest, odd in zip(rests, split.odd, strict=True) if odd]
    passed_over = [rest for rest, odd in zip(rests, split.odd, strict=True) if not odd]

    assert min(chosen, default=1) >= max(passed_over, default=0)


@settings(max_examples=500, deadline=None)
@given(TOTALS, WEIGHTS, st.fractions(min_value="1/1000", max_value=1000))
def test_scaling_the_weights_changes_nothing(
    total: int, weights: list[int], factor: Fraction
) -> None:
    assume(factor > 0)

    scaled_weights = [weight * factor for weight in weights]

    assert largest_remainder(total, scaled_weights, tie_key=by_position) == largest_remainder(
        total, weights, tie_key=by_position
    )


@settings(max_examples=500, deadline=None)
@given(TOTALS, WEIGHTS)
def test_a_credit_is_split_as_the_mirror_of_the_charge(total: int, weights: list[int]) -> None:
    charge = largest_remainder(total, weights, tie_key=by_position)
    credit = largest_remainder(-total, weights, tie_key=by_position)

    assert credit.parts == tuple(-part for part in charge.parts)


def test_ties_are_asked_for_only_where_the_last_odd_cents_tie() -> None:
    asked: list[int] = []

    def tie_key(position: int) -> bytes:
        asked.append(position)
        return by_position(100 - position)

    split = largest_remainder(10, [5, 3, 3, 3, 2], tie_key=tie_key)

    assert split.parts == (3, 2, 2, 2, 1)
    assert asked == []
    assert largest_remainder(1, [1, 1, 1], tie_key=tie_key).parts == (0, 0, 1)
    assert sorted(asked) == [0, 1, 2]


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [3, -1]])
def test_weights_that_cannot_carry_a_split_are_refused(weights: list[int]) -> None:
    with pytest.raises(NothingToSplitByError):
        largest_remainder(100, weights, tie_key=by_position)
