"""What was taken in and is not yet durable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.quarantine import Quarantined
    from gateway.recent import Mark
    from gateway.spool import Spool
    from gateway.spool_file import Row
    from meters.baseline import Baseline
    from meters.reading import Series


@dataclass(slots=True)
class Batch:
    """Readings, items for the quarantine, and what changes together with them."""

    rows: list[Row] = field(default_factory=list)
    gauges: list[Row] = field(default_factory=list)
    items: list[Quarantined] = field(default_factory=list)
    moved: dict[Series, Baseline] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    retaken: list[int] = field(default_factory=list)
    duplicates: int = 0

    @property
    def readings(self) -> int:
        return len(self.rows) + len(self.gauges)

    def __bool__(self) -> bool:
        return bool(
            self.rows
            or self.gauges
            or self.items
            or self.moved
            or self.marks
            or self.retaken
            or self.duplicates
        )

    def put_into(self, spool: Spool) -> None:
        """Make everything durable, in one transaction."""
        spool.take_in(
            self.rows,
            self.items,
            self.moved,
            gauges=self.gauges,
            duplicates=self.duplicates,
            retaken=self.retaken,
            marks=self.marks,
        )
