"""What the operating guide says to type exists, and what it says to write is taken."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path

import click
import pytest

from api.settings import ApiSettings
from gateway.settings import Settings
from meters.definition import validate
from tallygate import main

DEPLOY = Path(__file__).parents[2] / "deploy"
GUIDE = (DEPLOY / "OPERATING.md").read_text("utf-8")
UNIT = DEPLOY / "server" / "tallygate-api.service"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Return the words of each command of Tallygate's that the guide has, without `tallygate`."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("tallygate")]


def parsed(words: list[str]) -> None:
    """Read `words` as the command would; raise `click.UsageError` for what it does not know."""
    command: click.Command = main
    context = click.Context(command)
    while isinstance(command, click.Group):
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
        context = click.Context(command, parent=context)
    command.parse_args(context, words)


def test_every_command_of_the_guide_is_one_with_its_options(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("community.xlsx", "site.toml", "api.toml"):
        Path(name).touch()
    for name in ("tariffs", "pools"):
        Path(name).mkdir()
        Path(name, "*.toml").touch()
    for name in re.findall(r"export (TALLYGATE_\w+)=", GUIDE):
        monkeypatch.setenv(name, "sqlite://")

    found = commands()

    assert len(found) > 20
    for words in found:
        parsed([re.sub("/etc/tallygate/|/mnt/elsewhere/", "", word) for word in words])


def test_its_settings_are_taken() -> None:
    server, site = (tomllib.loads(block) for block in blocks("toml"))

    settings = validate(ApiSettings, server, "api.toml")
    assert settings.workers == 2
    assert validate(Settings, site, "site.toml").gateway == "osmanthus-1"


def test_its_files_are_there() -> None:
    named = re.findall(r"\b(?:deploy/)?((?:edge|server|compose|tariffs)/[/\w.-]*\w)", GUIDE)

    assert "server/tallygate-api.service" in named
    for name in set(named):
        assert (DEPLOY / name).exists(), name


def test_the_service_starts_a_command_that_exists_and_comes_back() -> None:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.read(UNIT, "utf-8")
    program, *words = shlex.split(parser["Service"]["ExecStart"])

    assert Path(program).name == "tallygate"
    parsed(words)
    assert parser["Service"]["Restart"] == "always"


def test_systemd_understands_the_service() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine; the unit is read by the other tests")
    verified = subprocess.run(
        ["systemd-analyze", "verify", UNIT], capture_output=True, text=True, check=False
    )
    complaints = [line for line in verified.stderr.splitlines() if "is not executable" not in line]
    assert complaints == []
