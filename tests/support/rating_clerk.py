"""Tariffs for tests, homes as columns, and whether both agree with the oracle."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import one_draw as st
from tariff_oracle import Home, Oracle

from billing.money import Column, from_fen
from billing.rating.rate import ChargeColumns, rate
from billing.rating.subjects import AREA, BandUse, Classes, Subjects
from billing.tariff import Tariff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.rating.exact import Carried

EVERY_ROUNDING = [
    {"direction": direction, "unit": unit, "place": place}
    for direction in ("half-up", "half-even", "down", "up")
    for unit in ("0.01", "0.1", "1", "10")
    for place in ("step", "line", "bill")
]
"""Every way in which a tariff may round."""
ROUNDINGS = st.sampled_from(EVERY_ROUNDING)
TOGETHER = st.sampled_from([each for each in EVERY_ROUNDING if each["place"] != "step"])
"""Those by which the spans of a charge are rounded together."""
PRORATIONS = st.sampled_from(["days", "thirty", "whole"])


@st.composite
def parts_of_periods(draw: st.DrawFn) -> tuple[int, int, int]:
    """Return the days of a period, those before a span of it, and those of the span."""
    period_days = draw(st.integers(28, 31))
    first = draw(st.integers(0, period_days - 1))
    return period_days, first, draw(st.integers(1, period_days - first))


def numbers(low: int, high: int, places: int) -> st.Part[str]:
    """Return texts of numbers from `low` to `high`, integers of 10^-places."""
    return st.integers(low, high).map(lambda each: str(Decimal(each).scaleb(-places)))


PRICES = numbers(0, 10**8, 6)
CENTS = {"direction": "half-up", "unit": "0.01", "place": "line"}
REGISTER = "import_energy"
EXAMPLES = 2000
"""How many cases of each kind of charge are held against the oracle."""


def tariff_of(
    charges: Sequence[dict[str, Any]], rounding: dict[str, str] | None = None, **more: Any
) -> Tariff:
    """Return a tariff of `charges`, its example unproven: the tests prove it."""
    return Tariff.model_validate(document_of(charges, rounding, **more))


def document_of(
    charges: Sequence[dict[str, Any]], rounding: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "kind": "tariff",
        "id": "tested",
        "version": 1,
        "title": {"en": "Tested"},
        "medium": "electricity",
        "currency": "CNY",
        "valid_from": "2026-01-01",
        "rounding": rounding or CENTS,
        "charge": [{"title": {"en": charge["name"]}, **charge} for charge in charges],
        "example": [{"expect": 0}],
        **more,
    }


def rated(tariff: Tariff, rows: Sequence[tuple[int, int, int]]) -> tuple[ChargeColumns, ...]:
    """Rate rows of (before, use, area), all scaled, as columns."""
    return rate(tariff, homes_as_columns(tariff, [home_of(tariff, *row) for row in rows], 30))


def home_of(tariff: Tariff, before: int, use: int, area: int) -> Home:
    return Home(
        use=dict.fromkeys(tariff.needs.registers, use),
        before_year=dict.fromkeys(tariff.needs.year_to_date, before),
        before_quarter=dict.fromkeys(tariff.needs.quarter_to_date, before),
        attributes={AREA: area},
    )


def homes_as_columns(
    tariff: Tariff,
    homes: Sequence[Home],
    period_days: int,
    carried: Mapping[str, Sequence[Carried]] | None = None,
) -> Subjects:
    """Return the columns that `tariff` reads of homes, which have the same bands in their runs."""
    needs = tariff.needs
    bands = tuple(band for band, _ in homes[0].runs) if homes else ()
    runs = np.array([[use for _, use in home.runs] for home in homes], dtype=np.int64)
    return Subjects(
        count=len(homes),
        period_days=period_days,
        days=column([home.days for home in homes]),
        days_before=column([home.days_before for home in homes]),
        use={name: column([home.use[name] for home in homes]) for name in needs.registers},
        before_year={
            name: column([home.before_year[name] for home in homes]) for name in needs.year_to_date
        },
        before_quarter={
            name: column([home.before_quarter[name] for home in homes])
            for name in needs.quarter_to_date
        },
        bands={name: BandUse(bands, runs.reshape(len(homes), len(bands))) for name in needs.bands},
        demand={need: column([home.demand for home in homes]) for need in needs.demand},
        peak_before={
            need: column([home.peak for home in homes])
            for need in needs.demand
            if need.ratchet_months
        },
        attributes={
            name: column([home.attributes[name] for home in homes]) for name in needs.attributes
        },
        classes=Classes.of([home.customer_class for home in homes]) if needs.classes else None,
        carried=carried or {},
    )


def column(values: Sequence[int]) -> Column:
    return np.array(values, dtype=np.int64)


def agrees_with_the_clerk(
    charges: Sequence[dict[str, Any]],
    rounding: dict[str, str],
    rows: Sequence[tuple[int, int, int]],
) -> None:
    """Assert that every amount of every row of scaled (before, use, area) is the oracle's."""
    tariff = tariff_of(charges, rounding)
    agree(document_of(charges, rounding), [home_of(tariff, *row) for row in rows])


def agree(document: dict[str, Any], homes: Sequence[Home], period_days: int = 30) -> None:
    """Assert that every line and every stated tax of every home is what the oracle makes it."""
    tariff = Tariff.model_validate(document)
    oracle = Oracle(document, period_days)
    lines = rate(tariff, homes_as_columns(tariff, homes, period_days))
    for row, home in enumerate(homes):
        bill = oracle.bill(home)
        assert {line.charge: from_fen(int(line.amount[row])) for line in lines} == bill.lines
        stated: dict[str, Any] = {}
        for line in lines:
            if line.tax is not None:
                name = line.tax.tax.name
                stated[name] = stated.get(name, 0) + from_fen(int(line.tax.amount[row]))
        assert stated == bill.taxes
