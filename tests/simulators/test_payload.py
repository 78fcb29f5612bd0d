"""Payloads of any form: each value at its pointer, and nothing else."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.pointer import resolve
from simulators.payload import PayloadForm


def test_values_stand_at_their_pointers() -> None:
    form = PayloadForm(["/id", "/rx/0/total", "/rx/1/total", "/a~1b/m~0n"])
    text = form.fill(
        {"/id": '"7"', "/rx/0/total": "1.50", "/rx/1/total": "2", "/a~1b/m~0n": "null"}
    )
    assert text == '{"id":"7","rx":[{"total":1.50},{"total":2}],"a/b":{"m~n":null}}'


def test_exact_decimals_stay_exact() -> None:
    text = PayloadForm(["/v"]).fill({"/v": "0.1000000000000000000000000001"})
    value = json.loads(text, parse_float=Decimal)["v"]
    assert value == Decimal("0.1000000000000000000000000001")


@given(
    keys=st.lists(
        st.lists(st.text(max_size=4), min_size=2, max_size=2),
        min_size=1,
        max_size=6,
        unique_by=tuple,
    )
)
def test_every_pointer_leads_to_its_own_value(keys: list[list[str]]) -> None:
    pointers = [
        "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path) for path in keys
    ]
    texts = {pointer: str(number) for number, pointer in enumerate(pointers)}
    parsed = json.loads(PayloadForm(pointers).fill(texts))
    assert [resolve(parsed, pointer) for pointer in pointers] == list(range(len(pointers)))


@pytest.mark.parametrize(
    ("pointers", "message"),
    [
        (["/a", "/a/b"], "leads through a value"),
        (["/a/b", "/a"], "no place of its own"),
        (["/a", "/a"], "no place of its own"),
        ([""], "no place of its own"),
        (["a"], "no place of its own"),
    ],
)
def test_pointers_that_contradict_each_other_are_refused(pointers: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PayloadForm(pointers)
