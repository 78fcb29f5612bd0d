"""What is said of a meter: it is ok, it is left alone for a while, or it is silent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gateway.forwarder import Progress
from gateway.health import DeviceHealth, Health, StatusFile
from gateway.quarantine_table import Stranger
from gateway.quota import MEGABYTE, Occupancy
from gateway.spool import Tally

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


def test_one_value_says_how_everything_does() -> None:
    health = Health([DeviceHealth("w-1", "t", DAY, last_answer=NOW)])
    health.broker_error = "broker:1883: connection lost"
    health.alarm("spool", "nothing is acknowledged")
    stranger = Stranger("mqtt:t", 2, NOW, NOW)
    found = health.snapshot(
        gateway="north-1",
        now=NOW,
        tally=Tally(10, 4, 1, 2, 2, 1),
        occupancy=Occupancy(95 * MEGABYTE, 100 * MEGABYTE),
        progress=Progress(NOW, "archive away"),
        strangers=[stranger],
    )
    assert set(found.alarms) == {"archive", "broker", "quota", "spool"}
    assert found.alarms["quota"].startswith("the spool holds 95 of 100 MB")
    document = found.document()
    assert json.loads(json.dumps(document)) == document
    assert document["tally"]["dropped"] == 1
    assert document["spool"] == {"used_bytes": 95_000_000, "quota_bytes": 100_000_000}
    assert document["devices"][0]["state"] == "ok"
    assert document["unknown"] == [
        {
            "source": "mqtt:t",
            "messages": 2,
            "first": "2026-10-03T08:00:00+00:00",
            "last": "2026-10-03T08:00:00+00:00",
        }
    ]


def test_alarms_end_by_themselves_and_by_the_all_clear() -> None:
    health = Health([])
    nearly, half = Occupancy(9, 10), Occupancy(5, 10)
    for occupancy, expected in ((nearly, {"quota"}), (half, set())):
        found = health.snapshot(
            gateway="g",
            now=NOW,
            tally=Tally(0, 0, 0, 0, 0),
            occupancy=occupancy,
            progress=Progress(),
        )
        assert set(found.alarms) == expected
    health.alarm("spool", "full")
    health.all_clear("spool")
    health.all_clear("spool")
    assert health.alarms == {}


def test_the_status_is_replaced_whole(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "spool.sqlite")
    assert status.read() == {}
    status.write({"gateway": "北"})
    status.write({"gateway": "north"})
    assert status.read() == {"gateway": "north"}
    assert [path.name for path in tmp_path.iterdir()] == ["spool.sqlite.status.json"]
