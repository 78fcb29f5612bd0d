"""The canonical text of definitions."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.canonical import (
    canonical,
    canonical_json,
    digest,
    evidence_json,
    from_canonical,
    numbers_json,
    text_json,
)
from billing.money import Direction, Rounding


def test_the_text_is_sorted_plain_and_without_spaces() -> None:
    text = canonical_json(
        {
            "b": Decimal("12.50"),
            "a": (1, True, None, "电"),
            "c": {"y": date(2026, 1, 2), "x": Direction.HALF_UP},
        }
    )

    assert text == '{"a":[1,true,null,"电"],"b":"12.5","c":{"x":"half-up","y":"2026-01-02"}}'


def test_a_value_without_an_exact_form_is_refused() -> None:
    with pytest.raises(TypeError, match=r"0\.1 has no canonical form"):
        canonical_json({"price": 0.1})


def test_a_definition_reads_back_equal_and_its_digest_is_that_of_the_text() -> None:
    rounding = Rounding(direction=Direction.DOWN, unit="10")

    assert from_canonical(Rounding, canonical(rounding)) == rounding
    assert canonical(rounding) == '{"direction":"down","place":"line","unit":"10"}'
    assert digest(rounding) == hashlib.sha256(canonical(rounding).encode()).hexdigest()


@given(st.text(), st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_a_text_and_a_list_of_numbers_are_written_as_in_a_document(
    text: str, numbers: list[int]
) -> None:
    assert text_json(text) == canonical_json(text)
    assert numbers_json(np.array(numbers, dtype=np.int64)) == canonical_json(numbers)


def test_evidence_escapes_every_character_as_other_canonical_text_does() -> None:
    surrogates = range(0xD800, 0xE000)
    every = [chr(code) for code in range(0x110000) if code not in surrogates]

    assert evidence_json({"b": every, "a": None}) == canonical_json({"b": every, "a": None})
