"""Readings: what one register of one meter showed at one time, and how far to trust it."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal


class Verdict(IntEnum):
    """How far a reading may be trusted. Only good readings make usage or become a baseline."""

    GOOD = 0
    SUSPECT = 1
    INVALID = 2


class Reason(StrEnum):
    """Why a verdict is what it is."""

    SENTINEL = "sentinel"
    """The meter answered its own "no value" pattern."""
    NOT_A_NUMBER = "not-a-number"
    """A float or JSON held NaN, an infinity or text, or BCD a digit above 9."""
    FALLING = "falling"
    """A counter went down, and not by a plausible rollover."""
    RATE = "rate"
    """The counter rose faster than the meter can count."""
    ROLLOVER = "rollover"
    """The counter wrapped at its declared digits; the reading is good."""
    LATE = "late"
    """The reading is older than the baseline and contradicts it."""
    NO_SCALE = "no-scale"
    """Its scale factor says nothing that the type knows: nobody can tell the value."""
    RESCALED = "rescaled"
    """Its scale factor is another than that of the last good reading: a person has to look."""
    OUT_OF_RANGE = "out-of-range"
    """The value does not fit the declared digits."""
    AMBIGUOUS = "ambiguous"
    """The counter went down, and the time is long enough for any number of turns."""
    UNANSWERED = "unanswered"
    """It goes on from readings that contradict the last good one: a person has to say which."""
    UNCONFIRMED = "unconfirmed"
    """Good, but the counter jumped (or was read for the first time) and nothing confirms it yet."""
    RESTARTED = "restarted"
    """Good: readings that agree replace an unconfirmed one, which was a glitch."""
    STUCK = "stuck"
    """The counter stands still while its power gauge shows a load."""
    IDENTITY = "identity"
    """Another meter answered than the one that stands there."""
    CROSS_CHECK = "cross-check"
    """Registers that were read together contradict each other."""
    CLOCK = "clock"
    """The clock that gave the reading its time was not to be trusted."""


class Series(NamedTuple):
    """One register of one meter: the unit of storage."""

    meter: str
    register: str


class Observation(NamedTuple):
    """What a register answered, decoded but not yet judged.

    `value` is in the register's canonical unit, None where the words hold no number; then `fault`
    says why. `time` is when the meter answered (UTC, whole seconds), `raw` the words as hex
    (`462a 7521`) or the JSON text of the value. Where a scale factor tells the scale, its words
    follow in `raw`, and stand in `scale`.
    """

    series: Series
    time: datetime
    value: Decimal | None
    raw: str
    fault: Reason | None = None
    scale: str | None = None


class Reading(NamedTuple):
    """A judged observation. Its identity is (meter, register, time); it never changes."""

    series: Series
    time: datetime
    value: Decimal | None
    raw: str
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
