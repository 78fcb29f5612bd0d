"""`tallygate gateway …`: what a person sees, whether or not the gateway runs."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from gateway.commands import _load_to_run, gateway
from gateway.credential import Credential, CredentialFile
from gateway.device_list import DeviceListFile
from gateway.health import StatusFile
from gateway.quarantine import Fault, quarantined
from gateway.spool import Spool
from gateway.spool_file import Row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 10, 3, 8, tzinfo=UTC)
SITE = """
gateway = "north-1"
[archive]
url = "sqlite:///archive.sqlite"
[[bus]]
name = "line"
host = "127.0.0.1"
[[bus.device]]
meter = "b-1"
unit = 1
type = "bove-ultrasonic"
"""


@pytest.fixture
def site(site_file: Callable[[str], Path]) -> Path:
    return site_file(SITE)


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(gateway, [str(argument) for argument in arguments])


def _fill(site: Path) -> Path:
    path = site.parent / "spool.sqlite"
    item = quarantined(
        received_at=NOW,
        source="mqtt:t",
        reason=Fault.PAYLOAD,
        detail="not JSON",
        content='{"户": \x1b[2J\xff'.encode("latin-1", "replace"),
    )
    with Spool(path) as spool:
        spool.take_in([Row("b-1", "volume", 0, "1", "0001", 0, "")], [item])
    return path


def test_a_sound_file_is_described(site: Path) -> None:
    result = _run("check", site)
    assert result.exit_code == 0
    assert "ok: gateway north-1, 1 meters on 1 buses, 0 meters through the broker" in result.output


@pytest.mark.parametrize("command", ["check", "run", "status", "quarantine"])
def test_a_typo_ends_each_command_with_what_was_meant(
    site_file: Callable[[str], Path], command: str
) -> None:
    path = site_file(SITE.replace("unit", "unti"))
    result = _run(command, path)
    assert result.exit_code == 2
    assert "unknown key; did you mean 'unit'?" in result.output


def test_a_gateway_that_never_ran_is_said_to(site: Path) -> None:
    result = _run("status", site)
    assert result.exit_code == 1
    assert "gateway north-1 has never run here" in result.output


def test_a_gateway_that_stands_still_still_has_a_status(site: Path) -> None:
    path = _fill(site)
    StatusFile(path).write(
        {
            "updated_at": "2026-10-03T08:00:00+00:00",
            "spool": {"used_bytes": 90_000_000, "quota_bytes": 100_000_000},
            "alarms": [{"kind": "quota", "detail": "the spool holds 90 of 100 MB"}],
            "unknown": [{"source": "mqtt:t/9", "messages": 3, "first": "f", "last": "l"}],
            "devices": [
                {"meter": "b-1", "state": "backoff", "last_answer": None, "error": "no answer"}
            ],
        }
    )
    result = _run("status", site)
    assert result.exit_code == 0
    assert "not running, last status of 2026-10-03T08:00:00+00:00" in result.output
    assert "received 2  stored 0  duplicate 0  quarantined 1  spooled 1" in result.output
    assert "b-1" in result.output
    assert "no answer" in result.output
    assert "spool: 90,000,000 of 100,000,000 bytes are used" in result.output
    assert "alarm: the spool holds 90 of 100 MB" in result.output
    assert "unknown: mqtt:t/9, 3 messages kept, last l" in result.output


def test_a_running_gateway_is_seen_from_outside(site: Path) -> None:
    with Spool(_fill(site)):
        found = json.loads(_run("status", site, "--json").output)
    assert found["running"] is True
    assert found["gateway"] == "north-1"
    assert found["tally"] == {
        "received": 2,
        "stored": 0,
        "duplicate": 0,
        "quarantined": 1,
        "spooled": 1,
        "dropped": 0,
    }


def test_the_quarantine_is_listed_and_does_not_command_the_terminal(site: Path) -> None:
    _fill(site)
    result = _run("quarantine", site)
    assert result.exit_code == 0
    assert "1  2026-10-03T08:00:00+00:00  payload  mqtt:t" in result.output
    assert "not JSON" in result.output
    assert "\\x1b[2J\\xff" in result.output
    assert "1 items" in result.output


def test_the_quarantine_as_json_holds_the_exact_content(site: Path) -> None:
    _fill(site)
    (item,) = json.loads(_run("quarantine", site, "--json").output)
    assert base64.b64decode(item["content_base64"]).endswith(b"\x1b[2J\xff")
    assert (item["id"], item["reason"], item["reported"]) == (1, "payload", False)


def test_a_broken_spool_is_named(site: Path) -> None:
    (site.parent / "spool.sqlite").write_bytes(b"no database" * 100)
    result = _run("run", site)
    assert result.exit_code == 1
    assert "cannot be used: file is not a database" in result.output


FROM_API = """
gateway = "north-1"
[archive]
url = "sqlite:///archive.sqlite"
[report]
url = "{url}"
[devices]
from = "api"
"""


def test_enrolment_stores_the_key_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "site.toml"
    path.write_text(FROM_API.format(url="https://tallygate.example"))

    def given(url: str, token: str, *, gateway: str) -> Credential:
        assert (token, gateway) == ("tg_enrol_1", "north-1")
        return Credential(url, "tg_key_secret")

    monkeypatch.setattr("gateway.commands.enrol_gateway", given)
    result = CliRunner().invoke(
        gateway, ["enrol", str(path), "--token-stdin"], input="tg_enrol_1\n"
    )
    assert result.exit_code == 0, result.output
    assert "tg_key_secret" not in result.output
    found = CredentialFile(tmp_path / "spool.sqlite").read()
    assert found == Credential("https://tallygate.example", "tg_key_secret")
    assert _run("check", path).exit_code == 0


def test_enrolment_says_why_it_fails(tmp_path: Path, free_port: Callable[[], int]) -> None:
    path = tmp_path / "site.toml"
    path.write_text(FROM_API.format(url=f"http://127.0.0.1:{free_port()}"))
    result = CliRunner().invoke(gateway, ["enrol", str(path)], input="tg_enrol_1\n")
    assert result.exit_code == 1
    assert "cannot be reached" in result.output
    assert "use the token again" in result.output
    path.write_text(SITE)
    result = CliRunner().invoke(gateway, ["enrol", str(path)], input="tg_enrol_1\n")
    assert "has no [report]" in result.output


def test_a_damaged_list_keeps_no_gateway_from_its_work(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(FROM_API.format(url="https://tallygate.example"))
    spool = tmp_path / "spool.sqlite"
    CredentialFile(spool).write(Credential("https://tallygate.example", "tg_key_1"))
    DeviceListFile(spool).path.write_text("{")
    site = _load_to_run(path)
    assert (site.buses, site.list_tag) == ((), "")
    path.write_text(FROM_API.format(url="https://tallygate.example") + "\nnonsense = 1")
    with pytest.raises(SystemExit):
        _load_to_run(path)
