"""The demo as a user runs it: one command, real processes and sockets, a summary that can fail."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 400


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tallygate", "demo", "--once", "--dir", str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def summaries(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The same community twice at the same time."""
    folders = tmp_path_factory.mktemp("demos")
    running = [start(folders / name, "--json", "--seed", "7") for name in ("one", "another")]
    said = [process.communicate(timeout=TIMEOUT_S) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    return [json.loads(out) for out, _ in said]


def test_every_invariant_holds_on_what_the_demo_stored(summaries: list[dict[str, Any]]) -> None:
    for summary in summaries:
        assert summary["ok"]
        assert summary["failures"] == []


def test_every_meter_is_read_at_least_twice_over_its_socket(
    summaries: list[dict[str, Any]],
) -> None:
    for summary in summaries:
        assert summary["meters"] == 56
        assert summary["live_readings"] >= 2 * summary["meters"]


def test_what_was_received_is_stored_duplicate_quarantined_or_spooled(
    summaries: list[dict[str, Any]],
) -> None:
    for summary in summaries:
        tally = summary["readings"]
        assert tally["received"] > 50_000
        assert tally["received"] == (
            tally["stored"]
            + tally["duplicate"]
            + tally["quarantined"]
            + tally["dropped"]
            + tally["spooled"]
        )


def test_every_unit_is_billed_and_every_pool_balances(summaries: list[dict[str, Any]]) -> None:
    for summary in summaries:
        assert summary["bills"] == 24
        assert {pool["balance"] for pool in summary["pools"]} == {"0.00"}
        assert len(summary["pools"]) == 6


def test_the_same_seed_gives_the_same_bills(summaries: list[dict[str, Any]]) -> None:
    first, again = summaries
    assert first["digest"] == again["digest"]
    assert first["total"] == again["total"]


def test_a_taken_port_is_said_and_nothing_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(tmp_path / "demo", "--port", str(port))
        _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert f"port {port} is taken" in err
    assert "--port" in err
    assert "Traceback" not in err


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    process = start(tmp_path)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert "holds files that are not a demo's" in err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
