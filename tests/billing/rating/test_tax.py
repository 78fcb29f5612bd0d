"""Tax: included in prices or added as a line; every line states its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import one_draw as st
import pytest
from hypothesis import settings
from one_draw import given
from rating_clerk import (
    EXAMPLES,
    REGISTER,
    ROUNDINGS,
    agree,
    document_of,
    homes_as_columns,
    numbers,
    rated,
    tariff_of,
)
from tariff_oracle import Home

from billing.rating.rate import rate

if TYPE_CHECKING:
    from billing.rating.exact import Carried

ENERGY = {"name": "energy", "kind": "per-unit", "register": REGISTER, "price": "0.5383"}
FEE = {"name": "fee", "kind": "fixed", "amount": "7.77"}


def vat(name: str, percent: str, *, included: bool) -> dict[str, Any]:
    return {"name": name, "title": {"zh": "增值税"}, "percent": percent, "included": included}


PERCENTS = numbers(0, 999_999, 4)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.tuples(PERCENTS, PERCENTS),
    st.tuples(st.booleans(), st.booleans()),
    ROUNDINGS,
    st.lists(st.integers(-(10**7), 10**8), max_size=4),
)
def test_every_tax_is_what_a_clerk_makes_it(
    percents: tuple[str, str],
    included: tuple[bool, bool],
    rounding: dict[str, str],
    uses: list[int],
) -> None:
    taxes = [
        vat(name, percent, included=inside)
        for name, percent, inside in zip(("vat-a", "vat-b"), percents, included, strict=True)
    ]
    charges = [
        {**ENERGY, "tax": "vat-a"},
        {**FEE, "tax": "vat-b"},
        {**FEE, "name": "more", "tax": "vat-a"},
        {**FEE, "name": "untaxed"},
    ]
    homes = [Home(use={REGISTER: use}) for use in uses]
    agree(document_of(charges, rounding, tax=taxes), homes)


def test_included_tax_is_stated_and_changes_no_amount() -> None:
    tariff = tariff_of(
        [{**FEE, "amount": "113", "tax": "vat"}], tax=[vat("vat", "13", included=True)]
    )
    (line,) = rated(tariff, [(0, 0, 0)])

    assert line.amount.tolist() == [11_300]
    assert line.tax is not None
    assert line.tax.amount.tolist() == [1300]


def test_added_tax_is_a_line_that_sums_what_lines_state() -> None:
    charges = [
        {**FEE, "amount": "0.50", "tax": "vat"},
        {**FEE, "name": "b", "amount": "0.50", "tax": "vat"},
    ]
    first, second, tax = rated(
        tariff_of(charges, tax=[vat("vat", "3", included=False)]), [(0, 0, 0)]
    )

    assert first.tax is not None
    assert second.tax is not None
    assert first.tax.amount.tolist() == second.tax.amount.tolist() == [2]
    assert tax.charge == "vat"
    assert tax.unit == "CNY"
    assert tax.amount.tolist() == [4]


@pytest.mark.parametrize("included", [True, False])
def test_the_spans_of_a_charge_state_together_the_tax_of_one_line(
    included: bool,  # noqa: FBT001 - pytest names it
) -> None:
    """3 % of three times 0.50 are 0.045: 0.05 together, and not three times 0.02."""
    tax = vat("vat", "3", included=included)
    tariff = tariff_of([{**ENERGY, "price": "0.5", "tax": "vat"}], tax=[tax])
    carried: dict[str, tuple[Carried]] = {}
    stated, added = [], []
    for before in (0, 10, 20):
        home = Home(use={REGISTER: 10_000}, days=10, days_before=before)
        lines = rate(tariff, homes_as_columns(tariff, [home], 30, carried))
        carried = {line.charge: (line.carry(0),) for line in lines}
        assert lines[0].tax is not None
        stated.append(int(lines[0].tax.amount[0]))
        added.append(sum(int(line.amount[0]) for line in lines[1:]))

    assert stated == ([1, 2, 1] if included else [2, 1, 2])
    assert added == ([0, 0, 0] if included else stated)


def test_a_credit_states_its_tax_as_a_credit() -> None:
    tariff = tariff_of([{**ENERGY, "tax": "vat"}], tax=[vat("vat", "13", included=True)])
    (line,) = rated(tariff, [(0, -1_000_000, 0), (0, 1_000_000, 0)])

    assert line.tax is not None
    assert line.tax.amount.tolist() == [-619, 619]
