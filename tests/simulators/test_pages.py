"""The page for people without hardware tells the truth, in both languages."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from meters.catalog import shipped
from meters.definition import validate
from simulators.commands import simulate
from simulators.faults import FaultKind, FaultsFile
from simulators.loads import Load

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("simulators.md", "simulators.zh-CN.md")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


def rows(page: str) -> set[str]:
    """Return what stands as code in the first column of the page's tables."""
    text = (DOCS / page).read_text("utf-8")
    firsts = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return {name for first in firsts for name in re.findall(r"`([^`]+)`", first)}


@pytest.mark.parametrize("page", PAGES)
def test_every_fault_and_every_load_has_its_line(page: str) -> None:
    assert rows(page) == {*map(str, FaultKind), *map(str, Load)}


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_exists_with_its_options(page: str) -> None:
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if "tallygate simulate" in line]
    assert len(commands) >= 9
    for _, _, name, *arguments in commands:
        command = simulate.commands[name]
        context = click.Context(command, resilient_parsing=True)
        parsed, extra, _ = command.make_parser(context).parse_args(arguments)
        assert not extra
        wanted = parsed.get("type_")
        assert wanted is None or wanted.startswith("my-meter") or wanted in shipped()


@pytest.mark.parametrize("page", PAGES)
def test_the_faults_of_the_page_load(page: str) -> None:
    (text,) = blocks(page, "toml")
    told = validate(FaultsFile, tomllib.loads(text), page).fault
    assert [fault.kind for fault in told] == [
        FaultKind.NOISE,
        FaultKind.SPIKE,
        FaultKind.EXCHANGE,
    ]
