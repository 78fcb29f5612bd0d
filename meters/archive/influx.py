"""The InfluxDB archive: 1.x, 2.x and 3.x, written in line protocol, read in InfluxQL.

InfluxDB keeps the last of two writes under one identity (and 3.x does not say which). To be
write-once all the same, a batch is first asked for: what is there already is not written again, and
contradictions are told. What remains is a race: a reading that *another process* writes under the
same identity between our question and our write is overwritten, and nobody notices. That is a
matter of milliseconds; for batches of more than 200 meters, of ten seconds at most (see
`presence`). A series belongs to one gateway, and a gateway writes from one thread: then there is no
race, and to send again what was sent before overwrites it with itself.

A write is acknowledged by the server when it is in its write-ahead log; how far that is on disk is
the server's configuration (`wal-fsync-delay`, 0 by default).
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from meters.archive import influxql
from meters.archive.bisection import EveryLineRefusedError, refused_lines
from meters.archive.influx_server import InfluxServer, SpanTooWideError
from meters.archive.influxql import NAMED_MAX, Span
from meters.archive.line_protocol import Lines
from meters.archive.presence import AHEAD_S, Presence
from meters.archive.protocol import (
    BOUNDARY_WINDOW,
    Appended,
    ArchiveUnavailableError,
    Boundary,
    Conflict,
    LastRead,
    Refused,
)
from meters.archive.rows import (
    HOUR_S,
    SECOND,
    UnstorableReadingError,
    ceil_seconds,
    floor_seconds,
)
from meters.edges import NEVER_S, Gathered
from meters.interval import utc
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from meters.archive.influx_address import InfluxAddress
    from meters.archive.influxql import Table
    from meters.edges import Edges
    from meters.interval import Interval
    from meters.reading import Reading, Series

    Identity = tuple[Series, int]
    _Part = tuple[Sequence[Reading], list[str], list[int], list[Refused]]

_Item = TypeVar("_Item")

LINES_MAX = 2500
"""Of one write. InfluxDB recommends up to 5000; parts let lines be made while others are posted."""
_QUESTIONS_MAX = 100
"""Of one request."""


class InfluxArchive:
    """An `Archive` in one InfluxDB database, which has to be there."""

    def __init__(self, address: InfluxAddress) -> None:
        """Open the archive; a server that is away now is no error. Raises `ArchiveUrlError`."""
        self._server = InfluxServer(address)
        self._lines = Lines()
        self._presence = Presence()
        self._writing = threading.Lock()
        self._poster = ThreadPoolExecutor(1, thread_name_prefix="influxdb")
        self._proven: str | None = None

    def append(self, readings: Sequence[Reading]) -> Appended:
        """Store what is new: see `Archive.append`, and the race that this module describes.

        While one part of the batch is being posted, the lines of the next are made. Parts are
        stored in their order; after one that fails none is sent.
        """
        first, *others = _parts(readings, LINES_MAX) if readings else ([],)
        with self._writing:
            part, done = self._encoded(first), Appended(stored=0, duplicates=0)
            for following in others:
                storing = self._poster.submit(self._store, part)
                try:
                    part = self._encoded(following)
                finally:
                    wait([storing])
                done = _both(done, storing.result())
            return _both(done, self._store(part))

    def _store(self, part: _Part) -> Appended:
        held, lines, times, refused = part
        offered_count = len(held) + len(refused)
        doubtful = self._doubtful(held, times)
        if not doubtful:
            fresh: Sequence[int] = range(len(held))
            kept, firsts = {}, {}
        else:
            kept = self._kept({(held[p].series, times[p]) for p in doubtful})
            # of equals in the part the first one counts
            firsts = {(held[p].series, times[p]): p for p in reversed(range(len(held)))}
            fresh = sorted(p for identity, p in firsts.items() if identity not in kept)
        bad = {fresh[n]: why for n, why in self._write([lines[p] for p in fresh]).items()}
        stored, conflicts = len(fresh) - len(bad), []
        for position in range(len(held)) if stored < len(held) else ():
            offered = held[position]
            identity = (offered.series, times[position])
            first = firsts.get(identity, position)
            standing = kept.get(identity) or held[first]
            if first in bad:
                refused.append(Refused(offered, bad[first]))
            elif (standing.value, standing.raw) != (offered.value, offered.raw):
                conflicts.append(Conflict(offered, standing))
        duplicates = offered_count - stored - len(conflicts) - len(refused)
        return Appended(stored, duplicates, tuple(conflicts), tuple(refused))

    def boundaries(
        self,
        series: Collection[Series],
        instant: datetime,
        *,
        window: timedelta = BOUNDARY_WINDOW,
    ) -> Mapping[Series, Boundary]:
        """Return the good readings next to `instant`, at most `window` away from it."""
        at, at_s = utc(instant), floor_seconds(instant)
        first, last = ceil_seconds(instant - window), floor_seconds(instant + window)
        before = self._nearest(series, Span.of(first, at_s), newest=True)
        after = self._nearest(series, Span.of(at_s + 1, last), newest=False)
        return {one: Boundary(at, before.get(one), after.get(one)) for one in series}

    def edges(
        self,
        series: Collection[Series],
        instants: Collection[datetime],
        *,
        window: timedelta = BOUNDARY_WINDOW,
    ) -> Edges:
        """Return what `boundaries` tells, for many instants at once: two questions each."""
        window_s = window // SECOND
        gathered = Gathered(series, [floor_seconds(each) for each in instants], window_s)
        places = {one: place for place, one in enumerate(gathered.series)}
        for at_s in gathered.instants_s.tolist():
            for span, newest in (
                (Span.of(at_s - window_s, at_s), True),
                (Span.of(at_s + 1, at_s + window_s), False),
            ):
                for one, reading in self._nearest(series, span, newest=newest).items():
                    if one in places:
                        gathered.offer_reading(places[one], reading)
        return gathered.edges()

    def readings(self, series: Series, interval: Interval) -> list[Reading]:
        """Return every reading of `series` inside `interval`, of any verdict, oldest first."""
        span = Span.of(ceil_seconds(interval.start), ceil_seconds(interval.end) - 1)
        tables = self._in_parts(lambda part: influxql.of_series(series, part), span)
        found = influxql.readings(tables, series)
        return sorted(found, key=lambda reading: reading.time)

    def latest(self, series: Collection[Series] | None = None) -> Mapping[Series, Reading]:
        """Return the newest reading of each of `series` (of all by default) that has any.

        InfluxDB 3 Core answers for the last three days of data at most; there, a series that has
        been silent for longer has no latest reading.
        """
        meters = {one.meter for one in series or ()}
        if series is not None and not meters:
            return {}
        tables = self._newest(meters, whole=True)
        found = {reading.series: reading for reading in influxql.readings(tables)}
        return found if series is None else {one: found[one] for one in series if one in found}

    def last_read(self, series: Sequence[Series]) -> LastRead:
        """Return when and how `latest` was read, for any number of series: in their order."""
        tables = self._newest({one.meter for one in series}, whole=False) if series else []
        found = {one: last for one, *last in influxql.times_and_verdicts(tables)}
        never = [NEVER_S, 0]
        read = np.array([found.get(one, never) for one in series], np.int64).reshape(-1, 2)
        return LastRead(read[:, 0], read[:, 1])

    def close(self) -> None:
        """Release connections."""
        self._poster.shutdown()
        self._server.close()

    # what is asked

    def _newest(self, meters: Collection[str], *, whole: bool) -> list[Table]:
        try:
            return self._server.ask([influxql.newest(meters, whole=whole)])
        except SpanTooWideError:
            return self._server.ask([influxql.newest(meters, influxql.LATELY, whole=whole)])

    def _nearest(
        self, series: Collection[Series], span: Span, *, newest: bool
    ) -> dict[Series, Reading]:
        if not series or span.first_s > span.last_s:
            return {}
        meters = {one.meter for one in series}
        tables = self._in_parts(lambda part: influxql.nearest(part, meters, newest=newest), span)
        found: dict[Series, Reading] = {}
        for reading in influxql.readings(tables):
            rival = found.get(reading.series)
            if rival is None or (reading.time > rival.time) is newest:
                found[reading.series] = reading
        return found

    def _in_parts(self, question: Callable[[Span], str], span: Span) -> list[Table]:
        """Return the answer for `span`; where it is too wide for the server, that of its halves."""
        if span.first_s > span.last_s:
            return []
        try:
            return self._server.ask([question(span)])
        except SpanTooWideError:
            if span.last_s - span.first_s < HOUR_S:
                raise
        return [table for half in span.halves() for table in self._in_parts(question, half)]

    def _doubtful(self, readings: Sequence[Reading], times: Sequence[int]) -> list[int]:
        """Return the positions of readings that may be there already: see `presence`."""
        now = time.monotonic_ns()
        series = [reading.series for reading in readings]
        doubtful = self._presence.take(series, times, now)
        if doubtful and self._looked([(series[p], times[p]) for p in doubtful], now):
            # all again: what comes twice in the batch shows only beside its first
            again = set(self._presence.take(series, times, now))
            doubtful = [p for p in doubtful if p in again]
        return doubtful

    def _kept(self, wanted: Collection[Identity]) -> dict[Identity, Reading]:
        """Return what is kept under the identities that are `wanted`."""
        found = {}
        for part in _parts(influxql.under_identities(wanted), _QUESTIONS_MAX):
            for reading in influxql.readings(self._server.ask(part)):
                identity = (reading.series, floor_seconds(reading.time))
                if identity in wanted:
                    found[identity] = reading
        return found

    def _looked(self, identities: list[Identity], now: int) -> bool:
        """Look at the times of what is too much to ask for by name; say if there was any."""
        looked = False
        for cluster in influxql.clusters(identities):
            first, last = cluster[0][1], cluster[-1][1]
            if len({one.meter for one, _ in cluster}) <= NAMED_MAX or last - first > AHEAD_S:
                continue
            span = Span.of(first, first + AHEAD_S)
            with suppress(SpanTooWideError):  # then each is asked for
                asked = influxql.newest((), span.condition, whole=False)
                newest = influxql.times_and_verdicts(self._server.ask([asked]))
                self._presence.learn(span, {one: time for one, time, _ in newest}, now)
                looked = True
        return looked

    # what is written

    def _encoded(self, readings: Sequence[Reading]) -> _Part:
        """Return the readings that can be held, their lines and times, and what is refused."""
        try:
            return readings, *self._lines.of(readings), []
        except UnstorableReadingError:
            pass
        held, refused = [], []
        for reading in readings:
            try:
                self._lines.of([reading])
                held.append(reading)
            except UnstorableReadingError as error:
                refused.append(Refused(reading, error.why))
        return held, *self._lines.of(held), refused

    def _write(self, lines: Sequence[str]) -> dict[int, str]:
        """Write `lines`; return position → why for what the server refuses."""
        if not lines:
            return {}
        try:
            bad = refused_lines(lines, self._server.write, proven=self._proven)
        except EveryLineRefusedError as error:
            raise ArchiveUnavailableError(
                told(
                    "the archive takes no line at all now: {why}; try again later",
                    why=str(error),
                )
            ) from error
        self._proven = next((line for n, line in enumerate(lines) if n not in bad), self._proven)
        return bad


def _both(one: Appended, other: Appended) -> Appended:
    return Appended(
        one.stored + other.stored,
        one.duplicates + other.duplicates,
        one.conflicts + other.conflicts,
        one.refused + other.refused,
    )


def _parts(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
