"""Apportionment: shares that sum to the supply, in units and in money, or a pool that waits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.pools.apportionment import ConservationError, Statement, apportion
from billing.pools.obstacle import Blocked, ObstacleKind
from billing.pools.participant import Participant
from billing.pools.policy import Payer
from billing.pools.pool import Pool
from billing.pools.scope import Excluded, ExclusionReason
from billing.pools.supply import Supply

if TYPE_CHECKING:
    from collections.abc import Sequence

COSTING_100 = Supply(quantity=1_000_000, unit="kWh", amount=10_000)


def pool(**changes: Any) -> Pool:
    document: dict[str, Any] = {
        "kind": "pool",
        "id": "lifts",
        "version": 1,
        "title": {"en": "Lifts"},
        "source": {"points": ["lift-1"], "register": "import_energy", "tariff": "common"},
        "basis": "area",
        "charging": {"allowed": True, "contract": "resolution 7"},
        "example": [
            {
                "period": "2026-01",
                "quantity": 1,
                "amount": 1,
                "participants": [{"unit": "101"}],
                "expect": {},
            }
        ],
    }
    if changes.get("basis") == "use":
        document["use"] = {"medium": "water", "register": "volume"}
    return Pool.model_validate({**document, **changes})


def unit(
    name: str, area: int | None = 100_000, *, use: int | None = None, **more: Any
) -> Participant:
    return Participant(
        unit=name,
        attributes={} if area is None else {"area": area},
        use={} if use is None else {"water/volume": use},
        **{"building": "3", "floor": 2, **more},
    )


def key_sum(statement: Statement) -> int:
    (key,) = statement.keys
    return key.total


def shared(
    pool: Pool, units: Sequence[Participant], supply: Supply = COSTING_100, period: str = "2026-01"
) -> Statement:
    result = apportion(pool, supply, units, period=period)
    assert isinstance(result, Statement), result
    return result


def blocked(pool: Pool, units: Sequence[Participant]) -> list[tuple[ObstacleKind, str | None]]:
    result = apportion(pool, COSTING_100, units, period="2026-01")
    assert isinstance(result, Blocked), result
    return [(obstacle.kind, obstacle.unit) for obstacle in result.obstacles]


def amounts(statement: Statement) -> dict[str | None, int]:
    return {share.unit: share.amount for share in statement.shares}


@st.composite
def communities(draw: st.DrawFn) -> tuple[Pool, Supply, list[Participant], str]:
    basis = draw(st.sampled_from(["area", "household", "use"]))
    shares_by = pool(
        basis=basis,
        company_share=draw(st.decimals(0, 1, places=4).map(str)),
        vacant=draw(st.sampled_from(["owner pays", "company pays"])),
    )
    keys = draw(st.lists(st.integers(1, 3_000_000), min_size=1, max_size=30))
    units = [
        unit(f"{number:03}", key, use=key, vacant=draw(st.booleans()))
        for number, key in enumerate(keys)
    ]
    supply = Supply(
        quantity=draw(st.integers(-(10**9), 10**11)),
        unit="kWh",
        amount=draw(st.integers(-(10**9), 10**11)),
    )
    return shares_by, supply, units, draw(st.sampled_from(["2026-01", "2026-02", "2027-12"]))


COMMUNITIES = communities()


@settings(max_examples=500, deadline=None)
@given(COMMUNITIES)
def test_shares_are_the_exact_ones_to_within_a_cent_and_sum_to_the_supply(
    community: tuple[Pool, Supply, list[Participant], str],
) -> None:
    pool, supply, units, period = community
    statement = shared(pool, units, supply, period)
    company = Fraction(pool.company_share)

    assert sum(share.amount for share in statement.shares) == supply.amount
    assert sum(share.quantity for share in statement.shares) == supply.quantity
    for share in statement.shares:
        part = (
            company
            if share.key is None
            else (1 - company) * Fraction(share.key, key_sum(statement))
        )
        assert abs(share.amount - part * supply.amount) < 1
        assert abs(share.quantity - part * supply.quantity) < 1
        assert share.amount - share.odd_amount == int(part * supply.amount)
        assert share.quantity - share.odd_quantity == int(part * supply.quantity)
        if share.key is not None:
            assert abs(share.amount - Fraction(share.key, 100) * statement.rates[0]) < 1


@settings(max_examples=500, deadline=None)
@given(COMMUNITIES, st.randoms(use_true_random=False))
def test_the_order_of_the_units_changes_nothing(
    community: tuple[Pool, Supply, list[Participant], str], random: Any
) -> None:
    pool, supply, units, period = community
    shuffled = random.sample(units, len(units))

    assert shared(pool, shuffled, supply, period) == shared(pool, units, supply, period)


@settings(max_examples=500, deadline=None)
@given(COMMUNITIES)
def test_doubling_every_key_changes_no_share(
    community: tuple[Pool, Supply, list[Participant], str],
) -> None:
    pool, supply, units, period = community
    doubled = [
        unit._replace(
            attributes={"area": 2 * unit.attributes["area"]},
            use={"water/volume": 2 * unit.use["water/volume"]},
        )
        for unit in units
    ]

    before, after = (shared(pool, each, supply, period) for each in (units, doubled))

    assert amounts(after) == amounts(before)
    assert [share.quantity for share in after.shares] == [share.quantity for share in before.shares]


@settings(max_examples=500, deadline=None)
@given(COMMUNITIES)
def test_a_unit_that_used_nothing_bears_nothing_and_changes_nobody(
    community: tuple[Pool, Supply, list[Participant], str],
) -> None:
    _, supply, units, period = community
    by_use = pool(basis="use", vacant="owner pays")
    before = shared(by_use, units, supply, period)
    after = shared(by_use, [*units, unit("zero", use=0)], supply, period)

    assert amounts(after) == {**amounts(before), "zero": 0}


@settings(max_examples=500, deadline=None)
@given(COMMUNITIES)
def test_who_pays_for_vacancy_moves_no_share_to_a_neighbour(
    community: tuple[Pool, Supply, list[Participant], str],
) -> None:
    shares_by, supply, units, period = community
    owner, company = (
        shared(shares_by.model_copy(update={"vacant": vacant}), units, supply, period)
        for vacant in (pool(vacant="owner pays").vacant, pool(vacant="company pays").vacant)
    )

    assert amounts(owner) == amounts(company)
    assert {share.unit for share in company.shares if share.payer is Payer.COMPANY} - {None} == {
        unit.unit for unit in units if unit.vacant
    }
    assert company.amount_of(Payer.OWNER) + company.amount_of(Payer.COMPANY) == supply.amount
    assert company.quantity_of(Payer.OWNER) + company.quantity_of(Payer.COMPANY) == supply.quantity


def test_a_hundred_over_three_households() -> None:
    statement = shared(pool(basis="household"), [unit("a"), unit("b"), unit("c")])

    assert sorted(share.amount for share in statement.shares) == [3333, 3333, 3334]
    assert [share.odd_amount for share in statement.shares].count(1) == 1
    assert [key.unit for key in statement.keys] == ["household"]
    assert [share.key for share in statement.shares] == [10_000] * 3
    assert statement.rates == (Fraction(100, 3),)


def test_a_master_meter_with_its_loss_is_shared_by_use() -> None:
    uses = {"a": 23_104_000, "b": 18_779_000, "c": 30_500_000, "d": 12_056_000}
    supply = Supply(quantity=100_000_000, unit="kWh", amount=618_000)
    statement = shared(
        pool(basis="use"), [unit(name, use=use) for name, use in uses.items()], supply
    )

    assert amounts(statement) == {"a": 169_096, "b": 137_441, "c": 223_226, "d": 88_237}
    assert [key.unit for key in statement.keys] == ["m3"]


def test_a_little_water_over_many_flats_is_billed_in_full() -> None:
    supply = Supply(quantity=14_000, unit="m3", amount=700)
    statement = shared(pool(basis="household"), [unit(f"{n:03}") for n in range(300)], supply)

    assert Counter(share.amount for share in statement.shares) == {2: 200, 3: 100}


def test_the_last_flat_does_not_absorb_the_rest() -> None:
    units = [unit(f"{number:03}") for number in range(278)]
    statement = shared(pool(), units, Supply(quantity=0, unit="kWh", amount=19_321))

    assert {share.amount for share in statement.shares} == {69, 70}


def test_odd_cents_go_round_over_the_months() -> None:
    units = [unit(f"{number:02}") for number in range(24)]
    received: Counter[str | None] = Counter()
    for month in range(1, 13):
        statement = shared(pool(), units, COSTING_100, f"2026-{month:02}")
        received.update(share.unit for share in statement.shares if share.odd_amount)

    # 10,000 fen over 24 leave 16 odd ones each month: 192 in the year, 8 for each flat on average
    assert received.total() == 192
    assert set(received) == {unit.unit for unit in units}
    assert max(received.values()) < 12


def test_the_company_bears_its_agreed_share_in_a_row_of_its_own() -> None:
    statement = shared(pool(company_share="0.10"), [unit("a"), unit("b", 200_000)])

    assert amounts(statement) == {"a": 3000, "b": 6000, None: 1000}
    assert statement.shares[-1].payer is Payer.COMPANY
    assert statement.shares[-1].key is None
    assert statement.rates == (Fraction(3),)
    assert statement.company_share == Decimal("0.1")


def test_a_pool_that_the_company_bears_wholly_leaves_nothing_to_owners() -> None:
    statement = shared(pool(company_share="1"), [unit("a"), unit("b")])

    assert amounts(statement) == {"a": 0, "b": 0, None: 10_000}
    assert statement.rates == (0,)


def test_units_outside_the_building_are_left_out_and_excluded_ones_are_listed() -> None:
    scope = {"building": "3", "exclude": {"floors": [1], "units": ["b3-301"]}}
    units = [
        unit("b3-101", None, floor=1),
        unit("b3-201"),
        unit("b3-301", None),
        unit("b4-201", building="4"),
    ]
    statement = shared(pool(scope=scope), units)

    assert amounts(statement) == {"b3-201": 10_000}
    assert statement.excluded == (
        Excluded("b3-101", ExclusionReason.FLOOR),
        Excluded("b3-301", ExclusionReason.UNIT),
    )


@pytest.mark.parametrize(
    ("rules", "units", "obstacles"),
    [
        ({}, [unit("a"), unit("b", None)], [(ObstacleKind.MISSING_KEY, "b")]),
        ({}, [unit("a"), unit("b", 0)], [(ObstacleKind.ZERO_KEY, "b")]),
        ({}, [unit("a"), unit("b", -1)], [(ObstacleKind.NEGATIVE_KEY, "b")]),
        (
            {},
            [unit("c", None), unit("b", 0), unit("a", vacant=True)],
            [
                (ObstacleKind.VACANT, "a"),
                (ObstacleKind.ZERO_KEY, "b"),
                (ObstacleKind.MISSING_KEY, "c"),
            ],
        ),
        ({"basis": "use"}, [unit("a", use=1), unit("b")], [(ObstacleKind.MISSING_KEY, "b")]),
        ({"basis": "use"}, [unit("a", use=-1)], [(ObstacleKind.NEGATIVE_KEY, "a")]),
        (
            {"basis": "use"},
            [unit("a", use=0), unit("b", use=0)],
            [(ObstacleKind.ZERO_KEY_SUM, None)],
        ),
        ({"basis": "household"}, [unit("a", vacant=True)], [(ObstacleKind.VACANT, "a")]),
        ({}, [], [(ObstacleKind.EMPTY_SCOPE, None)]),
        ({"scope": {"building": "9"}}, [unit("a")], [(ObstacleKind.EMPTY_SCOPE, None)]),
        (
            {"scope": {"exclude": {"floors": [2]}}},
            [unit("a")],
            [(ObstacleKind.EMPTY_SCOPE, None)],
        ),
        ({}, [unit("a"), unit("a")], [(ObstacleKind.DUPLICATE_UNIT, "a")]),
        (
            {"scope": {"exclude": {"units": ["typo"]}}},
            [unit("a")],
            [(ObstacleKind.UNKNOWN_UNIT, "typo")],
        ),
        (
            {"scope": {"exclude": {"floors": [1]}}},
            [unit("a", floor=None)],
            [(ObstacleKind.UNKNOWN_FLOOR, "a")],
        ),
    ],
)
def test_a_pool_waits_with_every_obstacle(
    rules: dict[str, Any],
    units: list[Participant],
    obstacles: list[tuple[ObstacleKind, str | None]],
) -> None:
    assert blocked(pool(**rules), units) == obstacles


def test_an_obstacle_says_which_unit_and_what_to_do() -> None:
    result = apportion(pool(), COSTING_100, [unit("a", None), unit("b", vacant=True)], period="x")

    assert isinstance(result, Blocked)
    assert [str(obstacle) for obstacle in result.obstacles] == [
        "unit a: has no area; enter it",
        'unit b: is vacant; say in the pool who pays: vacant = "owner pays" or "company pays"',
    ]


def test_a_credit_is_shared_as_the_mirror_of_the_charge() -> None:
    units = [unit("a"), unit("b", 170_000), unit("c", 33_300)]
    credit = Supply(quantity=-1_000_000, unit="kWh", amount=-10_000)

    assert amounts(shared(pool(), units, credit)) == {
        name: -amount for name, amount in amounts(shared(pool(), units)).items()
    }


def test_a_statement_that_does_not_conserve_cannot_exist() -> None:
    statement = shared(pool(), [unit("a"), unit("b")])
    short = statement.shares[0]._replace(amount=statement.shares[0].amount - 1)
    much = statement.shares[0]._replace(quantity=statement.shares[0].quantity + 1)

    for wrong in (short, much):
        with pytest.raises(ConservationError, match="nothing of it may be billed"):
            replace(statement, shares=(wrong, statement.shares[1]))
