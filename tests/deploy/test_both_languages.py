"""The guides for who runs a server say the same in both languages: parts, commands, names."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
GUIDES = ("OPERATING", "HARDENING")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def both(guide: str) -> tuple[str, str]:
    english, chinese = (DEPLOY / f"{guide}{end}" for end in (".md", ".zh-CN.md"))
    return english.read_text("utf-8"), chinese.read_text("utf-8")


def shape(text: str) -> list[str]:
    """Return how the guide is made up: headings by their depth, blocks, items and rows."""
    prose = BLOCK.sub(r"```\1", text)
    found = re.findall(r"^(#+ \d?|```\w+|- |\|)", prose, re.MULTILINE)
    return [each.strip() for each in found]


def commands(text: str) -> list[tuple[str, object]]:
    """Return what the blocks hold, without their comments."""
    return [(kind, _meaning(kind, block)) for kind, block in BLOCK.findall(text)]


def _meaning(kind: str, block: str) -> object:
    match kind:
        case "toml":
            return tomllib.loads(block)
        case "sh":
            return [shlex.split(line, comments=True) for line in block.splitlines()]
        case _:
            return block


def names(text: str) -> list[str]:
    """Return what stands as code in sentences: commands, files, keys."""
    return sorted(re.findall(r"`([^`\n]+)`", BLOCK.sub("", text)))


@pytest.mark.parametrize("guide", GUIDES)
def test_both_have_the_same_parts_in_the_same_order(guide: str) -> None:
    english, chinese = map(shape, both(guide))
    assert len(english) > 10
    assert english == chinese


@pytest.mark.parametrize("guide", GUIDES)
def test_both_say_to_type_and_to_write_the_same(guide: str) -> None:
    english, chinese = both(guide)
    assert commands(english) == commands(chinese)
    assert names(english) == names(chinese)
    assert len(names(english)) > 15


@pytest.mark.parametrize("guide", GUIDES)
def test_each_leads_to_the_other_and_to_its_own_neighbours(guide: str) -> None:
    english, chinese = both(guide)
    assert f"]({guide}.zh-CN.md)" in english
    assert f"[English]({guide}.md)" in chinese
    for text, end in ((english, ".md"), (chinese, ".zh-CN.md")):
        for name in re.findall(r"\]\(([A-Z]+)(?:\.zh-CN)?\.md\)", text):
            assert name == guide or f"]({name}{end})" in text
    for target in re.findall(r"\]\(([^)#]+)", english + chinese):
        assert (DEPLOY / target).exists(), target
