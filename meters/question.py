"""Questions: what only a person can tell of a counter that contradicts its last good reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from meters.baseline import is_rescaled
from meters.quantity import plain

if TYPE_CHECKING:
    from datetime import datetime

    from meters.baseline import Baseline, Rival
    from meters.reading import Series

PERSISTING_READINGS = 3
PERSISTING_TIME = timedelta(minutes=10)
"""Readings that agree with each other persist once there are so many, over so long a time."""

POWERS_OF_TEN = tuple(Decimal(10) ** power for power in (-6, -3, -2, -1, 1, 2, 3, 6))
SAME = Decimal("0.02")
"""How far two registers may differ, relatively, and still be one at another scale."""
NEAR_ZERO = Decimal("0.05")
"""A reset counter starts again at zero: what it shows is this little of what it showed."""


class Cause(StrEnum):
    """What most likely happened; the person who looks decides."""

    RESET = "reset"
    """The counter was set to zero, or wrapped unseen."""
    EXCHANGE = "exchange"
    """Another meter answers in the place of the one that was known."""
    MAP = "map"
    """The same register is read at another scale, unit or word order."""


@dataclass(frozen=True, slots=True)
class Question:
    """A counter shows something else than its last good reading, and goes on from there.

    It showed `known` at `known_at`; since `since`, when it showed `first`, `readings` readings
    agree with each other, the last of them `value` at `time`.
    """

    series: Series
    likely: Cause
    known: Decimal
    known_at: datetime
    first: Decimal
    since: datetime
    value: Decimal
    time: datetime
    readings: int

    @classmethod
    def asked(cls, series: Series, baseline: Baseline) -> Self | None:
        """Return what has to be asked about `series`, None while nothing persists."""
        rival = baseline.rival
        if rival is None or not persists(rival) or baseline.stands_by:
            return None
        return cls(
            series,
            _likely(baseline, rival),
            baseline.value,
            baseline.time,
            rival.first,
            rival.since,
            rival.value,
            rival.time,
            rival.readings,
        )

    def __str__(self) -> str:
        what = {
            Cause.RESET: "was it reset, or did it wrap",
            Cause.EXCHANGE: "was the meter exchanged",
            Cause.MAP: "is it read at another scale or word order than before",
        }[self.likely]
        return (
            f"{self.series.register} of meter {self.series.meter} showed {plain(self.known)} at "
            f"{self.known_at}, and {plain(self.first)} to {plain(self.value)} since {self.since}: "
            f"{what}? Look at the meter, record what happened and confirm what it shows; "
            "until then its readings are suspect"
        )


def persists(rival: Rival) -> bool:
    """Return whether `rival` is no glitch: enough readings agree, over long enough a time."""
    return rival.readings >= PERSISTING_READINGS and rival.time - rival.since >= PERSISTING_TIME


def _likely(baseline: Baseline, rival: Rival) -> Cause:
    known, shown = baseline.value, rival.first
    if shown < 0 or is_rescaled(baseline, rival.scale):
        return Cause.MAP
    if shown and any(abs(known * power - shown) <= shown * SAME for power in POWERS_OF_TEN):
        return Cause.MAP
    return Cause.RESET if shown <= known * NEAR_ZERO else Cause.EXCHANGE
