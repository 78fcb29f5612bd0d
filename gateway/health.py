"""How the gateway does, for people: kept while it runs, and written beside the spool."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from gateway.spool import Spool
from gateway.spool_lock import is_locked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from gateway.forwarder import Progress
    from gateway.quarantine_table import Stranger
    from gateway.quota import Occupancy
    from gateway.spool import Tally

QUOTA_ALARM = "quota"

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
            if device := self._devices.get(meter):  # it may have left while it answered
                device.last_answer = at
                device.failures = 0
                device.error = remark

    def failed(self, meter: str, error: str) -> None:
        """Note that `meter` did not answer as it should."""
        with self._guard:
            if device := self._devices.get(meter):
                device.failures += 1
                device.error = error

    def add(self, devices: Iterable[DeviceHealth]) -> None:
        """Know `devices` too; what is known of one that stays as it is stays."""
        with self._guard:
            for device in devices:
                known = self._devices.get(device.meter)
                if known is None or known.type != device.type:
                    self._devices[device.meter] = device
                else:
                    known.silent_after = device.silent_after

    def keep(self, meters: Collection[str]) -> None:
        """Forget every meter but `meters`."""
        with self._guard:
            self._devices = {
                name: device for name, device in self._devices.items() if name in meters
            }

    @property
    def alarms(self) -> dict[str, str]:
        """What a person should look at, by kind."""
        with self._guard:
            return dict(self._alarms)

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
            return [_document(device, now) for device in self._devices.values()]

    def snapshot(
        self,
        *,
        gateway: str,
        now: datetime,
        tally: Tally,
        occupancy: Occupancy,
        progress: Progress,
        strangers: Sequence[Stranger] = (),
    ) -> Snapshot:
        """Return how everything does at `now`, as one value."""
        if occupancy.is_nearly_full:
            self.alarm(QUOTA_ALARM, f"{occupancy}; gauges are dropped before anything else")
        else:
            self.all_clear(QUOTA_ALARM)
        alarms = self.alarms
        if progress.error is not None:
            alarms["archive"] = progress.error
        if self.broker_error is not None:
            alarms["broker"] = self.broker_error
        with self._guard:
            devices = tuple(replace(device) for device in self._devices.values())
        return Snapshot(
            gateway=gateway,
            at=now,
            tally=tally,
            occupancy=occupancy,
            last_forwarded=progress.last_success,
            archive_error=progress.error,
            broker_error=self.broker_error,
            devices=devices,
            alarms=alarms,
            strangers=tuple(strangers),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How a gateway does at one moment: for its status, a heartbeat, or a page of metrics."""

    gateway: str
    at: datetime
    tally: Tally
    occupancy: Occupancy
    last_forwarded: datetime | None
    """When the archive last took something."""
    archive_error: str | None
    broker_error: str | None
    devices: tuple[DeviceHealth, ...]
    alarms: Mapping[str, str]
    """What a person should look at, by kind."""
    strangers: tuple[Stranger, ...]
    """Who reports and is not stated: for adoption."""

    def document(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "gateway": self.gateway,
            "updated_at": _iso(self.at),
            "tally": asdict(self.tally),
            "spool": asdict(self.occupancy),
            "archive": {"last_success": _iso(self.last_forwarded), "error": self.archive_error},
            "broker": {"error": self.broker_error},
            "alarms": [{"kind": kind, "detail": text} for kind, text in self.alarms.items()],
            "devices": [_document(device, self.at) for device in self.devices],
            "unknown": [
                {
                    "source": stranger.source,
                    "messages": stranger.messages,
                    "first": _iso(stranger.first),
                    "last": _iso(stranger.last),
                }
                for stranger in self.strangers
            ],
        }


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
        "spool": None,
        "alarms": [],
        "devices": [],
        "unknown": [],
        "updated_at": None,
        **StatusFile(spool_path).read(),
        "running": is_locked(spool_path),
        "tally": asdict(tally),
    }


def _document(device: DeviceHealth, now: datetime) -> dict[str, Any]:
    return {
        "meter": device.meter,
        "type": device.type,
        "state": device.state(now),
        "last_answer": _iso(device.last_answer),
        "failures": device.failures,
        "error": device.error,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
