"""Examples: single, in a sequence of months, in spans of one period; what they prove and refuse."""

from __future__ import annotations

from typing import Any

import pytest
from rating_clerk import document_of

from billing.canonical import canonical, from_canonical
from billing.tariff import Tariff, parse_tariff
from meters.definition import DefinitionError

REGISTER = "import_energy"
ENERGY = {"name": "energy", "kind": "per-unit", "register": REGISTER, "price": "0.5"}
YEARLY = {
    "name": "energy",
    "kind": "steps",
    "per": "year",
    "register": REGISTER,
    "steps": [[100, "1"], ["2"]],
}
QUARTERLY = {**YEARLY, "per": "quarter"}
FEE = {"name": "fee", "kind": "fixed", "amount": "31"}
PEAK = {
    "name": "demand",
    "kind": "demand",
    "register": REGISTER,
    "minutes": 15,
    "price": "10",
    "ratchet": {"months": 2, "share": "0.5"},
}
BANDED = {
    "name": "energy",
    "kind": "time-of-use-steps",
    "per": "month",
    "register": REGISTER,
    "fill": "chronological",
    "steps": [[10, {"peak": "1", "valley": "0.5"}], [{"peak": "2", "valley": "1.5"}]],
}
CALENDAR = {"days": [{"bands": [["00:00", "valley"], ["08:00", "peak"]]}]}
VAT = [{"name": "vat", "title": {"en": "VAT"}, "percent": "13", "included": True}]


def proven(charges: list[dict[str, Any]], example: dict[str, Any], **more: Any) -> Tariff:
    return parse_tariff(document_of(charges, example=[example], **more), "t.toml")


def refused(charges: list[dict[str, Any]], example: dict[str, Any], **more: Any) -> str:
    with pytest.raises(DefinitionError) as caught:
        proven(charges, example, **more)
    return str(caught.value)


def test_months_cumulate_over_the_year_and_each_is_held_to_what_it_expects() -> None:
    months = [{"usage": 60, "expect": 60}, {"usage": 60, "expect": 80}, {"usage": 10}]

    proven([YEARLY], {"months": months, "expect": 160})
    months[1]["expect"] = 60
    assert "example[1].months[2].expect: the tariff gives another amount" in refused(
        [YEARLY], {"months": months, "expect": 160}
    )


def test_months_begin_where_the_example_says_and_a_new_year_begins_anew() -> None:
    months = [{"usage": 10, "expect": 20}, {"usage": 10, "expect": 10}]

    proven([YEARLY], {"before": 200, "first_month": 12, "months": months, "expect": 30})


def test_quarters_begin_anew_in_april() -> None:
    months = [{"usage": 60}, {"usage": 60, "expect": 80}, {"usage": 60, "expect": 60}]

    proven([QUARTERLY], {"first_month": 2, "months": months, "expect": 200})


def test_a_ratchet_looks_at_the_months_before_as_far_as_it_reaches() -> None:
    months = [
        {"demand": 100, "expect": 1000},
        {"demand": 10, "expect": 500},
        {"demand": 10, "expect": 500},
        {"demand": 10, "expect": 100},
    ]

    proven([PEAK], {"months": months, "expect": 2100})


def test_spans_of_a_period_are_prorated_and_carry_what_rounding_left_over() -> None:
    spans = [{"days": 10, "usage": "0.01", "expect": "10.01"}, {"days": 21, "usage": "0.01"}]
    example = {"spans": spans, "charges": {"fee": "31.00", "energy": "0.01"}, "expect": "31.01"}

    proven([FEE, ENERGY], example)


def test_months_and_spans_take_from_their_example_what_they_do_not_say() -> None:
    area = {"name": "area", "kind": "per-area", "price": "1"}
    spans = [{"days": 15}, {"days": 15, "area": 20}]

    proven([area], {"area": 10, "spans": spans, "expect": "15.00"})


def test_an_example_gives_persons_and_classes_and_states_tax() -> None:
    charge = {"name": "refuse", "kind": "per-count", "of": "persons", "price": "2"}
    charges = [{**charge, "classes": ["home"], "tax": "vat"}]
    example = {"attributes": {"persons": 3}, "class": "home", "taxes": {"vat": "0.69"}, "expect": 6}

    proven(charges, example, tax=VAT)
    example["taxes"] = {"vat": "0.78"}
    assert "example[1].taxes.vat: the tariff gives another" in refused(charges, example, tax=VAT)


def test_a_tariff_may_say_what_to_take_where_an_attribute_is_not_known() -> None:
    charge = {"name": "refuse", "kind": "per-count", "of": "persons", "price": "2"}

    proven([charge], {"expect": 6}, assume={"persons": 3})
    proven([charge], {"attributes": {"persons": 1}, "expect": 2}, assume={"persons": 3})
    assert "no charge reads 'dwellings'" in refused(
        [FEE], {"expect": 31}, assume={"dwellings": 1}, medium=None
    )


def test_runs_by_band_are_in_the_order_of_time() -> None:
    runs = [["valley", 8], ["peak", 4], ["valley", 3]]
    tariff = proven([BANDED], {"bands": runs, "expect": "14.50"}, calendar=CALENDAR)

    assert from_canonical(Tariff, canonical(tariff)) == tariff
    assert "write runs: [[band, quantity], …]" in refused(
        [BANDED], {"bands": {"peak": 4, "valley": 11}, "expect": 0}, calendar=CALENDAR
    )


@pytest.mark.parametrize(
    ("charges", "example", "said"),
    [
        ([FEE], {"months": [{}], "spans": [{"days": 30}], "expect": 1}, "months and spans"),
        ([FEE], {"first_month": 3, "expect": 1}, "first_month says where months begin"),
        ([FEE], {"spans": [{}], "expect": 1}, "each of the spans says its days"),
        ([FEE], {"months": [], "expect": 1}, "is empty"),
        ([FEE], {"class": "home", "expect": 31}, "class: no charge is for some classes"),
        ([FEE], {"attributes": {"persons": 3}, "expect": 31}, "no charge reads 'persons'"),
        ([FEE], {"attributes": {"area": 3}, "expect": 31}, "the area is a key of its own"),
        ([FEE], {"demand": 3, "expect": 31}, "demand: must give the highest demand of each"),
        ([FEE], {"bands": {"peak": 3}, "expect": 31}, "bands: no charge reads the use by band"),
        ([FEE], {"taxes": {"vat": 3}, "expect": 31}, "taxes: no tax has the name 'vat'"),
        ([PEAK], {"expect": 1}, "demand: must give the highest demand"),
        ([ENERGY], {"usage": 1, "before_quarter": 5, "expect": 1}, "no quarterly steps read"),
        (
            [{**FEE, "classes": ["shop"]}],
            {"expect": 1},
            "class: is missing: a charge is for some classes only",
        ),
    ],
)
def test_an_example_that_does_not_fit_its_tariff_is_refused(
    charges: list[dict[str, Any]], example: dict[str, Any], said: str
) -> None:
    assert said in refused(charges, example)


@pytest.mark.parametrize(
    ("charges", "more", "said"),
    [
        ([BANDED], {}, "charge[1].register: reads use by band, and the tariff has no calendar"),
        ([ENERGY], {"calendar": CALENDAR}, "calendar: no charge reads use by band"),
        (
            [BANDED],
            {"calendar": {"days": [{"bands": [["00:00", "flat"]]}]}},
            "must have a price for each band of the calendar, and for no other (expected flat",
        ),
        ([{**ENERGY, "tax": "vat"}], {}, "charge[1].tax: the tariff has no tax 'vat'"),
        ([ENERGY], {"tax": VAT}, "tax[1]: no charge names it"),
        (
            [{**ENERGY, "tax": "energy"}],
            {"tax": [{**VAT[0], "name": "energy"}]},
            "tax[1].name: 'energy' names another line",
        ),
        (
            [{"name": "x", "kind": "formula", "formula": "area + 1 [CNY]", "prorate": False}],
            {},
            "charge[1].formula: ",
        ),
        (
            [{"name": "x", "kind": "formula", "formula": "charge.y", "prorate": False}],
            {},
            "'charge.y' is no earlier charge",
        ),
        ([{"name": "x", "kind": "minimum", "of": ["y"], "amount": 1}], {}, "'y' is no earlier"),
    ],
)
def test_charges_that_contradict_their_tariff_are_refused(
    charges: list[dict[str, Any]], more: dict[str, Any], said: str
) -> None:
    assert said in refused(charges, {"expect": 0}, **more)


def test_a_formula_that_has_no_result_in_an_example_is_a_problem_of_the_file() -> None:
    formula = "1 [CNY] × 1 [person] ÷ persons"
    charge = {"name": "x", "kind": "formula", "formula": formula, "prorate": False}

    assert "t.toml: example[1]: " in refused([charge], {"attributes": {"persons": 0}, "expect": 0})
