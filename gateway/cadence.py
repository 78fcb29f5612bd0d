"""When a device is due: at the multiples of its interval from local midnight on.

So the readings of all meters align, and each local day begins with one, which bills rest on.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from meters.interval import local_midnight

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

WIDEST_SPREAD_S = 10.0


class Days:
    """The local days of `zone`, in Unix seconds."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._midnight = 0.0
        self._next_midnight = 0.0

    def around(self, at_s: float) -> tuple[float, float]:
        """Return the midnights at or before `at_s` and after it."""
        if not self._midnight <= at_s < self._next_midnight:
            day = datetime.fromtimestamp(at_s, UTC).astimezone(self._zone).date()
            self._midnight = local_midnight(day, self._zone).timestamp()
            after = local_midnight(day + timedelta(days=1), self._zone)
            self._next_midnight = after.timestamp()
        return self._midnight, self._next_midnight


def jitter_s(meter: str, every_s: int) -> float:
    """Return how long after the beginning of a slot `meter` is read, always the same.

    Up to a tenth of the interval and to ten seconds: a thousand meters are not asked at once, and
    are all read close to midnight.
    """
    return min(WIDEST_SPREAD_S, every_s / 10) * zlib.crc32(meter.encode()) / 2**32


@dataclass(slots=True)
class Cadence:
    """The slots of one device: each begins a multiple of `every_s` seconds after local midnight.

    Slots are counted on the wall clock, so nothing drifts. A device that was never read is due at
    once. After a pause the device is due at once too, for the slot that runs, and then at the next
    slot's beginning: a missed slot is made up for once, not many times. All times are Unix seconds,
    less the device's jitter.
    """

    every_s: int
    days: Days
    served: float | None = None
    """The beginning of the slot that was read last."""
    _slot_s: float = field(default=0.0, init=False)
    _next_s: float = field(default=0.0, init=False)
    """Where the slot that was looked at last begins and ends."""

    def due_at(self, now_s: float) -> float:
        """Return the time from which on the device is due, as seen at `now_s`."""
        if self.served is None:
            return 0.0  # before all that were read already, or they might never let it in
        slot = self._slot(now_s)
        if self.served < slot:
            return slot
        # where the clock was set back, a slot that is to come was served: count from this one on,
        # or the device were silent until the clock has caught up
        self.served = slot
        return self._next_s

    def is_due(self, now_s: float) -> bool:
        return self.due_at(now_s) <= now_s

    def owes_boundary(self, now_s: float) -> bool:
        """Return whether nothing was read since the local day began."""
        midnight, _ = self.days.around(now_s)
        return self.served is None or self.served < midnight

    def serve(self, began_s: float) -> None:
        """Note that a reading that began at `began_s` succeeded."""
        self.served = self._slot(began_s)

    def forget(self) -> None:
        """Note that what was read last does not count: the device is due at once."""
        self.served = None

    def _slot(self, at_s: float) -> float:
        if not self._slot_s <= at_s < self._next_s:
            midnight, next_midnight = self.days.around(at_s)
            self._slot_s = midnight + (at_s - midnight) // self.every_s * self.every_s
            self._next_s = min(self._slot_s + self.every_s, next_midnight)
        return self._slot_s
