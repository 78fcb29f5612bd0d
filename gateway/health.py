"""How the gateway does, for people: kept while it runs, and written beside the spool."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from gateway.spool import Spool
from gateway.spool_lock import is_locked

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta
    from pathlib import Path

    from gateway.forwarder import Progress
    from gateway.spool import Tally

State = Literal["ok", "backoff", "silent"]


@dataclass(slots=True)
class DeviceHealth:
    """One meter: `failures` in a row, and what the last one was."""

    meter: str
    type: str
    silent_after: timedelta | None = None
    """A meter that reports by itself is silent after so long; one that is asked fails instead."""
    last_answer: datetime | None = None
    failures: int = 0
    error: str | None = None

    def state(self, now: datetime) -> State:
        """Return how the meter does: what answers is ok, what was never heard is silent."""
        if self.failures:
            return "backoff"
        if self.last_answer is None:
            return "silent"
        if self.silent_after is not None and now - self.last_answer > self.silent_after:
            return "silent"
        return "ok"


class Health:
    """The meters' health. Any thread may tell it something."""

    def __init__(self, devices: Iterable[DeviceHealth]) -> None:
        self._devices = {device.meter: device for device in devices}
        self._guard = threading.Lock()
        self._alarms: dict[str, str] = {}
        self.broker_error: str | None = None

    def answered(self, meter: str, at: datetime, *, remark: str | None = None) -> None:
        """Note that `meter` answered; `remark` is what is wrong all the same."""
        with self._guard:
            device = self._devices[meter]
            device.last_answer = at
            device.failures = 0
            device.error = remark

    def failed(self, meter: str, error: str) -> None:
        """Note that `meter` did not answer as it should."""
        with self._guard:
            device = self._devices[meter]
            device.failures += 1
            device.error = error

    def alarm(self, kind: str, detail: str) -> None:
        """Say what a person should look at; one alarm of a kind stands until the all-clear."""
        with self._guard:
            self._alarms[kind] = detail

    def all_clear(self, kind: str) -> None:
        """Say that the alarm of this kind is over."""
        with self._guard:
            self._alarms.pop(kind, None)

    def devices(self, now: datetime) -> list[dict[str, Any]]:
        """Return each meter's state in the form that the status and the report have."""
        with self._guard:
            return [
                {
                    "meter": device.meter,
                    "type": device.type,
                    "state": device.state(now),
                    "last_answer": _iso(device.last_answer),
                    "failures": device.failures,
                    "error": device.error,
                }
                for device in self._devices.values()
            ]


@dataclass(frozen=True, slots=True)
class StatusFile:
    """The snapshot beside the spool at `spool_path`, replaced whole."""

    spool_path: Path

    @property
    def path(self) -> Path:
        return self.spool_path.with_name(self.spool_path.name + ".status.json")

    def write(self, snapshot: dict[str, Any]) -> None:
        """Replace the snapshot. A reader sees the old one or the new one."""
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(snapshot, ensure_ascii=False), "utf-8")
        beside.replace(self.path)

    def read(self) -> dict[str, Any]:
        """Return the last snapshot; an empty one where none was written."""
        try:
            found: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return found


def snapshot(
    *, gateway: str, now: datetime, health: Health, tally: Tally, progress: Progress
) -> dict[str, Any]:
    """Return how the gateway does at `now`, ready for JSON."""
    return {
        "gateway": gateway,
        "updated_at": _iso(now),
        "tally": asdict(tally),
        "archive": {"last_success": _iso(progress.last_success), "error": progress.error},
        "broker": {"error": health.broker_error},
        "devices": health.devices(now),
    }


def status(gateway: str, spool_path: Path) -> dict[str, Any]:
    """Return the gateway's last snapshot with today's tally, whether or not it runs.

    Raises `SpoolError` where there is no spool yet.
    """
    with Spool(spool_path, read_only=True) as spool:
        tally = spool.tally()
    return {
        "gateway": gateway,
        "archive": {"last_success": None, "error": None},
        "broker": {"error": None},
        "devices": [],
        "updated_at": None,
        **StatusFile(spool_path).read(),
        "running": is_locked(spool_path),
        "tally": asdict(tally),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
