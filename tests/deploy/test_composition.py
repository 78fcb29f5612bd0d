"""The composition of one server: its settings hold, and it starts commands that exist."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from click.testing import CliRunner

from gateway.site import load_site
from meters.archive.influx_address import read_address
from tallygate import main

COMPOSE = Path(__file__).parents[2] / "deploy" / "compose"


def environment() -> dict[str, str]:
    lines = (COMPOSE / ".env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_gateway_takes_its_settings_file(tmp_path: Path) -> None:
    shutil.copy(COMPOSE / "site.toml", tmp_path)
    (tmp_path / "tls").mkdir()
    for name in ("ca.crt", "gateway-main.crt", "gateway-main.key"):
        (tmp_path / "tls" / name).touch()

    site = load_site(
        tmp_path / "site.toml", {"TALLYGATE_ARCHIVE_URL": environment()["ARCHIVE_URL"]}
    )

    assert site.broker is not None
    assert site.broker.tls
    assert site.metrics is not None


def test_prometheus_asks_where_the_gateway_answers() -> None:
    port = re.search(r"port = (\d+)\n\n\[mqtt\]", (COMPOSE / "site.toml").read_text("utf-8"))
    asked = re.search(r'"gateway:(\d+)"', (COMPOSE / "prometheus/prometheus.yml").read_text())

    assert port is not None
    assert asked is not None
    assert port[1] == asked[1]


def test_the_archive_is_one_that_can_be_addressed() -> None:
    address = read_address(environment()["ARCHIVE_URL"])

    assert (address.version, address.database) == (2, "tallygate")
    assert str(address.secret_env) in (COMPOSE / "compose.yaml").read_text("utf-8")


def test_no_password_is_shipped() -> None:
    secrets = {name: value for name, value in environment().items() if name != "ARCHIVE_URL"}

    assert secrets
    assert not any(secrets.values())


def test_every_command_that_it_starts_exists() -> None:
    composition = (COMPOSE / "compose.yaml").read_text("utf-8")
    commands = re.findall(r"command: \[([^\]]+)\]", composition)

    assert len(commands) >= 3
    for command in commands:
        words = [word.strip() for word in command.split(",")]
        asked = [word for word in words if not word.startswith("/")]
        assert CliRunner().invoke(main, [*asked, "--help"]).exit_code == 0, command
