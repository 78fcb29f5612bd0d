"""Pools: what a file may say, what its examples prove, and what is refused with what advice."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.canonical import canonical, from_canonical
from billing.pools.basis import Basis
from billing.pools.policy import Vacancy
from billing.pools.pool import Pool, load_pool, parse_pool
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from pathlib import Path

LIFTS = """
kind = "pool"
id = "b3-lifts"
version = 1
title = { zh = "3号楼电梯电费", en = "Lifts of building 3" }
basis = "area"
company_share = "0.10"
vacant = "company pays"

[source]
points = ["b3-lift-1", "b3-lift-2"]
register = "import_energy"
tariff = "common-power"

[scope]
building = "3"
exclude = { floors = [1] }

[[example]]
period = "2026-01"
quantity = "100"
amount = "53.80"
participants = [
  { unit = "101", floor = 1 },
  { unit = "301", floor = 3, area = "89.5" },
  { unit = "302", floor = 3, area = "110", vacant = true },
]
expect = { 301 = "21.72", 302 = "26.70" }
quantities = { 301 = "40.3759", 302 = "49.6241" }
company = "5.38"
"""

LOSS = """
kind = "pool"
id = "loss"
version = 3
title = { zh = "线损" }
basis = "use"
use = { medium = "electricity", register = "import_energy" }

[source]
points = ["master"]
register = "import_energy"
tariff = "supply"

[[example]]
period = "2026-01"
quantity = "10000"
amount = "6180.00"
participants = [
  { unit = "a", use = "2310.4" },
  { unit = "b", use = "1877.9" },
  { unit = "c", use = "3050.0" },
  { unit = "d", use = "1205.6" },
  { unit = "e", use = 0 },
]
expect = { a = "1690.96", b = "1374.41", c = "2232.26", d = "882.37", e = 0 }
"""


def document(text: str = LIFTS, **changes: Any) -> dict[str, Any]:
    return {**tomllib.loads(text, parse_float=Decimal), **changes}


def example(**changes: Any) -> dict[str, Any]:
    return {**document()["example"][0], **changes}


def refused(wrong: dict[str, Any]) -> str:
    with pytest.raises(DefinitionError) as caught:
        parse_pool(wrong, "lifts.toml")
    return str(caught.value)


@pytest.mark.parametrize("text", [LIFTS, LOSS])
def test_pools_load_prove_themselves_and_read_back_the_same(text: str, tmp_path: Path) -> None:
    file = tmp_path / "pool.toml"
    file.write_text(text, "utf-8")
    loaded = load_pool(file)
    again = from_canonical(Pool, canonical(loaded))

    assert again == loaded
    assert again.digest == loaded.digest


def test_a_pool_holds_what_its_file_says_and_blocks_unless_told_who_pays() -> None:
    lifts, loss = parse_pool(document(), "x"), parse_pool(document(LOSS), "x")

    assert lifts.source.points == ("b3-lift-1", "b3-lift-2")
    assert lifts.source.register_name == "import_energy"
    assert lifts.scope.exclude.floors == (1,)
    assert lifts.company_share == Decimal("0.1")
    assert [key.unit for key in lifts.keys] == ["m2"]
    assert loss.basis is Basis.USE
    assert [key.unit for key in loss.keys] == ["kWh"]
    assert loss.company_share == 0
    assert loss.vacant is Vacancy.BLOCK
    assert loss.scope.building is None


def test_a_wrong_share_is_refused_with_expected_and_actual() -> None:
    wrong = example(expect={"301": "21.73", "302": "26.70"}, quantities={"301": 40, "302": 60})

    what = "the pool gives another share; correct the example or the rules"
    assert refused(document(example=[wrong])).splitlines() == [
        f"lifts.toml: example[1].expect.301: {what} (expected 21.73, got 21.72)",
        f"lifts.toml: example[1].quantities.301: {what} (expected 40, got 40.3759)",
        f"lifts.toml: example[1].quantities.302: {what} (expected 60, got 49.6241)",
    ]


def test_an_example_accounts_for_every_share_and_for_no_other() -> None:
    wrong = example(expect={"301": "21.72", "101": "1.00"})
    del wrong["company"]
    said = refused(document(example=[wrong]))

    assert "example[1].expect.101: " in said
    assert "(expected 1.00, got no share)" in said
    assert "example[1].expect.302: " in said
    assert "(expected no share, got 26.70)" in said
    assert "example[1].company: " in said
    assert "(expected no share, got 5.38)" in said


def test_an_example_that_blocks_is_refused_with_its_obstacle() -> None:
    wrong = example(participants=[{"unit": "301", "floor": 3}])

    assert "example[1].participants: unit 301: has no area" in refused(document(example=[wrong]))


@pytest.mark.parametrize(
    ("changes", "where_and_what"),
    [
        ({"companyshare": 0}, "companyshare: unknown key; did you mean 'company_share'?"),
        ({"company_share": "1.1"}, "company_share: is more than the whole"),
        ({"company_share": "-0.1"}, "company_share: must not be negative"),
        ({"company_share": 0.1}, "company_share: must be a number, got 0.1"),
        ({"vacant": "nobody pays"}, "vacant: Input should be 'block'"),
        ({"basis": "acres"}, "basis: Input should be 'area'"),
        ({"basis": "use"}, "use: is missing: say whose use is the key"),
        ({"use": {"medium": "water", "register": "volume"}}, "use: has no meaning where the basis"),
        ({"source": {"points": [], "register": "r", "tariff": "t"}}, "source: needs points"),
        (
            {"source": {"points": ["p", "p"], "register": "r", "tariff": "t"}},
            "source.points: names something twice",
        ),
        ({"scope": {"exclude": {"floor": [1]}}}, "scope.exclude.floor: unknown key; did you mean"),
        ({"scope": {"exclude": {"floors": ["1"]}}}, "scope.exclude.floors[1]: "),
        ({"example": []}, "example: is empty"),
        ({"example": [example(period="2026-13")]}, "example[1].period: "),
        ({"example": [example(amount="0.001")]}, "example[1].amount: 0.001 has more than 2"),
    ],
)
def test_a_mistake_is_refused_where_it_stands(changes: dict[str, Any], where_and_what: str) -> None:
    assert where_and_what in refused(document(**changes))
