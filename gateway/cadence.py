"""When a device is due: at the multiples of its interval, so that readings of all meters align."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Cadence:
    """The slots of one device: slot n begins at n × `every_s` seconds after the Unix epoch.

    Slots are counted on the wall clock, so nothing drifts. A device that was never read is due at
    once. After a pause the device is due at once too, for the slot that runs, and then at the next
    slot's beginning: a missed slot is made up for once, not many times.
    """

    every_s: int
    served: int | None = None
    """The slot that was read last."""

    def due_at(self, now_s: float) -> float:
        """Return the Unix time from which on the device is due, as seen at `now_s`."""
        if self.served is None:
            return 0.0  # before all that were read already, or they might never let it in
        # a clock that was set back must not silence the device until it has caught up
        return (min(self.served, self._slot(now_s)) + 1.0) * self.every_s

    def is_due(self, now_s: float) -> bool:
        return self.due_at(now_s) <= now_s

    def serve(self, began_s: float) -> None:
        """Note that a reading that began at `began_s` succeeded."""
        self.served = self._slot(began_s)

    def _slot(self, at_s: float) -> int:
        return int(at_s // self.every_s)
