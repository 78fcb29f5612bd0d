"""Codes of papers: made by the newest key, checked by all, and for just one content."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from api.language import languages
from api.papers.sealing import Sealed, Seals, add_key, open_seals, page_of, read_code
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = bytes(32), bytes(range(32))
SEALED = Sealed("bill", "osmanthus-2026-10-0002", 50098, "CNY", date(2026, 11, 15), "0f" * 32)


def test_a_code_is_four_groups_of_letters_that_are_not_mistaken() -> None:
    code = Seals([NEW]).code(SEALED)
    assert code == Seals([NEW]).code(SEALED)
    assert [len(group) for group in code.split("-")] == [4, 4, 4, 4]
    assert not set(code) & set("ILOU")


def test_a_code_is_read_as_people_type_it() -> None:
    seals = Seals([NEW])
    code = seals.code(SEALED)
    assert read_code("o1il-7q k2") == "01117QK2"
    for typed in (code.lower(), code.replace("-", ""), code.replace("-", " "), f" {code} "):
        assert seals.holds(SEALED, typed)


@pytest.mark.parametrize(
    "altered",
    [
        replace(SEALED, kind="receipt"),
        replace(SEALED, number="osmanthus-2026-10-0003"),
        replace(SEALED, total=50099),
        replace(SEALED, currency="EUR"),
        replace(SEALED, day=date(2026, 11, 16)),
        replace(SEALED, content="0e" * 32),
    ],
)
def test_a_code_holds_for_nothing_else(altered: Sealed) -> None:
    seals = Seals([NEW])
    assert not seals.holds(altered, seals.code(SEALED))


def test_an_altered_code_does_not_hold() -> None:
    seals = Seals([NEW])
    code = seals.code(SEALED)
    for at, letter in enumerate(code):
        if letter != "-":
            other = "A" if letter != "A" else "B"
            assert not seals.holds(SEALED, code[:at] + other + code[at + 1 :])
    for wrong in ("", code[:-1], code + "0", "验证码" * 5):
        assert not seals.holds(SEALED, wrong)


def test_the_newest_key_signs_and_the_others_still_verify() -> None:
    before, after = Seals([OLD]), Seals([NEW, OLD])
    assert after.code(SEALED) == Seals([NEW]).code(SEALED) != before.code(SEALED)
    assert after.holds(SEALED, before.code(SEALED))
    assert not Seals([NEW]).holds(SEALED, before.code(SEALED))


def test_a_qr_code_needs_an_address() -> None:
    english = languages()["en"]
    plain = Seals([NEW]).seal(SEALED, english)
    assert plain.picture is None
    drawn = Seals([NEW], "https://bills.example.com").seal(SEALED, english)
    assert drawn.picture is not None
    assert "<svg" in drawn.picture
    assert drawn.code == plain.code
    assert drawn.advice.endswith("https://bills.example.com/verify")
    assert page_of("a/b", "7Q K2") == "/verify/a%2Fb/7Q%20K2"


def test_keys_stand_in_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "seals"
    assert add_key(path) == 1
    first = path.read_text("ascii")
    one = open_seals(path, None)
    assert add_key(path) == 2
    assert path.read_text("ascii").endswith(first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    both = open_seals(path, "https://bills.example.com/")
    assert one is not None
    assert both is not None
    assert both.holds(SEALED, one.code(SEALED))
    assert both.code(SEALED) != one.code(SEALED)
    assert open_seals(None, "https://bills.example.com") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds 0 keys; it takes 1 to 100"),
        ("ab\n", "line 1, is no key: 64 digits"),
        ("0" * 64 + "\n" + "G" * 64 + "\n", "line 2, is no key"),
        ("é", "cannot be read"),
    ],
)
def test_a_file_of_other_things_is_refused_and_not_shown(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "seals"
    path.write_text(content, "utf-8")
    with pytest.raises(DefinitionError) as raised:
        open_seals(path, None)
    assert message in str(raised.value)
    assert "GGGG" not in str(raised.value)
    if content:
        with pytest.raises(DefinitionError):
            add_key(path)
        assert path.read_text("utf-8") == content


def test_a_file_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="tallygate bill seal-key"):
        open_seals(tmp_path / "none", None)
