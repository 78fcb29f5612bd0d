"""Whom a pool names and what each counts by, where that is not plain: changes, gaps, branches."""

from __future__ import annotations

from typing import Any

import pytest

from billing.pools.apportionment import Statement, apportion
from billing.pools.obstacle import Blocked
from billing.pools.participant import Participant
from billing.pools.pool import Pool
from billing.pools.supply import Supply

HUNDRED = Supply(quantity=1_000_000, unit="kWh", amount=10_000)


def pool(**rules: Any) -> Pool:
    example = {
        "period": "2026-01",
        "quantity": 1,
        "amount": 1,
        "participants": [{"unit": "a"}],
        "expect": {},
    }
    document: dict[str, Any] = {
        "kind": "pool",
        "id": "lifts",
        "version": 1,
        "title": {"en": "Lifts"},
        "source": {"points": ["lift-1"], "register": "import_energy", "tariff": "common"},
        "basis": "area",
        "charging": {"allowed": True, "contract": "resolution 7"},
        "example": [example],
    }
    return Pool.model_validate({**document, **rules})


def unit(name: str, area: int | None = 1_000_000, **more: Any) -> Participant:
    known = {} if area is None else {"area": area}
    held = {"building": "3", "floor": 2, "account": "A", "days": 30, "attributes": known}
    return Participant(unit=name, **{**held, **more})


def shared(pool: Pool, *units: Participant) -> dict[str, int]:
    statement = apportion(pool, HUNDRED, units, period="2026-01")
    assert isinstance(statement, Statement), statement
    return {
        f"{each.unit or 'company'}/{each.account or each.payer}": each.amount
        for each in statement.shares
    }


def blocked(pool: Pool, *units: Participant) -> list[str]:
    result = apportion(pool, HUNDRED, units, period="2026-01")
    assert isinstance(result, Blocked), result
    return [f"{each.kind} {each.unit}" for each in result.obstacles]


SOLD = (
    unit("a", account="old", days=12),
    unit("a", account="new", first_day=13, days=18),
    unit("b"),
)


def test_who_pays_for_a_unit_that_is_sold_within_the_month_is_decided_or_the_pool_waits() -> None:
    assert blocked(pool(), *SOLD) == ["owner-changed a"]
    by_days = shared(pool(owner_change="by days"), *SOLD)
    assert by_days == {"a/old": 2000, "a/new": 3000, "b/A": 5000}
    at_the_end = shared(pool(owner_change="holder at the end"), *SOLD)
    assert at_the_end == {"a/new": 5000, "b/A": 5000}


def test_an_area_that_changes_within_the_month_counts_by_days() -> None:
    changed = (unit("a", 2_000_000, days=15), unit("a", 1_000_000, first_day=16, days=15))

    assert shared(pool(), *changed, unit("b", 1_500_000)) == {"a/A": 5000, "b/A": 5000}


@pytest.mark.parametrize("area", [None, 0, -1])
def test_the_share_of_a_flat_without_area_is_never_its_neighbours(area: int | None) -> None:
    without = unit("b", area)
    company = pool(missing={"payer": "company", "keys": {"area": "300"}})
    owner = pool(missing={"payer": "owner", "keys": {"area": "300"}})

    assert len(blocked(pool(), unit("a"), without)) == 1
    assert shared(company, unit("a"), without) == {"a/A": 2500, "b/company": 7500}
    assert shared(owner, unit("a"), without) == {"a/A": 2500, "b/A": 7500}


def test_what_goes_by_a_key_that_nobody_has_is_the_companys_own_if_it_says_so() -> None:
    parking = {"basis": "attribute", "attribute": "car_spaces"}
    none = unit("a", attributes={"car_spaces": 0})

    assert blocked(pool(**parking), none) == ["zero-key-sum None"]
    assert shared(pool(**parking, all_zero="company pays"), none) == {
        "a/A": 0,
        "company/company": 10_000,
    }


def test_a_coefficient_by_floor_yields_to_that_of_the_unit() -> None:
    by_floor = {"floors": {"2": "1", "3": "1.5"}, "units": {"b": "2.5"}}
    lifts = pool(basis="coefficient", coefficient=by_floor)

    assert shared(lifts, unit("a"), unit("b", floor=3), unit("c", floor=3)) == {
        "a/A": 2000,
        "b/A": 5000,
        "c/A": 3000,
    }
    assert blocked(lifts, unit("a"), unit("d", floor=9)) == ["missing-key d"]
    fine = {"of": "area", "floors": {"2": "0.0001"}}
    assert blocked(pool(basis="coefficient", coefficient=fine), unit("a", 1)) == ["inexact-key a"]


def test_a_scope_is_a_branch_of_the_tree_less_its_exclusions() -> None:
    units = (
        unit("a", floor=1, entrance="1"),
        unit("b", entrance="1"),
        unit("c", entrance="2"),
        unit("d", entrance="1", customer_class="shop"),
        unit("e", building="4", entrance="1"),
    )
    excluded = {"ground_floor": True, "customer_classes": ["shop"]}
    entrance = pool(scope={"building": "3", "entrance": "1", "exclude": excluded})
    statement = apportion(entrance, HUNDRED, units, period="2026-01")
    assert isinstance(statement, Statement)

    assert [each.unit for each in statement.shares] == ["b"]
    assert [(each.unit, each.reason) for each in statement.excluded] == [
        ("a", "ground-floor"),
        ("d", "customer-class"),
    ]
    rest = pool(scope={"building": "3", "exclude": {"entrances": ["1"]}})
    assert shared(rest, *units) == {"c/A": 10_000}
    assert blocked(entrance, unit("x", entrance=None)) == [
        "unknown-entrance x",
        "empty-scope None",
    ]
    assert shared(pool(scope={"floors": [1, 2], "units": ["a", "b"]}), *units) == {
        "a/A": 5000,
        "b/A": 5000,
    }
    assert blocked(pool(scope={"units": ["b", "typo"]}), *units) == ["unknown-unit typo"]
