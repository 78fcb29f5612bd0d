"""Tariffs: what a file may say, what its examples prove, and what is refused with what advice."""

from __future__ import annotations

import tomllib
from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.canonical import canonical, from_canonical
from billing.tariff import Tariff, load_tariff, parse_tariff
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from pathlib import Path

ZHEJIANG = """
kind = "tariff"
id = "zj-residential"
version = 2
title = { zh = "居民阶梯电价", en = "Residential electricity" }
medium = "electricity"
currency = "CNY"
valid_from = 2012-07-01

[[charge]]
name = "energy"
title = { zh = "电费", en = "Energy" }
kind = "steps"
per = "year"
register = "import_energy"
steps = [[2760, "0.538"], [4800, "0.588"], ["0.838"]]

[[example]]
usage = 5000
expect = "2852.00"

[[example]]
before = 2700
usage = "2200"
expect = "1315.60"
"""

BEIJING = """
kind = "tariff"
id = "bj-residential"
version = 1
title = { zh = "居民阶梯电价", en = "Residential electricity" }
medium = "electricity"
currency = "CNY"
valid_from = 2012-07-01

[[charge]]
name = "energy"
title = { zh = "电费" }
kind = "steps"
per = "month"
register = "import_energy"
steps = [[240, "0.4883"], [400, "0.5383"], ["0.7883"]]

[[example]]
usage = 200
expect = "97.66"
[[example]]
usage = 241
expect = "117.73"
[[example]]
usage = 450
expect = "242.74"
"""

WATER_AND_FEES = """
kind = "tariff"
id = "bj-water"
version = 1
title = { zh = "水费与物业费" }
medium = "water"
currency = "CNY"
valid_from = 2014-05-01

[rounding]
direction = "down"
unit = "1"
place = "bill"

[[charge]]
name = "water"
title = { zh = "水费" }
kind = "steps"
per = "year"
register = "volume"
steps = [[180, "5"], [260, "7"], ["9"]]

[[charge]]
name = "sewage"
title = { zh = "污水处理费" }
kind = "per-unit"
register = "volume"
share = "0.9"
price = "1.36"
revenue = "public-works"

[[charge]]
name = "property-fee"
title = { zh = "物业费" }
kind = "per-area"
price = "2.85"

[[charge]]
name = "parking"
title = { zh = "停车费" }
kind = "fixed"
amount = 150

[[charge]]
name = "service"
title = { zh = "服务费" }
kind = "percentage"
of = ["property-fee", "parking"]
percent = "6"

[[example]]
usage = 200
area = "89.53"
expect = "1714.00"
[example.charges]
water = "1040.00"
sewage = "244.80"
property-fee = "255.16"
parking = "150.00"
service = "24.30"
rounding = "-0.26"
"""


def document(text: str = ZHEJIANG, **changes: Any) -> dict[str, Any]:
    return {**tomllib.loads(text, parse_float=Decimal), **changes}


def charge(**changes: Any) -> dict[str, Any]:
    return {**document()["charge"][0], **changes}


def refused(wrong: dict[str, Any]) -> str:
    with pytest.raises(DefinitionError) as caught:
        parse_tariff(wrong, "zj.toml")
    return str(caught.value)


@pytest.mark.parametrize("text", [ZHEJIANG, BEIJING, WATER_AND_FEES])
def test_published_tariffs_load_and_prove_themselves(text: str, tmp_path: Path) -> None:
    file = tmp_path / "tariff.toml"
    file.write_text(text, "utf-8")

    assert load_tariff(file) == parse_tariff(document(text), "elsewhere")


def test_a_tariff_holds_what_its_file_says() -> None:
    tariff = parse_tariff(document(WATER_AND_FEES), "water.toml")

    assert tariff.valid_from == date(2014, 5, 1)
    assert [item.revenue for item in tariff.charges] == [
        "water",
        "public-works",
        "property-fee",
        "parking",
        "service",
    ]
    assert [tariff.unit(item) for item in tariff.charges] == ["m3", "m3", "m2", "month", "CNY"]
    assert tariff.needs.registers == {"volume"}
    assert tariff.needs.year_to_date == {"volume"}
    assert tariff.needs.attributes == {"area"}


@pytest.mark.parametrize("text", [ZHEJIANG, BEIJING, WATER_AND_FEES])
def test_the_canonical_text_reads_back_as_the_same_tariff(text: str) -> None:
    tariff = parse_tariff(document(text), "x.toml")
    again = from_canonical(Tariff, canonical(tariff))

    assert again == tariff
    assert canonical(again) == canonical(tariff)
    assert again.digest == tariff.digest


def test_the_digest_is_of_the_meaning_and_not_of_the_spelling() -> None:
    tariff = parse_tariff(document(), "x.toml")
    spelled = parse_tariff(
        document(
            charge=[charge(steps=[["2760.00", "0.5380"], [4800, "0.588"], [Decimal("0.838")]])]
        ),
        "x.toml",
    )
    dearer = document()
    dearer["charge"][0]["steps"][2] = ["0.839"]
    dearer["example"] = [{"usage": 100, "expect": "53.80"}]

    assert spelled.digest == tariff.digest
    assert parse_tariff(dearer, "x.toml").digest != tariff.digest


def test_a_wrong_example_is_refused_with_expected_and_actual() -> None:
    said = refused(document(example=[{"usage": 5000, "expect": "2852.01"}]))

    assert said == (
        "zj.toml: example[1].expect: the tariff gives another amount; correct the example or the "
        "charges (expected 2852.01, got 2852.00)"
    )


def test_an_example_may_state_single_lines_and_is_held_to_them() -> None:
    wrong = document(WATER_AND_FEES)
    wrong["example"][0]["charges"]["sewage"] = "272"

    assert refused(wrong) == (
        "zj.toml: example[1].charges.sewage: the tariff gives another amount; correct the example "
        "or the charges (expected 272.00, got 244.80)"
    )


def test_every_wrong_example_is_reported() -> None:
    said = refused(
        document(example=[{"usage": 1, "expect": 1}, {"usage": 1, "expect": "0.54"}, {"expect": 0}])
    )

    assert "example[1].expect" in said
    assert "example[2]" not in said
    assert "example[3].usage" in said


@pytest.mark.parametrize(
    ("steps", "advice"),
    [
        ([[2760, "0.538"], [4800, "0.588"]], 'the last step ends at 4800.*["0.588"]'),
        ([[2760, "1"], [2760, "2"], ["3"]], "step 2 ends at 2760, which is not above the end of"),
        ([[2760, "1"], [240, "2"], ["3"]], "step 2 ends at 240, which is not above the end of"),
        ([[0, "1"], ["3"]], "step 1 ends at 0, which is not above 0"),
        ([[-5, "1"], ["3"]], "step 1 ends at -5, which is not above 0"),
        ([["1"], ["3"]], "step 1 has no bound; only the last step may be open"),
        ([], "is empty; give at least one"),
        ([[1, "1", "2"], ["3"]], r"a step is \[until, price\], the last one \[price\]"),
        (["3"], r"a step is \[until, price\]"),
        ([["-3"]], "must not be negative"),
        ([["0.1234567"]], "has more than 6 decimals"),
        ([["0.00001", "1"], ["3"]], "has more than 4 decimals"),
    ],
)
def test_steps_with_a_gap_an_overlap_or_no_end_are_refused(steps: Any, advice: str) -> None:
    wrong = document(charge=[charge(steps=steps)])

    with pytest.raises(DefinitionError, match=r"zj.toml: charge\[1\].*steps.*: .*" + advice):
        parse_tariff(wrong, "zj.toml")


@pytest.mark.parametrize(
    ("changes", "where_and_what"),
    [
        ({"curency": "CNY"}, "zj.toml: curency: unknown key; did you mean 'currency'?"),
        ({"charge": [charge(price="1")]}, "price: unknown key"),
        ({"charge": [charge(kind="stairs")]}, "charge[1]: Input tag 'stairs'"),
        ({"charge": [charge(name="Energy")]}, "charge[1].steps.name"),
        ({"charge": [charge(name="rounding")]}, "charge[1].name: 'rounding' is the name of the"),
        ({"charge": [charge(), charge()]}, "charge[2].name: 'energy' names an earlier charge"),
        ({"charge": [charge(title={})]}, "title: is empty"),
        ({"charge": [charge(per="week")]}, "per: Input should be 'month', 'quarter' or 'year'"),
        ({"charge": []}, "charge: is empty; give at least one"),
        ({"example": []}, "example: is empty; give at least one"),
        ({"currency": "EUR"}, "currency: Input should be 'CNY'"),
        ({"version": 0}, "version: "),
        ({"version": "2"}, "version: "),
        ({"valid_from": 2012}, "valid_from: must be a date such as 2026-01-01"),
        ({"valid_from": "July"}, "valid_from: "),
        ({"rounding": {"unit": "0.05"}}, "rounding.unit: "),
        ({"example": [{"usage": 1, "expect": "0.538"}]}, "expect: 0.538 has more than 2 decimals"),
        ({"example": [{"usage": 0.1, "expect": 0}]}, "usage: must be a number, got 0.1"),
        ({"example": [{"usage": 1, "area": 5, "expect": 0}]}, "area: no charge reads it"),
        ({"example": [{"usage": {"volume": 1}, "expect": 0}]}, "(expected import_energy, got vol"),
        (
            {"example": [{"usage": 1, "expect": 0, "charges": {"enrgy": 0}}]},
            "example[1].charges: no charge has the name 'enrgy'",
        ),
    ],
)
def test_a_mistake_is_refused_where_it_stands(changes: dict[str, Any], where_and_what: str) -> None:
    assert where_and_what in refused(document(**changes))


def test_a_tariff_that_reads_a_register_names_its_medium() -> None:
    wrong = document()
    del wrong["medium"]

    assert "medium: is missing" in refused(wrong)


def test_a_percentage_is_of_earlier_charges_only() -> None:
    wrong = document(WATER_AND_FEES)
    wrong["charge"].insert(0, wrong["charge"].pop())
    twice = document(WATER_AND_FEES)
    twice["charge"][-1]["of"] = ["parking", "parking"]

    assert "charge[1].of: 'property-fee' is no earlier charge" in refused(wrong)
    assert "charge[5].of: names a charge twice" in refused(twice)


def test_yearly_use_before_the_period_belongs_to_yearly_steps() -> None:
    wrong = document(BEIJING)
    wrong["example"][0]["before"] = 100

    assert "example[1].before: no yearly steps read 'import_energy'" in refused(wrong)


def test_an_example_of_an_area_tariff_gives_the_area() -> None:
    wrong = document(WATER_AND_FEES)
    del wrong["example"][0]["area"]

    assert "example[1].area: is missing" in refused(wrong)


def test_a_tariff_over_two_registers_names_them_in_its_examples() -> None:
    two = document()
    two["charge"] = [
        {
            "name": name,
            "title": {"en": name},
            "kind": "per-unit",
            "register": register,
            "price": price,
        }
        for name, register, price in [
            ("peak", "import_energy_t1", "0.568"),
            ("valley", "import_energy_t2", "0.288"),
        ]
    ]
    two["example"] = [
        {"usage": {"import_energy_t1": 100, "import_energy_t2": 50}, "expect": "71.20"}
    ]
    tariff = parse_tariff(two, "two.toml")
    unnamed = deepcopy(two)
    unnamed["example"][0]["usage"] = 150

    assert from_canonical(Tariff, canonical(tariff)) == tariff
    assert "example[1].usage: must give the use of each register" in refused(unnamed)


def test_an_example_too_large_to_be_billed_is_a_problem_of_the_file() -> None:
    said = refused(document(example=[{"usage": 9 * 10**14, "expect": 1}]))

    assert "example[1]" in said
    assert "64 bits" in said
