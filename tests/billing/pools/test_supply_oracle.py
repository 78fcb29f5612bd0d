"""Supplies by band against fractions: rated, lost and shared, exact in each band and step."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

from banded_yard import BY_REGISTERS, PRICES, REGISTERS, charge
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.pools.apportionment import Statement, apportion
from billing.pools.loss import missing_of, of_bands
from billing.pools.participant import Participant
from billing.pools.pool import Pool, parse_pool
from billing.pools.supply import Supply, lost, rated
from billing.rating.rate import rate
from billing.rating.subjects import Subjects
from billing.tariff import Tariff, parse_tariff

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES = 1_000
STEPS = [["300", PRICES], ["900", {band: f"{price}5" for band, price in PRICES.items()}]]
DEAREST = {"flat": "1", "peak": "1.7", "valley": "0.611111"}
PRICED = [dict(PRICES), {**PRICES, "peak": "1.234567"}, dict.fromkeys(PRICES, "0.000049")]
BANDS = tuple(sorted(REGISTERS))

Uses = dict[str, int]
"""Use by band, 10⁻⁴ kWh."""


@cache
def by_band(number: int) -> Tariff:
    energy = charge("energy", "time-of-use", registers=REGISTERS, prices=PRICED[number])
    usage = dict.fromkeys(REGISTERS.values(), "0")
    example = [{"usage": usage, "expect": "0"}]
    return parse_tariff({**BY_REGISTERS, "charge": [energy], "example": example}, "bands")


@cache
def by_band_and_step() -> Tariff:
    energy = charge(
        "energy",
        "time-of-use-steps",
        registers=REGISTERS,
        per="month",
        fill="proportional",
        steps=[*STEPS, [DEAREST]],
    )
    usage = dict.fromkeys(REGISTERS.values(), "0")
    example = [{"usage": usage, "expect": "0"}]
    return parse_tariff({**BY_REGISTERS, "charge": [energy], "example": example}, "steps")


@cache
def by_area(company: str) -> Pool:
    document: dict[str, Any] = {
        "kind": "pool",
        "id": "shared",
        "version": 1,
        "title": {"en": "Shared"},
        "source": {"points": ["p"], "registers": [*REGISTERS.values()], "tariff": "bands"},
        "basis": "area",
        "company_share": company,
        "charging": {"allowed": True, "contract": "resolution 7"},
    }
    example = {
        "period": "2026-01",
        "quantity": "0",
        "amount": "0",
        "participants": [{"unit": "1", "area": "1"}],
        "expect": {"1": "0"},
        **({} if company == "0" else {"company": "0"}),
    }
    return parse_pool({**document, "example": [example]}, "shared")


def supply(tariff: Tariff, used: Uses) -> Supply:
    use = {REGISTERS[band]: quantity for band, quantity in used.items()}
    charges = rate(tariff, Subjects.one(period_days=30, use=use))
    return rated(tariff, sum(used.values()), charges)


def of_band(supply: Supply) -> Uses:
    """Return what the parts of each band count together."""
    parts = supply.parts
    return {band: sum(part.quantity for part in parts if part.band == band) for band in BANDS}


def drawn(chance: Random) -> tuple[Uses, Uses]:
    """Return what a master used in each band, and what its subs did not; a band may be unused."""
    used = {band: chance.choice([0, chance.randint(1, 20_000_000)]) for band in BANDS}
    return used, {band: chance.randint(-use // 50, use) for band, use in used.items()}


def shared(chance: Random, supply: Supply) -> Statement:
    units = [
        Participant(unit=f"{n:02}", building="1", attributes={"area": chance.randint(1, 3_000_000)})
        for n in range(chance.randint(1, 9))
    ]
    pool = by_area(chance.choice(["0", "0.1", "0.333"]))
    carried = {unit.unit: chance.randint(-(10**6), 10**6) for unit in units}
    result = apportion(pool, supply, units, period="2026-01", carried=carried)
    assert isinstance(result, Statement), result
    return result


def assert_shared_exactly(statement: Statement) -> None:
    """Hold each cell against the exact share of its part, and all sums against both totals."""
    parts, whole = statement.supply.parts, sum(statement.weights)
    for table, of_parts, of_shares in (
        (
            statement.step_amounts(),
            [part.amount for part in parts],
            [share.amount for share in statement.shares],
        ),
        (
            statement.step_quantities(),
            [part.quantity for part in parts],
            [share.quantity for share in statement.shares],
        ),
    ):
        assert [sum(column) for column in zip(*table, strict=True)] == of_parts
        assert [sum(row) for row in table] == of_shares
        off = max(
            abs(cell - Fraction(part * weight, whole))
            for row, weight in zip(table, statement.weights, strict=True)
            for cell, part in zip(row, of_parts, strict=True)
        )
        if is_there_a_near_table(of_shares, of_parts, statement.weights):
            assert off <= 1
        else:
            assert off < 2


def is_there_a_near_table(rows: list[int], columns: list[int], weights: Sequence[int]) -> bool:
    """Return whether cells of 0 and 1, added to exact values cut down, can have both sums.

    The theorem of Gale and Ryser: https://en.wikipedia.org/wiki/Gale%E2%80%93Ryser_theorem.
    """
    cut = [[column * weight // sum(weights) for column in columns] for weight in weights]
    short = sorted((row - sum(low) for row, low in zip(rows, cut, strict=True)), reverse=True)
    lacking = [
        column - sum(low) for column, low in zip(columns, zip(*cut, strict=True), strict=True)
    ]
    return short[-1] >= 0 and all(
        sum(short[:many]) <= sum(min(each, many) for each in lacking)
        for many in range(1, len(short) + 1)
    )


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**64))
def test_each_band_is_billed_lost_and_shared_as_fractions_say(seed: int) -> None:
    chance = Random(seed)  # noqa: S311  cases are to be the same each time
    number = chance.randrange(len(PRICED))
    used, missing = drawn(chance)
    master = supply(by_band(number), used)
    prices = {band: Fraction(price) / 100 for band, price in PRICED[number].items()}

    assert of_band(master) == used
    exact = sum(used[band] * prices[band] for band in BANDS)
    assert abs(master.amount - exact) <= Fraction(1, 2)

    subs = {REGISTERS[band]: used[band] - missing[band] for band in BANDS}
    whole = {REGISTERS[band]: used[band] for band in BANDS}
    shares = of_bands(whole, missing_of(whole, [subs]), REGISTERS)
    loss = lost(master, sum(missing.values()), shares)
    assert of_band(loss) == missing
    assert loss.quantity == sum(missing.values())
    assert sum(part.amount for part in loss.parts) == loss.amount
    exact = sum(missing[band] * prices[band] for band in BANDS)
    assert abs(loss.amount - exact) <= 1 + len(BANDS) * Fraction(1, 2)

    assert_shared_exactly(shared(chance, master))
    assert_shared_exactly(shared(chance, loss))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**64))
def test_steps_of_bands_come_to_the_band_and_are_shared_exactly(seed: int) -> None:
    chance = Random(seed)  # noqa: S311  cases are to be the same each time
    used, missing = drawn(chance)
    master = supply(by_band_and_step(), used)

    assert of_band(master) == used
    assert {part.step for part in master.parts if part.band} == {1, 2, 3}
    shares = {
        band: Fraction(missing[band], use) if use else Fraction(0) for band, use in used.items()
    }
    loss = lost(master, sum(missing.values()), shares)
    assert of_band(loss) == missing
    assert_shared_exactly(shared(chance, loss))
