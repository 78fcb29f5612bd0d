"""The rules: what stands out of a register's use, and what does not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.vee.findings import (
    HighUse,
    LowUse,
    MasterMismatch,
    Spike,
    Stuck,
    SumMismatch,
    ZeroTooLong,
)
from billing.vee.rules import (
    Watched,
    against_subs,
    disagreeing_bands,
    disagreeing_days,
    found,
    may_stand_out,
)
from billing.vee.settings import Validation
from meters.definition import Definition
from meters.estimate import Method

FIRST = date(2026, 10, 1)
DEFAULT = Validation()


def scaled(use: int | str) -> int:
    return int(Decimal(use) * 10_000)


def kinds(settings: Validation = DEFAULT, **known: Any) -> list[str]:
    watched = Watched(**{"use": 0, "first": FIRST, "days": 30, **known})
    return [type(each).__name__ for each in found(watched, settings)]


def days(*uses: int | str | None) -> list[int | None]:
    return [None if use is None else scaled(use) for use in uses]


def months(*uses: int) -> list[tuple[int, int]]:
    return [(scaled(use), 30) for use in uses]


def test_use_is_high_above_so_many_times_the_average_and_not_at_it() -> None:
    before = months(90, 90)

    assert kinds(use=scaled(360), before=before) == []
    assert kinds(use=scaled("360.0001"), before=before) == ["HighUse"]


def test_use_is_low_below_a_share_of_the_average_and_not_at_it() -> None:
    before = months(300, 300)

    assert kinds(use=scaled(30), before=before) == []
    assert kinds(use=scaled("29.9999"), before=before) == ["LowUse"]
    assert kinds(use=scaled(1), before=before, vacant=True) == []


def test_high_and_low_say_what_a_day_used_and_used_to_use() -> None:
    high = found(Watched(use=scaled(3000), first=FIRST, days=30, before=months(90, 60)), DEFAULT)
    assert list(high) == [HighUse(Decimal(100), Decimal("2.5"))]

    low = found(Watched(use=0, first=FIRST, days=30, before=months(90, 60)), DEFAULT)
    assert list(low) == [LowUse(Decimal(0), Decimal("2.5"))]


def test_months_of_other_lengths_are_compared_by_the_day() -> None:
    february = [(scaled(280), 28), (scaled(310), 31)]

    assert kinds(use=scaled(1240), days=31, before=february) == []
    assert kinds(use=scaled(1241), days=31, before=february) == ["HighUse"]


def test_with_too_few_months_nothing_is_high_or_low() -> None:
    assert kinds(use=scaled(9999), before=months(30)) == []
    assert kinds(Validation(months=1), use=scaled(9999), before=months(30)) == ["HighUse"]


def test_little_is_neither_high_nor_low() -> None:
    assert kinds(use=scaled(30), before=[(0, 30), (0, 30)]) == []
    assert kinds(use=0, before=months(30, 30)) == []


def test_a_spike_is_held_against_the_third_highest_day() -> None:
    daily = days(2, 2, 2, 9, 100, 3)
    (spike,) = found(Watched(use=0, first=FIRST, days=6, daily=daily), DEFAULT)

    assert spike == Spike(date(2026, 10, 5), Decimal(100), Decimal(3))
    assert kinds(daily=days(2, 2, 15, 14, 3)) == []
    assert kinds(daily=days(1, 100)) == []


def test_nothing_for_too_long_is_said_with_its_first_day() -> None:
    daily = days(5, *[0] * 20, 4, *[None] * 3)
    (zero,) = found(Watched(use=0, first=FIRST, days=25, daily=daily), DEFAULT)

    assert zero == ZeroTooLong(date(2026, 10, 2), 20)
    assert kinds(daily=days(5, *[0] * 19, 4)) == []
    assert kinds(daily=days(*[0] * 30), vacant=True) == []


def test_a_day_that_nobody_knows_ends_a_standstill() -> None:
    assert kinds(daily=days(*[0] * 15, None, *[0] * 15)) == []


def test_a_counter_that_moved_every_day_and_then_stands_still_may_be_stuck() -> None:
    moving, still = [4, 5, 6, 4], [0] * 7
    (stuck,) = found(Watched(use=0, first=FIRST, days=11, daily=days(*moving, *still)), DEFAULT)

    assert stuck == Stuck(date(2026, 10, 5), 7)
    assert kinds(daily=days(*moving, *still[1:])) == []
    assert kinds(daily=days(*moving, *still, 3)) == []
    assert kinds(daily=days(4, 0, 6, 4, *still)) == []


def test_bands_that_do_not_make_up_their_total_are_named() -> None:
    uses = {
        "import_energy": scaled(100),
        "import_energy_t1": scaled(60),
        "import_energy_t2": scaled("41.0001"),
        "export_energy": scaled(3),
    }
    assert list(disagreeing_bands(uses, DEFAULT)) == [
        (
            "import_energy",
            SumMismatch("import_energy_t1 + import_energy_t2", Decimal("101.0001"), Decimal(100)),
        )
    ]
    uses["import_energy_t2"] = scaled(41)
    assert list(disagreeing_bands(uses, DEFAULT)) == []
    del uses["import_energy_t2"]
    assert list(disagreeing_bands(uses, DEFAULT)) == []


def test_days_that_do_not_sum_to_the_month_are_said_and_unknown_ones_say_nothing() -> None:
    assert disagreeing_days(days(1, 2), scaled(3)) is None
    assert disagreeing_days(days(1, None), scaled(3)) is None
    assert disagreeing_days([], scaled(3)) is None
    assert disagreeing_days(days(1, 5), scaled(3)) == SumMismatch(
        "its days", Decimal(6), Decimal(3)
    )


def test_a_master_may_differ_by_a_share_of_what_it_counts() -> None:
    subs = [scaled(50), scaled(35)]

    assert against_subs(scaled(100), subs, DEFAULT) is None
    assert against_subs(scaled("100.001"), subs, DEFAULT) == MasterMismatch(
        Decimal("100.001"), Decimal(85)
    )
    assert against_subs(scaled(100), [], DEFAULT) is None
    assert against_subs(0, [1], DEFAULT) is not None


@given(
    use=st.integers(0, 10**9),
    before=st.lists(st.tuples(st.integers(0, 10**8), st.integers(28, 31)), max_size=12),
    daily=st.lists(st.none() | st.integers(0, 10**7), max_size=31),
)
def test_no_rule_fails_on_any_numbers(
    use: int, before: list[tuple[int, int]], daily: list[int | None]
) -> None:
    for each in found(Watched(use=use, first=FIRST, days=30, before=before, daily=daily), DEFAULT):
        assert not each.blocks
        assert str(each)


USES = st.none() | st.sampled_from([0, 1, 10_000, 10_001, 50_000, 50_001]) | st.integers(0, 10**9)


@given(
    registers=st.integers(0, 9).flatmap(
        lambda width: st.lists(st.lists(USES, min_size=width, max_size=width), min_size=1)
    ),
    off=st.sampled_from([0, 0, 1]),
    settings=st.builds(
        Validation,
        zero_days=st.integers(1, 5),
        stuck_days=st.integers(1, 5),
        spike=st.sampled_from([Decimal(5), Decimal("1.3")]),
    ),
)
def test_whose_days_may_not_stand_out_has_nothing_to_be_said_of_them(
    registers: list[list[int | None]], off: int, settings: Validation
) -> None:
    daily = np.array([[use or 0 for use in row] for row in registers], np.int64)
    known = np.array([[use is not None for use in row] for row in registers], np.bool_)
    uses = daily.sum(axis=1) + off

    suspected = may_stand_out(uses, daily, known, settings).tolist()

    for row, use, suspect in zip(registers, uses.tolist(), suspected, strict=True):
        seen = Watched(use=use, first=FIRST, days=len(row) or 30, daily=row)
        if list(found(seen, settings)) or disagreeing_days(row, use) is not None:
            assert suspect


def test_days_that_are_as_ever_are_not_looked_at_one_by_one() -> None:
    daily = np.array([[30_000, 40_000, 20_000, 30_000], [30_000, 40_000, 20_000, 900_000]])
    known = np.ones(daily.shape, np.bool_)

    assert may_stand_out(daily.sum(axis=1), daily, known, DEFAULT).tolist() == [False, True]
    assert may_stand_out(daily.sum(axis=1) - 1, daily, known, DEFAULT).tolist() == [True, True]


def test_a_community_that_says_nothing_has_the_documented_defaults() -> None:
    assert [str(rule) for rule in DEFAULT.blocks] == ["SumMismatch"]
    assert isinstance(DEFAULT, Definition)
    assert DEFAULT.estimate is None


@pytest.mark.parametrize("method", [Method.STATED, Method.BY_DAYS])
def test_what_nobody_read_is_not_estimated_by_what_needs_a_person_or_a_reading(
    method: Method,
) -> None:
    with pytest.raises(ValueError, match="no way to estimate"):
        Validation(estimate=method)
