"""What a gateway tells about itself: its counts, its devices, and what it could not understand.

What it says of its spool, its list and its alarms is optional: older gateways do not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts of messages since the gateway's spool began (I1)."""

    received: int
    stored: int
    duplicate: int
    quarantined: int
    spooled: int
    dropped: int = 0
    """Readings of gauges that a full spool let go, so that counters found room."""

    @property
    def unaccounted(self) -> int:
        """Messages that were received and are nowhere; 0 unless something is wrong."""
        known = self.stored + self.duplicate + self.quarantined + self.spooled + self.dropped
        return self.received - known


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A meter as its gateway sees it."""

    meter: str
    meter_type: str
    state: str
    last_answer: datetime | None
    failures: int
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item in a gateway's quarantine; `number` is the gateway's own."""

    number: int
    received_at: datetime
    source: str
    reason: str
    detail: str
    content: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of what was received, where from and when."""
        text = f"{self.received_at.isoformat()}\n{self.source}\n{self.reason}\n"
        return hashlib.sha256(text.encode() + self.content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolState:
    """How full the spool is; `quota_bytes` is what it may take, None where nobody set a limit."""

    bytes: int
    quota_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something at the gateway that a person should look at."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListState:
    """The device list that the gateway works from; `refused` is why it did not take a newer one."""

    tag: str
    refused: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A counter that contradicts its last good value and goes on from there.

    It showed `known` at `known_at`; since `since`, when it showed `first`, `readings` readings
    agree, the last of them `value` at `time`.
    """

    meter: str
    register: str
    unit: str
    likely: str
    """What the gateway takes it for: `reset`, `exchange` or `map`."""
    known: Decimal
    known_at: datetime
    first: Decimal
    since: datetime
    value: Decimal
    time: datetime
    readings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report of a gateway. Without `questions` it does not know of any such thing."""

    gateway: str
    sent_at: datetime
    version: str
    tally: Tally
    devices: tuple[Device, ...]
    quarantine: tuple[Entry, ...]
    spool: SpoolState | None = None
    listed: ListState | None = None
    alarms: tuple[Alarm, ...] = ()
    questions: tuple[Question, ...] | None = None
