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
    """The newest reading of each series inside `span`, as it was at `made_at`."""

    span: Span
    made_at: int
    newest: dict[Series, int]

    def shows_new(self, series: Series, time: int) -> bool:
        return self.span.first_s <= time <= self.span.last_s and time > self.newest.get(
            series, self.span.first_s - 1
        )


@dataclass(slots=True)
class Presence:
    """The looks that are still believed. Times are nanoseconds of a monotonic clock."""

    looks: list[Look] = field(default_factory=list)

    def doubtful(self, identities: Sequence[tuple[Series, int]], at: int) -> list[int]:
        """Return the positions of those of `identities` that may be there already."""
        self.looks = [look for look in self.looks if at - look.made_at < BELIEVED_NS][-_LOOKS:]
        doubtful = list(range(len(identities)))
        for look in self.looks:
            doubtful = [n for n in doubtful if not look.shows_new(*identities[n])]
        return doubtful

    def learn(self, span: Span, newest: Mapping[Series, int], at: int) -> None:
        """Note what a question about `span`, asked at `at`, has told."""
        self.looks.append(Look(span, at, dict(newest)))

    def wrote(self, identities: Sequence[tuple[Series, int]]) -> None:
        """Note what is there since now."""
        for look in self.looks:
            newest = look.newest
            for series, time in identities:
                if time > newest.get(series, time - 1):
                    newest[series] = time
