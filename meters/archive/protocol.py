"""What every archive does. Adapters are tested against one contract."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from meters.edges import Edges, Int64s
    from meters.interval import Interval
    from meters.reading import Reading, Series

BOUNDARY_WINDOW = timedelta(hours=2)
"""How far from a boundary its readings are looked for, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A reading that was offered under an identity that already holds another one."""

    offered: Reading
    kept: Reading


@dataclass(frozen=True, slots=True)
class Refused:
    """A reading that the archive cannot hold, whatever is tried; `why` says what is wrong."""

    reading: Reading
    why: str


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch.

    Each reading was stored, was there already, conflicts, or is refused: the four together are as
    many as were offered.
    """

    stored: int
    duplicates: int
    conflicts: tuple[Conflict, ...] = ()
    refused: tuple[Refused, ...] = ()


class Boundary(NamedTuple):
    """The good readings of one series next to an instant: the last at or before, the first after.

    Either is None where the window holds none.
    """

    at: datetime
    before: Reading | None
    after: Reading | None


@dataclass(frozen=True, slots=True, eq=False)
class LastRead:
    """When each of n series was read last, and how that reading was judged.

    `times_s`: int64[n], seconds since 1970, `meters.edges.NEVER_S` where there is no reading;
    `verdicts`: int64[n], as `Verdict`, 0 where there is none.
    """

    times_s: Int64s
    verdicts: Int64s


class ArchiveUrlError(ValueError):
    """An archive's URL that cannot be understood, or of a kind that does not exist."""


class ArchiveUnavailableError(RuntimeError):
    """The archive cannot be reached or cannot write now; nothing is known to be stored."""


def unavailable(where: str, why: str) -> ArchiveUnavailableError:
    """Return the error that says why the archive at `where` cannot be used."""
    return ArchiveUnavailableError(
        told(
            "the archive at {where} cannot be used now: {why}; nothing is known to be stored, "
            "try again later",
            where=where,
            why=why,
        )
    )


class Archive(Protocol):
    """Write-once storage of readings. All times are UTC in whole seconds."""

    def append(self, readings: Sequence[Reading]) -> Appended:
        """Store what is new. When this returns, everything stored is durable.

        Sending the same readings again is always safe. A reading whose identity is taken is a
        duplicate if value and raw words are equal, else a conflict; the kept one stays. One that
        cannot be held is refused and keeps nobody back: a time that is not whole seconds of UTC, a
        value that is no multiple of 10⁻⁴ or exceeds 64 bits, or what a server will not take.
        Raises `ArchiveUnavailableError`; then send the whole batch again.
        """

    def boundaries(
        self,
        series: Collection[Series],
        instant: datetime,
        *,
        window: timedelta = BOUNDARY_WINDOW,
    ) -> Mapping[Series, Boundary]:
        """Return the good readings next to `instant` for each of `series`, none left out."""

    def edges(
        self,
        series: Collection[Series],
        instants: Collection[datetime],
        *,
        window: timedelta = BOUNDARY_WINDOW,
    ) -> Edges:
        """Return what `boundaries` tells, for many instants at once and in columns."""

    def readings(self, series: Series, interval: Interval) -> list[Reading]:
        """Return every reading of `series` inside `interval`, of any verdict, oldest first."""

    def latest(self, series: Collection[Series] | None = None) -> Mapping[Series, Reading]:
        """Return the newest reading of each of `series` (of all by default) that has any."""

    def last_read(self, series: Sequence[Series]) -> LastRead:
        """Return when and how `latest` was read, for any number of series: in their order."""

    def close(self) -> None:
        """Release files and connections."""
