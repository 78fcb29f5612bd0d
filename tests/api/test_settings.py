"""Settings and commands: what is wrong is said with what, where and what to do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
from click.testing import CliRunner

from api.commands import api, key, user
from api.settings import ApiSettings, load_settings
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import House

FILE = 'database_url = "sqlite:///b"\narchive_url = "sqlite:///a"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "api.toml"
    path.write_text(text, "utf-8")
    return path


def environment(settings: ApiSettings, **more: str) -> dict[str, str]:
    return {
        "TALLYGATE_DATABASE_URL": settings.database_url,
        "TALLYGATE_ARCHIVE_URL": settings.archive_url,
        "TALLYGATE_SECURE_COOKIES": "false",
        **more,
    }


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, FILE + "port = 9000\n")
    assert load_settings(path, {}, ApiSettings).port == 9000
    found = load_settings(
        path, {"TALLYGATE_PORT": "9001", "TALLYGATE_METER_TYPES": "/a:/b"}, ApiSettings
    )
    assert found.port == 9001
    assert [str(folder) for folder in found.meter_types] == ["/a", "/b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FILE + "prot = 1\n", "prot: unknown key; did you mean 'port'?"),
        (FILE + "port = 70000\n", "port: Input should be less than or equal to 65535"),
        ("port = 1\n", "database_url: is missing"),
        ("port =", "is not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_words(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=r"api\.toml") as raised:
        load_settings(written(tmp_path, text), {}, ApiSettings)
    assert message in str(raised.value)


def test_logins_need_no_archive(settings: ApiSettings, tmp_path: Path) -> None:
    file = written(tmp_path, f'database_url = "{settings.database_url}"\n')
    arguments = ["add", "second-clerk", "--role", "clerk", "--settings", str(file)]
    added = CliRunner().invoke(user, [*arguments, "--password-stdin"], input="a-long-password-1\n")
    assert added.exit_code == 0, added.output
    server = CliRunner().invoke(api, ["run", "--settings", str(file)])
    assert "archive_url: is missing" in server.output


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    answer = CliRunner().invoke(api, ["run", "--settings", str(tmp_path / "no.toml")])
    assert answer.exit_code == 1
    assert "cannot be read" in answer.output


def test_a_taken_port_is_said_so(settings: ApiSettings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = CliRunner().invoke(
            api, ["run"], env=environment(settings, TALLYGATE_PORT=str(port))
        )
    assert answer.exit_code == 1
    assert f"port {port} on 127.0.0.1 is taken" in answer.output
    assert "TALLYGATE_PORT" in answer.output


def test_a_database_without_tables_is_said_so(tmp_path: Path, settings: ApiSettings) -> None:
    empty = environment(settings, TALLYGATE_DATABASE_URL=f"sqlite:///{tmp_path}/empty.sqlite")
    answer = CliRunner().invoke(api, ["run"], env=empty)
    assert answer.exit_code == 1
    assert "tallygate billing migrate" in answer.output


def test_the_server_starts_answers_and_stops_on_sigterm(
    settings: ApiSettings, free_port: Callable[[], int]
) -> None:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-c", "from api.commands import api; api()", "run"],
        env={
            **os.environ,
            **environment(settings, TALLYGATE_PORT=str(port), TALLYGATE_REQUEST_SECONDS="1"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == f"listening on http://127.0.0.1:{port}\n"
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}") as client:
        assert client.get("/health").json()["status"] == "ok"
        assert "server" not in client.get("/login").headers
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall(b"GET /heal")
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")
    server.send_signal(signal.SIGTERM)
    output, _ = server.communicate(timeout=20)
    assert server.returncode in (0, -signal.SIGTERM), output
    assert "Traceback" not in output


def test_an_owner_is_added_with_a_password_shown_once(house: House) -> None:
    resources = house.app.state.resources
    arguments = ["add", "zhou", "--role", "owner", "--account", "A-2-101"]
    answer = CliRunner().invoke(user, arguments, env=environment(resources.settings))
    assert answer.exit_code == 0, answer.output
    password = answer.output.partition("password: ")[2].strip()
    token = house.token("zhou", password)
    bills = house.call("GET", "/v1/bills", headers={"Authorization": f"Bearer {token}"})
    assert {each["unit"] for each in bills.json()["items"]} == {"2-101"}


def test_a_password_may_come_from_standard_input(house: House) -> None:
    settings = house.app.state.resources.settings
    arguments = ["add", "second-clerk", "--role", "clerk", "--password-stdin"]
    answer = CliRunner().invoke(
        user, arguments, input="a-very-long-password\n", env=environment(settings)
    )
    assert answer.exit_code == 0, answer.output
    assert "password" not in answer.output
    assert house.token("second-clerk", "a-very-long-password")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "li", "--role", "owner", "--account", "A-1-101"], "exists already"),
        (["add", "x", "--role", "owner", "--account", "A-9"], "no account has the code 'A-9'"),
        (["add", "x", "--role", "owner"], "role owner needs an account"),
        (["add", "x", "--role", "clerk", "--account", "A-1-101"], "leave them out"),
    ],
)
def test_a_login_that_makes_no_sense_is_refused(
    settings: ApiSettings, arguments: list[str], message: str
) -> None:
    answer = CliRunner().invoke(user, arguments, env=environment(settings))
    assert answer.exit_code == 1
    assert message in answer.output


def test_a_gateways_key_reports_as_that_gateway(house: House) -> None:
    settings = house.app.state.resources.settings
    answer = CliRunner().invoke(
        key, ["add", "gw-7", "--scope", "gateway:report"], env=environment(settings)
    )
    token = answer.output.partition("key: ")[2].strip()
    report = {
        "gateway": "gw-7",
        "sent_at": "2026-11-15T07:59:00Z",
        "version": "0.1.0",
        "tally": {"received": 0, "stored": 0, "duplicate": 0, "quarantined": 0, "spooled": 0},
    }
    headers = {"Authorization": f"Bearer {token}"}
    sent = house.call("POST", "/v1/gateway/report", json=report, headers=headers)
    assert sent.status_code == 200
    other = {**report, "gateway": "gw-8"}
    refused = house.call("POST", "/v1/gateway/report", json=other, headers=headers)
    assert refused.status_code == 403
