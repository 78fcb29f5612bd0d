"""From one archive to another, of whatever kind: again and again, until nothing is new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from meters.archive.protocol import Appended, Archive
    from meters.interval import Interval

BATCH = 5000


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of the readings of the source, in the target."""

    series: int = 0
    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    refused: int = 0

    def and_then(self, done: Appended) -> Copied:
        return Copied(
            self.series,
            self.stored + done.stored,
            self.duplicates + done.duplicates,
            self.conflicts + len(done.conflicts),
            self.refused + len(done.refused),
        )


def copy(
    source: Archive,
    target: Archive,
    interval: Interval,
    *,
    progress: Callable[[Copied], None] = lambda _: None,
) -> Copied:
    """Append every reading of `source` inside `interval` to `target`; the source stays as it is.

    What is there already is a duplicate, so that a copy that broke off can be repeated. `progress`
    is told after each series. Raises `ArchiveUnavailableError`.
    """
    copied = Copied()
    for series in sorted(source.latest()):
        readings = source.readings(series, interval)
        for start in range(0, len(readings), BATCH):
            copied = copied.and_then(target.append(readings[start : start + BATCH]))
        copied = Copied(
            copied.series + 1, copied.stored, copied.duplicates, copied.conflicts, copied.refused
        )
        progress(copied)
    return copied
