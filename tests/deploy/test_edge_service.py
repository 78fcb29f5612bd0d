"""The systemd unit of an edge box: it starts what exists, and comes back whatever happens."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from tallygate import main

UNIT = Path(__file__).parents[2] / "deploy" / "edge" / "tallygate-gateway.service"


@pytest.fixture(scope="module")
def service() -> dict[str, str]:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # systemd's keys have capitals
    parser.read(UNIT, "utf-8")
    return dict(parser["Service"])


def test_it_starts_a_command_that_exists(service: dict[str, str]) -> None:
    program, *words, _settings = shlex.split(service["ExecStart"])

    assert Path(program).name == "tallygate"
    assert CliRunner().invoke(main, [*words, "--help"]).exit_code == 0


def test_it_comes_back_after_every_end(service: dict[str, str]) -> None:
    assert service["Restart"] == "always"


def test_systemd_understands_it() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine; the unit is read by the other tests")
    verified = subprocess.run(
        ["systemd-analyze", "verify", UNIT], capture_output=True, text=True, check=False
    )
    complaints = [line for line in verified.stderr.splitlines() if "is not executable" not in line]
    assert complaints == []
