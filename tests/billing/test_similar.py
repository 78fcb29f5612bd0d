"""Medians of similar households: of enough of them, rounded, whoever is away."""

from __future__ import annotations

import pytest

from billing.similar import FEWEST, Household, Median, medians, rounded

SMALL, LARGE, UNKNOWN = (
    Household("home", 800_000),
    Household("home", 1_500_000),
    Household("home", None),
)
SHOP = Household("shop", 800_000)


def uses(*quantities: int) -> dict[int, int]:
    return dict(enumerate(quantities))


def test_ten_of_a_like_area_make_a_median_and_nine_do_not() -> None:
    used = uses(*(each * 10_000 for each in range(1, 11)))
    of = dict.fromkeys(used, SMALL)
    assert medians(used, of).of(SMALL) == Median(55_000, by_area=True)
    del used[9]
    assert medians(used, of).of(SMALL) is None


def test_too_few_of_a_like_area_are_told_those_of_their_class() -> None:
    used = uses(*(each * 10_000 for each in range(1, 13)))
    of = {each: SMALL if each < 9 else LARGE for each in used} | {11: UNKNOWN}
    found = medians(used, of)
    assert [found.of(each) for each in (SMALL, LARGE, UNKNOWN)] == [
        Median(65_000, by_area=False)
    ] * 3
    assert found.of(SHOP) is None


def test_another_class_counts_for_nothing() -> None:
    used = uses(*[10_000] * 10, *[990_000] * 10)
    of = {each: SMALL if each < 10 else SHOP for each in used}
    found = medians(used, of)
    assert found.of(SMALL) == Median(10_000, by_area=True)
    assert found.of(SHOP) == Median(990_000, by_area=True)


def test_who_is_away_neither_shows_nor_hides_the_median() -> None:
    at_home = uses(*(200_000 + each * 1_000 for each in range(FEWEST)))
    of = dict.fromkeys(at_home, SMALL)
    away = {**at_home, 0: 0}
    assert (
        medians(at_home, of).of(SMALL)
        == medians(away, of).of(SMALL)
        == Median(200_000, by_area=True)
    )


def test_a_unit_that_nothing_is_known_of_counts_for_nothing() -> None:
    used = uses(*[10_000] * 10)
    assert medians(used, dict.fromkeys(range(9), SMALL)).of(SMALL) is None


@pytest.mark.parametrize(
    ("exact", "told"),
    [
        (0, 0),
        (7, 7),
        (99, 99),
        (100, 100),
        (104, 100),
        (105, 110),
        (3_124_000, 3_100_000),
        (995, 1_000),
    ],
)
def test_a_median_keeps_two_digits(exact: int, told: int) -> None:
    assert rounded(exact) == told


@pytest.mark.parametrize(
    ("area", "band"),
    [(1, 0), (600_000, 0), (600_001, 1), (900_000, 1), (1_440_000, 3), (1_440_001, 4)],
)
def test_a_band_ends_with_its_area(area: int, band: int) -> None:
    assert Household("home", area).band == band
