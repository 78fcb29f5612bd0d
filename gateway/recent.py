"""What came in lately, to know it again: one telegram delivered twice is one telegram.

Where a telegram states its time, meter, register and time identify it, and the archive sees that it
holds them already. This is for the rest: an uplink that two network servers deliver, each with a
time of its own, is known by the device's sequence number; a message without a time that the broker
delivers again, or keeps, is known by its content.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from meters.decoding import Telegram

SAME_S = 3600
"""What comes again later is new: the device has joined anew and counts from the start."""
KEPT = 20_000
"""How many telegrams are remembered."""


class Mark(NamedTuple):
    """A telegram's fingerprint, and when it came in Unix seconds."""

    mark: bytes
    at: int


class Recent:
    """The marks of the last telegrams; `marks` are those that were kept, oldest first."""

    def __init__(self, marks: Iterable[Mark | tuple[bytes, int]] = ()) -> None:
        self._seen: dict[bytes, int] = dict(marks)

    def add(self, mark: Mark) -> None:
        """Remember `mark`; the oldest is forgotten in its place."""
        self._seen.pop(mark.mark, None)
        self._seen[mark.mark] = mark.at
        if len(self._seen) > KEPT:
            del self._seen[next(iter(self._seen))]

    def holds(self, mark: Mark, *, within_s: int | None = None) -> bool:
        """Return whether `mark` came before, and at most `within_s` seconds apart."""
        seen = self._seen.get(mark.mark)
        return seen is not None and (within_s is None or abs(mark.at - seen) <= within_s)


def uplink_mark(meter: str, telegram: Telegram, at: datetime) -> Mark:
    """Return the mark of `meter`'s telegram: its sequence number and everything that it says."""
    said = [f"{name}={decoded.raw}" for name, decoded in telegram.registers.items()]
    return _mark("\0".join([meter, str(telegram.sequence), *said]).encode(), at)


def message_mark(topic: str, payload: bytes, at: datetime) -> Mark:
    """Return the mark of a message that has no other identity than its content."""
    return _mark(topic.encode("utf-8", "surrogatepass") + b"\0" + payload, at)


def _mark(content: bytes, at: datetime) -> Mark:
    return Mark(blake2b(content, digest_size=16).digest(), int(at.timestamp()))
