"""Usage in parts: by the bands of a calendar, by windows of demand, and day by day.

All of it rests on registers at edges, which one question to the archive tells for all meters of a
community; only a meter whose readings are in doubt is asked for by itself.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from billing.rating.subjects import BandUse
from billing.vee.reviews import NOTHING, Overlay, Reviewed
from meters.archive.rows import EPOCH, SECOND
from meters.demand import BESIDE, NoDemand, UnknownDemand, peak, window_edges
from meters.interval import local_midnight
from meters.plain_steps import by_day_plain, step_plain
from meters.quantity import to_scaled
from meters.reading import Series
from meters.register_at import TOLERANCE
from meters.stepwise import (
    ContradictingEdges,
    MissingEdges,
    Shown,
    Steps,
    by_day,
    shown,
    shown_in_history,
    starts_of_parts,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from billing.calendar import BandRun
    from billing.usage.asking import Asked
    from billing.usage.edges_ahead import EdgesAhead
    from billing.usage.wanted import Part, Wanted
    from billing.vee.settings import Validation
    from meters.edges import Edges, Flags, Int64s
    from meters.finding import Finding
    from meters.installation import Installation
    from meters.interval import Interval, Period
    from meters.meter_type import Register
    from meters.usage import Segment, Usage

Found: TypeAlias = tuple["Wanted", list["Usage"]]
"""A wanted register with the usages of its parts; none where its use cannot be told."""
Key: TypeAlias = tuple[str, str, "Interval"]
"""A usage by its point's code, its register's name, and its interval."""

ZERO = Decimal(0)
AT_ONCE = 256
"""Meters whose demand is looked at together: a month of each is 3,000 windows."""


def by_bands(
    found: Sequence[Found],
    asked: Asked,
    ahead: EdgesAhead,
    decided: Mapping[tuple[str, str], Overlay],
) -> list[Found]:
    """Return the usages with their registers at the edges of bands, where a tariff asks for them.

    One that cannot be divided has no quantity; where a clerk accepts that, it is divided by time.
    """
    if not ahead.of_bands:
        return list(found)
    seen = _Seen(asked, ahead.at(ahead.of_bands), TOLERANCE)
    plain = _plain(seen, found)
    divided = []
    for each, usages in found:
        overlay = decided.get((each.point.code, each.register), NOTHING)
        parts = [
            plain.get((usage.point, usage.register, usage.interval))
            or _stepped(seen, each, part, usage, overlay)
            for part, usage in zip(each.every if usages else (), usages, strict=True)
        ]
        divided.append((each, parts))
    return divided


def by_windows(found: Sequence[Found], asked: Asked, settings: Validation) -> list[Found]:
    """Return the usages with their highest averages, where a tariff asks for demand."""
    demands = _demands(found)
    if not demands:
        return list(found)
    peaks: dict[Key, Usage] = {}
    for (interval, minutes), asking in demands.items():
        instants = window_edges(interval, minutes)
        for start in range(0, len(asking), AT_ONCE):
            some = asking[start : start + AT_ONCE]
            window = timedelta(minutes=minutes)
            edges = asked.edges(series_of([each for each, _ in some]), instants, window)
            seen = _Seen(asked, edges, BESIDE)
            for each, usage in some:
                key = usage.point, usage.register, usage.interval
                shown_by = seen.by_segment(each, usage, seconds(instants))
                peaks[key] = _with_peak(peaks.get(key, usage), minutes, shown_by, settings)
    return [
        (each, [peaks.get((one.point, one.register, one.interval), one) for one in usages])
        for each, usages in found
    ]


class Days(NamedTuple):
    """The use of each local day of a period: of n registers, in the order that they were given in.

    `uses`: int64[n, days], 10⁻⁴; `known`: bool[n, days], elsewhere a use means nothing.
    """

    uses: Int64s
    known: Flags

    def of(self, row: int) -> list[int | None]:
        """Return the use of each day of one register, None where it is not known."""
        days = zip(self.uses[row].tolist(), self.known[row].tolist(), strict=True)
        return [use if sure else None for use, sure in days]


def midnights_in(period: Period) -> list[datetime]:
    """Return the midnights inside of `period`."""
    zone, first = period.zone, period.first
    return [local_midnight(first + timedelta(days=n), zone) for n in range(1, period.days)]


def by_days(found: Sequence[Found], asked: Asked, ahead: EdgesAhead, period: Period) -> Days:
    """Return what was used on each day of `period`; nothing is known where there is no use."""
    midnights = midnights_in(period)
    seen, midnights_s = _Seen(asked, ahead.at(midnights), TOLERANCE), seconds(midnights)
    days = Days(
        np.zeros((len(found), period.days), np.int64), np.zeros((len(found), period.days), np.bool_)
    )
    plain = _fill_plain_days(days, seen, found, period.interval)
    for row, (each, usages) in enumerate(found):
        if row in plain or not usages:
            continue
        told = [
            use
            for usage in usages
            if not usage.joined
            for use in _days_of(seen, each, usage, midnights_s)
        ]
        days.uses[row] = [use or 0 for use in told]
        days.known[row] = [use is not None for use in told]
    return days


def _fill_plain_days(
    days: Days, seen: _Seen, found: Sequence[Found], period: Interval
) -> frozenset[int]:
    """Put the days of those whose use is plain into `days`, and return their rows."""
    places = [
        row
        for row, (_, usages) in enumerate(found)
        if len(usages) == 1
        and usages[0].interval == period
        and usages[0].quantity is not None
        and len(usages[0].segments) == 1
    ]
    if not places:
        return frozenset()
    usages = [found[row][1][0] for row in places]
    meters, registers = zip(*(seen.row(*_first(found[row])) for row in places), strict=True)
    uses, known, plain = by_day_plain(usages, seen.edges, np.array(meters), registers)
    rows = np.array(places)[plain]
    days.uses[rows], days.known[rows] = uses[plain], known[plain]
    return frozenset(rows.tolist())


def _first(found: Found) -> tuple[Wanted, Usage]:
    each, usages = found
    return each, usages[0]


def band_use(usages: Sequence[Usage], runs: Sequence[BandRun], *, ordered: bool) -> BandUse:
    """Return the use of each of `usages`, a row each, by the `runs` of one calendar.

    In the order of time where they are to stay `ordered`, else each band once, by its name. They
    all have the interval of the runs.
    """
    edges_s = seconds(run.start for run in runs[1:])
    divided = [usage.steps for usage in usages if usage.steps is not None]
    if len(divided) == len(usages) and len({id(steps.edges_s) for steps in divided}) == 1:
        starts = starts_of_parts(divided[0].edges_s, edges_s)
        rows = np.add.reduceat(np.array([each.quantities for each in divided]), starts, axis=1)
        return in_bands(rows, runs, ordered=ordered)
    parts = [
        [to_scaled(usage.quantity or ZERO)] if usage.steps is None else usage.steps.between(edges_s)
        for usage in usages
    ]
    rows = np.array(parts, np.int64).reshape(len(usages), len(runs))
    return in_bands(rows, runs, ordered=ordered)


def in_bands(quantity: Int64s, runs: Sequence[BandRun], *, ordered: bool) -> BandUse:
    """Return the use of each row, int64[n, runs], as `band_use` does."""
    names = tuple(run.band for run in runs)
    if ordered:
        return BandUse(names, quantity)
    bands = tuple(sorted(set(names)))
    summed = [quantity[:, [name == band for name in names]].sum(axis=1) for band in bands]
    return BandUse(bands, np.ascontiguousarray(np.array(summed, np.int64).T))


class _Seen:
    """What meters showed at the edges, as far as it can be believed without their history."""

    def __init__(self, asked: Asked, edges: Edges, tolerance: timedelta) -> None:
        self._asked = asked
        self.edges = edges
        self._rows = edges.rows()
        self._tolerance = tolerance

    def row(self, each: Wanted, usage: Usage) -> tuple[int, Register]:
        """Return the row of the meter that counted all of `usage`, and its register."""
        ((_, installation),) = _meters(each, usage)
        row = self._rows[Series(installation.meter, each.register)]
        return row, each.registers[installation.meter_type]

    def by_segment(
        self, each: Wanted, usage: Usage, at_s: Int64s, *, with_hindsight: bool = False
    ) -> list[Shown]:
        """Return what the meter of each segment of `usage` showed at these edges or more."""
        return [
            self._shown(each, usage, segment, installation, at_s, with_hindsight=with_hindsight)
            for segment, installation in _meters(each, usage)
        ]

    def _shown(
        self,
        each: Wanted,
        usage: Usage,
        segment: Segment,
        installation: Installation,
        at_s: Int64s,
        *,
        with_hindsight: bool,
    ) -> Shown:
        meter = segment.opening.meter
        row = self._rows[Series(meter, each.register)]
        register = each.registers[installation.meter_type]
        if not with_hindsight and not self.edges.unconfirmed[row].any():
            return shown(self.edges, row, register, tolerance=self._tolerance)
        return shown_in_history(
            self._asked.history(each, installation, usage.interval),
            at_s,
            meter=meter,
            register=register,
            tolerance=self._tolerance,
        )


def _plain(seen: _Seen, found: Sequence[Found]) -> dict[Key, Usage]:
    """Return the usages that can be divided many at once, with their registers at the edges."""
    alike: dict[tuple[Interval, frozenset[datetime]], list[tuple[Wanted, Usage]]] = {}
    for each, usages in found:
        for part, usage in zip(each.every if usages else (), usages, strict=True):
            if part.edges and usage.quantity is not None and len(usage.segments) == 1:
                alike.setdefault((part.interval, part.edges), []).append((each, usage))
    plain: dict[Key, Usage] = {}
    for (_, edges), members in alike.items():
        usages = [usage for _, usage in members]
        rows, registers = zip(*(seen.row(each, usage) for each, usage in members), strict=True)
        steps = step_plain(usages, seconds(edges), seen.edges, np.array(rows), registers)
        for usage, divided in zip(usages, steps, strict=True):
            if divided is not None:
                key = usage.point, usage.register, usage.interval
                plain[key] = usage._replace(steps=divided)
    return plain


def _stepped(seen: _Seen, each: Wanted, part: Part, usage: Usage, overlay: Overlay) -> Usage:
    """Return `usage` with its registers at the edges of `part`, or with why there are none."""
    if not part.edges or usage.quantity is None:
        return usage
    at_s = seconds(part.edges)
    accepted = overlay.accepted.get(MissingEdges.__name__)
    registers = [each.registers[one.meter_type] for _, one in _meters(each, usage)]
    told = partial(step, usage, at_s, registers=registers, bridge=accepted is not None)
    found = told(seen.by_segment(each, usage, at_s))
    if isinstance(found, ContradictingEdges):
        found = told(seen.by_segment(each, usage, at_s, with_hindsight=True))
    if not isinstance(found, Steps):
        return usage._replace(findings=(*usage.findings, found), quantity=None)
    said = () if accepted is None else (Reviewed.of(accepted),)
    return usage._replace(steps=found, findings=(*usage.findings, *said))


def _with_peak(
    usage: Usage, minutes: int, shown_by: Sequence[Shown], settings: Validation
) -> Usage:
    found = peak(usage, minutes, shown_by)
    if found is None:
        return usage._replace(findings=(*usage.findings, NoDemand(minutes)), quantity=None)
    said: tuple[Finding, ...] = ()
    if found.windows - found.known > settings.demand * found.windows:
        said = (UnknownDemand(minutes, found.known, found.windows),)
    return usage._replace(peaks=(*usage.peaks, found), findings=(*usage.findings, *said))


def _demands(found: Sequence[Found]) -> dict[tuple[Interval, int], list[tuple[Wanted, Usage]]]:
    """Return the usages of which demand is asked, by their interval and the windows' minutes."""
    demands: dict[tuple[Interval, int], list[tuple[Wanted, Usage]]] = {}
    for each, usages in found:
        for part, usage in zip(each.every if usages else (), usages, strict=True):
            if part.windows and usage.quantity is not None:
                for minutes in sorted(part.windows):
                    demands.setdefault((part.interval, minutes), []).append((each, usage))
    return demands


def _days_of(seen: _Seen, each: Wanted, usage: Usage, midnights_s: Int64s) -> list[int | None]:
    start, end = seconds([usage.interval.start, usage.interval.end])
    first, after = np.searchsorted(midnights_s, start, "right"), np.searchsorted(midnights_s, end)
    inside = midnights_s[first:after]
    if usage.quantity is None:
        return [None] * (len(inside) + 1)
    days = by_day(usage, inside, seen.by_segment(each, usage, inside))
    known = [use for use in days if use is not None]
    if min(known, default=0) < 0 or (
        len(known) == len(days) and sum(known) != to_scaled(usage.quantity)
    ):
        days = by_day(usage, inside, seen.by_segment(each, usage, inside, with_hindsight=True))
    return days


def _meters(each: Wanted, usage: Usage) -> Iterator[tuple[Segment, Installation]]:
    """Yield the segments of `usage`, each with the installation that counted it."""
    for segment in usage.segments:
        for installation in each.point.installations:
            begun = installation.start <= segment.opening.at
            stood = installation.end is None or segment.closing.at <= installation.end
            if installation.meter == segment.opening.meter and begun and stood:
                yield segment, installation
                break


def series_of(asking: Iterable[Wanted]) -> set[Series]:
    """Return the registers of the meters that stand where they are asked for."""
    return {
        Series(installation.meter, each.register)
        for each in asking
        for installation in each.point.installations
        if installation.start < each.end
        and (installation.end is None or each.start < installation.end)
    }


def seconds(instants: Iterable[datetime]) -> Int64s:
    """Return instants as seconds since 1970, ascending."""
    return np.array(sorted((each - EPOCH) // SECOND for each in instants), np.int64)
