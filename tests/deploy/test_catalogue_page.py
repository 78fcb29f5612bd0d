"""The page of the meter types says of every shipped type what an engineer must know."""

from __future__ import annotations

import re

import pytest

from deploy.catalogue_page import catalogue_page
from deploy.catalogue_words import WORDS, caveats_in
from meters.catalog import shipped


@pytest.mark.parametrize("language", WORDS)
def test_every_type_and_variant_is_in_the_index_and_has_its_section(language: str) -> None:
    page = catalogue_page(language)

    assert sorted(re.findall(r"\]\(#([^)]+)\)", page)) == sorted(shipped())
    assert sorted(re.findall(r'<a id="([^"]+)">', page)) == sorted(shipped())


@pytest.mark.parametrize("language", WORDS)
def test_every_caveat_and_every_source_of_a_proof_is_said(language: str) -> None:
    page = catalogue_page(language)

    for meter_type in shipped().values():
        caveats = [caveats_in(language).get(each, each) for each in meter_type.caveats]
        for said in (*caveats, *(proof.source for proof in meter_type.proof)):
            assert said in page


def test_every_caveat_of_the_shipped_types_is_said_in_chinese_and_no_other() -> None:
    caveats = {caveat for meter_type in shipped().values() for caveat in meter_type.caveats}

    assert caveats_in("zh").keys() == caveats


@pytest.mark.parametrize("language", WORDS)
def test_every_row_of_a_table_has_as_many_cells_as_its_heading(language: str) -> None:
    tables = re.findall(r"^\|.*(?:\n\|.*)+", catalogue_page(language), flags=re.MULTILINE)

    assert tables
    for table in tables:
        assert len({row.count("|") for row in table.splitlines()}) == 1, table


def test_both_languages_have_the_same_words_with_the_same_places() -> None:
    def places(text: str) -> list[str]:
        return sorted(re.findall(r"{\w+}", text))

    english, chinese = WORDS["en"], WORDS["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert places(text) == places(chinese[key]), key


def test_a_register_that_only_its_map_proves_is_not_called_captured() -> None:
    rows = [row for row in catalogue_page("en").splitlines() if row.startswith("| `")]
    em340 = next(row for row in rows if "0x0034 int32" in row)
    dds238 = next(row for row in rows if "0x000a uint32" in row and "| 17 |" in row)

    assert em340.endswith("| computed |")
    assert dds238.endswith("| capture |")
