"""How complete a meter's readings are: for how many of the expected instants there is a good one.

Of the last day every hour is expected to hold one; of longer spans every local midnight, where
bills are cut, to have one near it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from meters.archive.protocol import BOUNDARY_WINDOW
from meters.archive.rows import ceil_seconds, floor_seconds
from meters.edges import NEVER_AGAIN_S, NEVER_S
from meters.interval import local_midnight
from meters.reading import Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.freshness import MeterState
    from billing.store.views.meters import Standing
    from meters.archive.protocol import Archive
    from meters.meter_type import MeterType

HOUR = timedelta(hours=1)


class Span(IntEnum):
    """How many days are looked back."""

    DAY = 1
    WEEK = 7
    MONTH = 31


@dataclass(frozen=True, slots=True)
class Completeness:
    """Of `expected` instants, as many as `good` have a good reading of every billing register."""

    good: int
    expected: int

    @property
    def percent(self) -> int | None:
        """The share in whole percent, rounded down: 100 is said of what lacks nothing alone."""
        return self.good * 100 // self.expected if self.expected else None


def completeness(
    archive: Archive,
    types: Mapping[str, MeterType],
    states: Sequence[MeterState],
    *,
    span: Span,
    now: datetime,
) -> list[Completeness]:
    """Return how complete the readings of the meters of `states` are, in their order.

    A register that a meter has never shown is not waited for. One question to the archive a zone,
    whatever the number of meters. May wait for the archive, so it belongs into a thread.
    Raises `ArchiveUnavailableError`.
    """
    series = {each.standing.meter: _series(types, each) for each in states}
    found = dict.fromkeys(series, Completeness(0, 0))
    by_zone: dict[str, list[Standing]] = defaultdict(list)
    for each in states:
        if series[each.standing.meter]:
            by_zone[each.standing.zone].append(each.standing)
    window = HOUR if span is Span.DAY else BOUNDARY_WINDOW
    for zone, members in by_zone.items():
        wanted = [one for at in members for one in series[at.meter]]
        looked_at = instants(span, zone=ZoneInfo(zone), now=now)
        edges = archive.edges(wanted, looked_at, window=window)
        near = edges.before_s != NEVER_S
        if span is not Span.DAY:
            near |= edges.after_s != NEVER_AGAIN_S
        rows, instants_s = edges.rows(), edges.instants_s
        for at in members:
            # an instant before the meter stood there is nobody's duty, nor is one after that
            due = instants_s >= ceil_seconds(at.start + window)
            if at.end is not None:
                due &= instants_s <= floor_seconds(at.end)
            good = due & near[[rows[one] for one in series[at.meter]]].all(axis=0)
            found[at.meter] = Completeness(int(good.sum()), int(due.sum()))
    return [found[each.standing.meter] for each in states]


def _series(types: Mapping[str, MeterType], state: MeterState) -> list[Series]:
    """Return what is expected of a meter: what it has shown, or all that bills may rest on."""
    meter = state.standing.meter
    if state.newest:
        return [Series(meter, each.register) for each in state.newest]
    known = types.get(state.standing.meter_type)
    return [] if known is None else [Series(meter, name) for name in known.billing_registers]


def instants(span: Span, *, zone: ZoneInfo, now: datetime) -> list[datetime]:
    """Return the instants that are looked at: the ends of full hours, or local midnights."""
    if span is Span.DAY:
        end = now.replace(minute=0, second=0, microsecond=0)
        return [end - HOUR * back for back in range(24)]
    today = now.astimezone(zone).date()
    return [local_midnight(today - timedelta(days=back), zone) for back in range(span)]
