"""The guide to a new meter type: what it says was printed, and whoever follows it arrives."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from simulator_process import running

from deploy.guide import GUIDES, GuideError, commands_in, guide
from gateway.bench.commands import meters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("add-a-meter-type.md", "add-a-meter-type.zh-CN.md")
MOST_LINES = 25
PORT = ":5020"


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the blocks of a guide, each with its language and what is in it."""
    yield from re.findall(r"^```(console|toml).*?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_what_the_program_prints_today(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == guide(name), "run `tallygate docs`"


def test_both_languages_run_the_same_commands_on_the_same_files() -> None:
    english, chinese = ((GUIDES / name).read_text("utf-8") for name in NAMES)

    assert list(blocks(english)) == list(blocks(chinese))


def test_the_page_shows_a_mistake_and_then_that_it_holds() -> None:
    text = (DOCS / NAMES[0]).read_text("utf-8")

    wrong = text.index("(expected 10990.28, got 10909.28 (raw 462a 751f))")
    assert wrong < text.index("1 of 1 definitions hold") < text.index("good\n")


@pytest.fixture
def followed(tmp_path: Path) -> tuple[Path, list[tuple[str, int]]]:
    """The file of whoever follows the page, and each command's exit status."""
    statuses = []
    page = (DOCS / NAMES[0]).read_text("utf-8")
    with running("meter", "eastron-sdm120", "--first", "10909.28", "--port", "0") as process:
        port = f":{process.said['lines'][0]['port']}"
        with chdir(tmp_path):
            for kind, text in blocks(page):
                if kind == "toml":
                    Path("my-sdm120.toml").write_text(text, "utf-8")
                    continue
                statuses += [
                    (command, status)
                    for command in commands_of(text)
                    for status in [follow(command.replace(PORT, port))]
                    if status is not None
                ]
    return tmp_path / "my-sdm120.toml", statuses


def commands_of(page_block: str) -> list[str]:
    return [each.replace("\\\n", "") for each in commands_in(page_block)]


def follow(command: str) -> int | None:
    """Do what the page says; return the exit status of what is asked of `tallygate meters`."""
    match shlex.split(command):
        case ["tallygate", "meters", *arguments]:
            return run(*arguments).exit_code
        case ["sed", "-i", change, file]:
            _, old, new, _ = change.split("/")
            Path(file).write_text(Path(file).read_text("utf-8").replace(old, new), "utf-8")
    return None


def run(*arguments: str) -> Result:
    return CliRunner().invoke(meters, arguments)


def test_whoever_follows_the_page_reads_the_new_type(
    followed: tuple[Path, list[tuple[str, int]]],
) -> None:
    file, statuses = followed

    checks = [status for command, status in statuses if " check " in command]
    assert checks == [1, 1, 0]
    assert {status for command, status in statuses if " check " not in command} == {0}
    assert len(file.read_text("utf-8").splitlines()) < MOST_LINES
    with running("meter", str(file), "--first", "500", "--port", "0") as process:
        port = process.said["lines"][0]["port"]
        result = run("read", f"127.0.0.1:{port}", "--type", str(file), "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert shown["type"] == "my-sdm120"
    assert float(shown["registers"]["import_energy"]["value"]) > 500
    assert 80 < float(shown["registers"]["voltage"]["value"]) < 500


def test_a_guide_runs_nothing_but_what_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.md").write_text("```console\n$ rm -r x\n```\n", "utf-8")
    monkeypatch.setattr("deploy.guide.GUIDES", tmp_path)

    with pytest.raises(GuideError, match="a guide runs no 'rm -r x'"):
        guide("bad.md")
