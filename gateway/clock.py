"""Whether the wall clock can be believed: a box without a battery wakes up in 1970."""

from __future__ import annotations

import logging
import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

EARLIEST_S = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
"""A clock that shows an earlier time was never set."""
BIG_STEP_S = 30.0
"""What nobody's oscillator gains between two looks."""
SETTLED_S = 60.0
"""How long a clock that jumped must run evenly before it is believed again."""


class Moment(NamedTuple):
    """What the clock shows, whether it can be believed, and how often it has jumped."""

    time: datetime
    seconds: float
    """The same, in Unix seconds."""
    trusted: bool
    steps: int


class WatchedClock:
    """The wall clock `now`, held against `monotonic` (seconds), which nobody sets.

    Of two times that a jump lies between nobody knows which is right, so none is believed until the
    clock has run evenly for a minute. A clock that was never set and then is, is right at once.
    """

    def __init__(
        self, now: Callable[[], datetime], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._monotonic = monotonic
        self._offset_s = math.nan
        """Unknown before the first look."""
        self._was_set = True
        self._settled_at = -math.inf
        self._steps = 0

    def look(self) -> Moment:
        """Return what time it is. Look every few seconds, or a slow clock looks like a jump."""
        now = self._now()
        at = self._monotonic()
        seconds = now.timestamp()
        offset_s = seconds - at
        is_set = seconds >= EARLIEST_S
        by_s = offset_s - self._offset_s
        if not -BIG_STEP_S <= by_s <= BIG_STEP_S:
            self._jumped(now, at, by_s, is_set=is_set)
        self._offset_s = offset_s
        self._was_set = is_set
        return Moment(now, seconds, is_set and at >= self._settled_at, self._steps)

    def _jumped(self, now: datetime, at: float, by_s: float, *, is_set: bool) -> None:
        if math.isnan(by_s):
            if not is_set:
                log.warning("the clock shows %s: it was never set; readings are marked", now)
            return
        self._steps += 1
        if is_set and not self._was_set:
            log.warning("the clock has been set: it is %s", now)
            return
        self._settled_at = at + SETTLED_S
        log.warning(
            "the clock jumped by %+.0f s to %s: readings are marked until it has run evenly for "
            "%.0f s; is there a time server?",
            by_s,
            now,
            SETTLED_S,
        )
