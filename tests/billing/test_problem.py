"""Problems of a run: they are stored with what another language needs, and read as before."""

from __future__ import annotations

from datetime import date

import pytest

from billing.canonical import canonical_json, read_json
from billing.problem import Problem
from meters.told import StateName, Told, joined, told

STATES = joined([StateName("paid"), told("pool {pool}", pool="lifts")])


@pytest.mark.parametrize(
    "text",
    ["held by hand", told("tariff {tariff} since {day}", tariff="t", day=date(2026, 1, 2)), STATES],
)
def test_what_is_stored_is_read_as_it_was_told(text: str) -> None:
    problem = Problem("NoTariff", "water", text)
    (read,) = read_json(canonical_json([problem.document()]))
    found = Problem.of(read)
    assert found == problem
    assert isinstance(found.text, Told) == isinstance(text, Told)


def test_states_and_texts_in_a_text_stay_what_they_are() -> None:
    found = Problem.of(Problem("Held", "yard", STATES).document()).text
    assert isinstance(found, Told)
    state, pool = found.values.values()
    assert isinstance(state, StateName)
    assert isinstance(pool, Told)
    assert pool.values == {"pool": "lifts"}


def test_texts_that_were_stored_without_a_template_are_read() -> None:
    old = {"kind": "NoArea", "subject": "3-101", "text": "tariff 'fee' reads 'area'"}
    assert Problem.of(old) == Problem("NoArea", "3-101", "tariff 'fee' reads 'area'")
