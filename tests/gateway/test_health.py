"""What is said of a meter: it is ok, it is left alone for a while, or it is silent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gateway.health import DeviceHealth, Health, StatusFile

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 10, 3, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def _state(device: DeviceHealth, now: datetime = NOW) -> str:
    return device.state(now)


def test_a_meter_that_was_never_heard_is_silent() -> None:
    assert _state(DeviceHealth("w-1", "t", DAY)) == "silent"


def test_a_meter_that_reports_by_itself_is_silent_after_its_time() -> None:
    device = DeviceHealth("w-1", "t", DAY, last_answer=NOW)
    assert _state(device, NOW + DAY) == "ok"
    assert _state(device, NOW + DAY + timedelta(seconds=1)) == "silent"


def test_a_meter_that_is_asked_fails_and_is_not_silent() -> None:
    health = Health([DeviceHealth("e-1", "t")])
    health.answered("e-1", NOW)
    health.failed("e-1", "no answer")
    health.failed("e-1", "no answer")
    (device,) = health.devices(NOW + 9 * DAY)
    assert (device["state"], device["failures"], device["error"]) == ("backoff", 2, "no answer")
    health.answered("e-1", NOW + 9 * DAY, remark="register x is refused")
    (device,) = health.devices(NOW + 9 * DAY)
    assert (device["state"], device["failures"]) == ("ok", 0)
    assert device["error"] == "register x is refused"


def test_the_status_is_replaced_whole(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "spool.sqlite")
    assert status.read() == {}
    status.write({"gateway": "北"})
    status.write({"gateway": "north"})
    assert status.read() == {"gateway": "north"}
    assert [path.name for path in tmp_path.iterdir()] == ["spool.sqlite.status.json"]
