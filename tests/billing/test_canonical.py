"""The canonical text of definitions."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal

import pytest

from billing.canonical import (
    canonical,
    canonical_json,
    digest,
    evidence_json,
    evidence_texts,
    from_canonical,
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


def test_many_documents_come_out_as_each_does_by_itself() -> None:
    documents = [{"b": [1, "水"], "a": {}}, {}, {"text": 'a,"\\u001e",b', "n": None}]

    for some in ([], documents[:1], documents, [*documents, {"mark": ["x", "\x1e", "y"]}]):
        assert evidence_texts(some) == [evidence_json(each) for each in some]
