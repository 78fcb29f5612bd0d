"""What was received and could not become a reading: kept, with the reason and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from meters.quantity import plain

if TYPE_CHECKING:
    from datetime import datetime

    from meters.reading import Reading

CONTENT_LIMIT_BYTES = 65536
"""What is kept of one content; a meter's telegram has some hundred bytes."""


class Fault(StrEnum):
    """Why something is in quarantine."""

    UNKNOWN_METER = "unknown-meter"
    """Nobody has stated whose message this is."""
    PAYLOAD = "payload"
    """The payload is no telegram of the meter's type."""
    IDENTITY = "identity"
    """Another meter than the stated one reported under this topic."""
    CLOCK = "clock"
    """The time of the reading cannot be true."""
    RETAINED = "retained"
    """The broker's stored copy of a message that does not say when the meter was read."""
    CONFLICT = "conflict"
    """The archive holds another value for this meter, register and time."""
    REFUSED = "refused"
    """The archive cannot hold the reading."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One item in quarantine. `received_at` is UTC in whole seconds, `content` what came in."""

    received_at: datetime
    source: str
    reason: Fault
    detail: str
    content: bytes
    retained: bool = False
    """Whether it came as the broker's stored copy: taken in again later, that still counts."""


def quarantined(
    *,
    received_at: datetime,
    source: str,
    reason: Fault,
    detail: str,
    content: bytes,
    retained: bool = False,
) -> Quarantined:
    """Return the item to keep; an oversized content is cut, and the detail says so."""
    if len(content) > CONTENT_LIMIT_BYTES:
        detail += f" (the first {CONTENT_LIMIT_BYTES} of {len(content)} bytes are kept)"
        content = content[:CONTENT_LIMIT_BYTES]
    return Quarantined(received_at, source, reason, detail, content, retained)


def reading_content(reading: Reading) -> bytes:
    """Return `reading` as the JSON that is kept of it."""
    return json.dumps(
        {
            "meter": reading.series.meter,
            "register": reading.series.register,
            "time": reading.time.isoformat(),
            "value": None if reading.value is None else plain(reading.value),
            "raw": reading.raw,
            "verdict": reading.verdict.name.lower(),
            "reasons": list(reading.reasons),
        }
    ).encode()
