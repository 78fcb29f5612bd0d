"""What a gateway tells about itself: its counts, its devices, and what it could not understand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts of messages since the gateway's spool began (I1)."""

    received: int
    stored: int
    duplicate: int
    quarantined: int
    spooled: int

    @property
    def unaccounted(self) -> int:
        """Messages that were received and are nowhere; 0 unless something is wrong."""
        return self.received - self.stored - self.duplicate - self.quarantined - self.spooled


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
class Report:
    """One report of a gateway."""

    gateway: str
    sent_at: datetime
    version: str
    tally: Tally
    devices: tuple[Device, ...]
    quarantine: tuple[Entry, ...]
