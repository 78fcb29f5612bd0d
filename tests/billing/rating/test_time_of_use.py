"""Time of use: each band at its price, from tariff registers or from interval data."""

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
    tariff_of,
)
from tariff_oracle import Home

from billing.rating.rate import rate
from billing.rating.subjects import Needs

BANDS = ("flat", "peak", "sharp", "valley")
REGISTERS = {band: f"import_energy_t{place}" for place, band in enumerate(BANDS, start=1)}
CALENDAR = {
    "days": [
        {"bands": [["00:00", "valley"], ["08:00", "peak"], ["11:00", "sharp"], ["12:00", "flat"]]}
    ]
}


def by_registers(prices: dict[str, str]) -> dict[str, Any]:
    registers = {band: REGISTERS[band] for band in prices}
    return {"name": "energy", "kind": "time-of-use", "registers": registers, "prices": prices}


def by_calendar(prices: dict[str, str]) -> dict[str, Any]:
    return {"name": "energy", "kind": "time-of-use", "register": REGISTER, "prices": prices}


USES = st.tuples(*[st.integers(-(10**6), 10**8)] * 4)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.tuples(*[PRICES] * 4), ROUNDINGS, st.lists(USES, max_size=3))
def test_every_use_of_registers_costs_what_a_clerk_makes_it(
    prices: tuple[str, ...], rounding: dict[str, str], uses: list[tuple[int, ...]]
) -> None:
    charge = by_registers(dict(zip(BANDS, prices, strict=True)))
    homes = [Home(use=dict(zip(REGISTERS.values(), use, strict=True))) for use in uses]
    agree(document_of([charge], rounding), homes)


@st.composite
def use_in_runs(draw: st.DrawFn) -> list[tuple[tuple[str, int], ...]]:
    """Return the runs of up to two homes, which are in the same bands."""
    bands = draw(st.lists(st.sampled_from(BANDS), min_size=1, max_size=6))
    uses = draw(st.lists(st.tuples(*[st.integers(0, 10**8)] * len(bands)), max_size=2))
    return [tuple(zip(bands, use, strict=True)) for use in uses]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.tuples(*[PRICES] * 4),
    ROUNDINGS,
    use_in_runs(),
)
def test_every_use_of_interval_data_costs_what_a_clerk_makes_it(
    prices: tuple[str, ...], rounding: dict[str, str], runs: list[tuple[tuple[str, int], ...]]
) -> None:
    charge = by_calendar(dict(zip(BANDS, prices, strict=True)))
    homes = [Home(use={REGISTER: sum(use for _, use in each)}, runs=each) for each in runs]
    agree(document_of([charge], rounding, calendar=CALENDAR), homes)


def test_a_line_has_a_part_for_each_band_and_the_use_of_all() -> None:
    charge = by_registers({"peak": "0.568", "valley": "0.288"})
    tariff = tariff_of([charge])
    home = Home(use={"import_energy_t2": 1_000_000, "import_energy_t4": 500_000})
    (line,) = rate(tariff, homes_as_columns(tariff, [home], 30))

    assert [label.band for label in tariff.charges[0].labels] == ["peak", "valley"]
    assert line.parts.quantity.tolist() == [[1_000_000, 500_000]]
    assert line.quantity.tolist() == [1_500_000]
    assert line.amount.tolist() == [5680 + 1440]


def test_interval_data_is_asked_for_by_band_and_registers_are_not() -> None:
    prices = dict.fromkeys(BANDS, "1")
    assert tariff_of([by_calendar(prices)], calendar=CALENDAR).needs == Needs(
        registers=frozenset({REGISTER}), bands=frozenset({REGISTER})
    )
    assert tariff_of([by_registers(prices)]).needs == Needs(registers=frozenset(REGISTERS.values()))


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"register": REGISTER}, "bands come either from registers"),
        ({"registers": {"peak": "t1", "valley": "t1"}}, "a register for two bands"),
        ({"registers": {"peak": "t1"}}, "only one names valley"),
        ({"registers": None}, "bands come either from registers"),
    ],
)
def test_bands_without_one_source_and_one_price_are_refused(
    changes: dict[str, Any], advice: str
) -> None:
    with pytest.raises(ValidationError, match=advice):
        tariff_of([{**by_registers({"peak": "1", "valley": "2"}), **changes}])
