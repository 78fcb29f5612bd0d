"""What a pool shares: its unit, what a master lost, and what documents say was paid for it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from small_community import PUBLIC

from billing.pools.margin import paid_of
from billing.pools.supply import Supply, SupplyPart, lost, rated
from billing.rating.rate import rate
from billing.rating.subjects import Subjects
from billing.tariff import parse_tariff

BASE: dict[str, Any] = {"name": "base", "title": {"en": "Base"}, "kind": "fixed", "amount": "10"}
PACKAGES: dict[str, Any] = {
    "name": "blocks",
    "title": {"en": "Blocks"},
    "kind": "packages",
    "register": "import_energy",
    "size": "100",
    "price": "50",
}


def master(*steps: tuple[int, int]) -> Supply:
    """Return what a master counted: steps of a quantity, 10⁻⁴ kWh, and an amount, fen."""
    parts = [
        SupplyPart(charge="energy", quantity=quantity, price=500_000, amount=amount)
        for quantity, amount in steps
    ]
    return Supply(
        quantity=sum(quantity for quantity, _ in steps),
        unit="kWh",
        amount=sum(amount for _, amount in steps),
        parts=tuple(parts),
    )


@pytest.mark.parametrize(
    ("charges", "expect"),
    [([BASE, *PUBLIC["charge"]], "568.30"), ([PACKAGES], "500.00")],
    ids=["a fixed amount comes first", "packages alone"],
)
def test_a_supply_is_counted_in_the_unit_of_its_meters_whatever_its_tariff_counts(
    charges: list[dict[str, Any]], expect: str
) -> None:
    example = {"usage": "1000", "expect": expect}
    tariff = parse_tariff({**PUBLIC, "charge": charges, "example": [example]}, "public")
    lines = rate(tariff, Subjects.one(period_days=30, use={"import_energy": 10_000_000}))

    assert rated(tariff, 10_000_000, lines).unit == "kWh"


def test_a_loss_is_a_part_of_every_step_of_its_master() -> None:
    supply = lost(master((600, 300), (400, 200)), 105)

    assert [part.quantity for part in supply.parts] == [63, 42]
    assert (supply.quantity, supply.amount) == (105, 53)
    assert sum(part.amount for part in supply.parts) == 53


def test_a_master_that_counted_back_loses_the_mirror_of_what_it_would_have_lost() -> None:
    there, back = (
        lost(master((600, 300), (400, 200)), 105),
        lost(master((-600, -300), (-400, -200)), -105),
    )

    assert back.amount == -there.amount
    assert [part.quantity for part in back.parts] == [-part.quantity for part in there.parts]
    assert sum(part.amount for part in back.parts) == back.amount


@pytest.mark.parametrize("quantity", [672_100, -672_100])
def test_a_loss_at_the_suppliers_own_price_is_no_more_than_its_part_of_the_bill(
    quantity: int,
) -> None:
    whole = master((20_000_000, 100_000))
    charged = lost(whole, quantity).amount

    assert charged == paid_of(100_000, Fraction(quantity, whole.quantity))
