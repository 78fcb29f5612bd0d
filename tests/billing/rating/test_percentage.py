"""A percentage of earlier lines."""

from __future__ import annotations

from typing import Any

import one_draw as st
from hypothesis import settings
from one_draw import given
from rating_clerk import EXAMPLES, ROUNDINGS, agrees_with_the_clerk, numbers, rated, tariff_of

PERCENTS = numbers(-(10**6), 2 * 10**6, 4)
ENERGY = {"name": "energy", "kind": "per-unit", "register": "import_energy", "price": "0.5383"}
FEE = {"name": "fee", "kind": "fixed", "amount": "7.77"}


def surcharge(percent: str, of: list[str], name: str = "surcharge") -> dict[str, Any]:
    return {"name": name, "kind": "percentage", "of": of, "percent": percent}


@settings(max_examples=EXAMPLES, deadline=None)
@given(PERCENTS, PERCENTS, ROUNDINGS, st.lists(st.integers(-(10**8), 10**8), max_size=3))
def test_every_surcharge_and_tax_on_it_is_what_a_clerk_makes_it(
    percent: str,
    tax: str,
    rounding: dict[str, str],
    uses: list[int],
) -> None:
    charges = [
        ENERGY,
        FEE,
        surcharge(percent, ["energy"]),
        surcharge(tax, ["surcharge", "fee"], "tax"),
    ]
    agrees_with_the_clerk(charges, rounding, [(0, use, 0) for use in uses])


def test_the_base_is_the_lines_as_billed() -> None:
    tariff = tariff_of([ENERGY, FEE, surcharge("13", ["energy", "fee"])])
    *_, line = rated(tariff, [(0, 1_000_000, 0)])

    assert line.unit == "CNY"
    assert line.quantity.tolist() == [616_000]
    assert line.parts.price.tolist() == [130_000]
    assert line.amount.tolist() == [801]
