"""Languages: every text is translated, and readers get the one they ask for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

import api
import billing
import meters
from api import language, terms
from api.pages import rendering
from api.problems import TYPES
from api.staff_terms import REGISTERS
from api.wording import BASES
from billing.money import Direction, Place
from billing.pools.basis import Basis
from billing.pools.obstacle import ObstacleKind
from billing.pools.policy import Payer
from billing.pools.scope import ExclusionReason
from billing.vee import findings as vee_findings
from billing.vee import reviews
from billing.vee.settings import Rule
from gateway.quarantine import Fault
from meters import demand, finding, stepwise
from meters.catalog import shipped
from meters.finding import Finding
from meters.reading import Reason, Verdict
from meters.register_at import Source

if TYPE_CHECKING:
    from conftest import House

FOLDER = Path(api.__file__).parent
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
TOLD = {"told": None}
KEYWORDS = {
    **TOLD,
    "_": None,
    "language": None,
    "plural": (1, 2),
    "gettext": None,
    "ngettext": (1, 2),
}


def texts_in_code() -> set[Any]:
    found = extract_from_dir(
        FOLDER, METHODS, {"**/templates/**.html": {"trimmed": "true"}}, keywords=KEYWORDS
    )
    raised = [
        message
        for folder in (Path(billing.__file__).parent, Path(meters.__file__).parent)
        for message in extract_from_dir(folder, [("**.py", "python")], keywords=TOLD)
    ]
    return {message for *_, message, _, _ in (*found, *raised) if message}


def catalogue() -> dict[Any, Any]:
    with language.catalogue_path("zh_CN").open("rb") as file:
        return {message.id: message.string for message in read_po(file) if message.id}


def test_every_text_is_translated_and_no_translation_is_stale() -> None:
    said, translated = texts_in_code(), catalogue()
    assert len(said) > 250
    assert said - set(translated) == set(), "texts without a translation"
    assert set(translated) - said == set(), "translations of texts that are gone"
    empty = [text for text, translation in translated.items() if not translation]
    assert empty == []


def test_translations_name_the_same_values() -> None:
    value = re.compile(r"%\(\w+\)s|\{\w+(?::\w+)?\}")
    for text, translation in catalogue().items():
        if isinstance(text, tuple):
            continue
        assert set(value.findall(text)) == set(value.findall(translation)), text


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (terms.REGISTER_SOURCES, Source),
        (terms.REASONS, Reason),
        (terms.EXCLUSIONS, ExclusionReason),
        (terms.PAYERS, Payer),
        (terms.DIRECTIONS, Direction),
        (terms.PLACES, Place),
        (terms.FAULTS, Fault),
        (BASES, Basis),
    ],
)
def test_every_term_of_the_field_has_words(words: dict[str, str], keys: Any) -> None:
    assert set(words) == {key.value for key in keys}


def test_every_register_of_the_shipped_types_has_words() -> None:
    assert set(REGISTERS) == {name for each in shipped().values() for name in each.registers}


def test_every_verdict_and_obstacle_has_words() -> None:
    assert set(terms.VERDICTS) == {verdict.name.lower() for verdict in Verdict}
    assert {kind.value for kind in ObstacleKind} <= set(terms.PROBLEMS)


def test_every_problem_of_a_run_has_words() -> None:
    """Problems are made of texts, and of findings that block, always or where a community says."""
    texts = [path.read_text("utf-8") for path in (FOLDER.parent / "billing").rglob("*.py")]
    made = {name for text in texts for name in re.findall(r"Problem\(\s*\"([A-Za-z]+)\"", text)}
    findings = {
        name: each
        for module in (finding, vee_findings, reviews, demand, stepwise)
        for name, each in vars(module).items()
        if isinstance(each, type) and issubclass(each, Finding) and each is not Finding
    }
    blocking = {name for name, each in findings.items() if each.blocks}
    by_policy = {rule.value for rule in Rule}
    assert made
    assert made | blocking | by_policy <= set(terms.PROBLEMS)
    assert set(findings) - blocking == set(terms.FINDINGS)


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ("", None),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en-US,en;q=0.9", "en"),
        ("fr,en;q=0.4,zh;q=0.7", "zh-CN"),
        ("fr-FR", None),
        ("en;q=0, zh;q=0.1", "zh-CN"),
        ("zh-TW", "zh-CN"),
    ],
)
def test_browsers_get_the_language_that_they_prefer(header: str, tag: str | None) -> None:
    found = language.accepted(header)
    assert (found and found.tag) == tag


@given(st.text())
def test_any_header_is_answered(header: str) -> None:
    found = language.accepted(header)
    assert found is None or found.tag in language.languages()


def test_chinese_is_what_nobody_asked_for(house: House) -> None:
    assert '<html lang="zh-CN">' in house.call("GET", "/login").text


def test_the_language_that_was_chosen_is_remembered(house: House) -> None:
    chosen = house.call("GET", "/login?lang=en", headers={"Accept-Language": "zh"})
    assert '<html lang="en">' in chosen.text
    cookie = chosen.headers["set-cookie"].partition(";")[0]
    later = house.call("GET", "/login", headers={"Accept-Language": "zh", "Cookie": cookie})
    assert '<html lang="en">' in later.text
    assert '<html lang="zh-CN">' in house.call("GET", "/login?lang=xx").text


def test_problems_are_told_in_the_readers_language(house: House) -> None:
    answer = house.call("GET", "/v1/bills", headers={"Accept-Language": "zh-CN"}).json()
    assert answer["type"] == "/problems/not-signed-in"
    assert answer["title"] == "您尚未登录"


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_problem_type_can_be_opened(house: House, name: str) -> None:
    page = house.call("GET", f"/problems/{name}", headers={"Accept-Language": "en"})
    assert page.status_code == 200
    assert rendering.environment("en").filters["e"](TYPES[name].title) in page.text
