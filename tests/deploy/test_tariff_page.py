"""The tariff reference: a proven file for each kind of charge, and every key in two languages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from billing.calendar import Calendar
from billing.rating.charge import Charge
from billing.rating.example import Example
from billing.rating.tax import Tax
from billing.tariff import Tariff, load_tariff
from deploy.tariff_page import (
    TARIFFS,
    WIDTHS,
    WORDS,
    charge_kinds,
    keys_of,
    meaning,
    tariff_page,
)

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"en": "tariff-reference.md", "zh": "tariff-reference.zh-CN.md"}


def tables() -> dict[str, list[str]]:
    """Return the keys that each table of a tariff may have, as the page asks for their meaning."""
    common = {*keys_of(Charge), *WIDTHS, "kind"}
    return {
        "tariff": keys_of(Tariff),
        "charge": keys_of(Charge),
        "blocks": list(WIDTHS),
        "calendar": keys_of(Calendar),
        "tax": keys_of(Tax),
        "example": keys_of(Example),
        **{
            kind: [key for key in keys_of(model) if key not in common]
            for kind, model in charge_kinds().items()
        },
    }


@pytest.mark.parametrize("language", PAGES)
def test_the_page_is_what_the_program_says_today(language: str) -> None:
    assert (DOCS / PAGES[language]).read_text("utf-8") == tariff_page(language), (
        "run `tallygate docs`"
    )


@pytest.mark.parametrize("kind", charge_kinds())
def test_every_kind_of_charge_has_a_file_that_is_proven_and_holds_it(kind: str) -> None:
    tariff = load_tariff(TARIFFS / f"{kind}.toml")

    assert isinstance(tariff.charges[-1], charge_kinds()[kind])
    assert {"zh", "en"} <= set(tariff.title)


def test_there_is_no_other_file_than_those_of_the_charges_and_of_tax() -> None:
    assert {path.stem for path in TARIFFS.glob("*.toml")} == {*charge_kinds(), "tax"}


@pytest.mark.parametrize("language", PAGES)
def test_every_key_has_a_meaning_and_no_meaning_is_left_over(language: str) -> None:
    known = tomllib.loads(WORDS.read_text("utf-8"))["keys"]
    asked = set()
    for where, keys in tables().items():
        for key in keys:
            assert meaning(where, key, language)
            asked.add(f"{where}.{key}" if f"{where}.{key}" in known else key)

    assert asked == set(known)


@pytest.mark.parametrize("language", PAGES)
def test_links_lead_somewhere_and_tables_have_as_many_cells_as_headings(language: str) -> None:
    page = tariff_page(language)
    anchors = set(re.findall(r'<a id="([^"]+)">', page))

    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors
    for table in re.findall(r"^\|.*(?:\n\|.*)+", page, flags=re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1
