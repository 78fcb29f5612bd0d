"""What is known to be in an archive that cannot say itself whether a reading is new.

InfluxDB overwrites what has the same series and time. Before a reading is written, somebody has to
know that nothing is there: a *look* is what one question has told about a span of time, the newest
reading of every series in it. What is newer, inside the span, is not there, unless another process
has written it since the look; so a look is believed for ten seconds only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meters.archive.circuit import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meters.archive.influxql import Span
    from meters.reading import Series

BELIEVED_NS = 10 * SECOND_NS
AHEAD_S = 2 * 86_400
"""How far a look goes beyond the readings that asked for it: what follows them is likely next."""
_LOOKS = 4


@dataclass(slots=True)
class Look:
    """The newest reading of each series inside `span`, as it was at `made_at` and since."""

    span: Span
    made_at: int
    newest: dict[Series, int]

    def take(self, series: Sequence[Series], times: Sequence[int]) -> list[int]:
        """Note that readings are about to be written; return the positions of the doubtful ones.

        Doubtful is what may be there already, and what comes twice here. To note more than will be
        written does no harm: it makes doubtful what is new, and never the other way round.
        """
        first, last = self.span
        newest, known, before = self.newest, self.newest.get, first - 1
        doubtful = []
        for position, (one, time) in enumerate(zip(series, times, strict=True)):
            if first <= time <= last and time > known(one, before):
                newest[one] = time
            else:
                doubtful.append(position)
        return doubtful


@dataclass(slots=True)
class Presence:
    """The looks that are still believed. Times are nanoseconds of a monotonic clock."""

    looks: list[Look] = field(default_factory=list)

    def take(self, series: Sequence[Series], times: Sequence[int], at: int) -> list[int]:
        """Note that readings are about to be written; return the positions of the doubtful ones."""
        self.looks = [look for look in self.looks if at - look.made_at < BELIEVED_NS][-_LOOKS:]
        if not self.looks:
            return list(range(len(times)))
        # every look has to learn of all; what one of them shows to be new is new
        first, *others = (set(look.take(series, times)) for look in self.looks)
        return sorted(first.intersection(*others))

    def learn(self, span: Span, newest: Mapping[Series, int], at: int) -> None:
        """Note what a question about `span`, asked at `at`, has told."""
        self.looks.append(Look(span, at, dict(newest)))
