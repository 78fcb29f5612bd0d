"""Long tables of a page, a part at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar

from fastapi import Query

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS_SHOWN = 200
"""How many rows of a table a page shows at once."""
Skipped = Annotated[int, Query(ge=0, le=10**9)]
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Part(Generic[Row]):
    """Rows of a table behind the first `skipped`, and how many come after them."""

    rows: Sequence[Row]
    skipped: int
    more: int

    @property
    def until(self) -> int:
        """How many rows are skipped to see those after these."""
        return self.skipped + len(self.rows)


@dataclass(frozen=True, slots=True)
class SkippedRows:
    """How many rows of the tables of a statement pages before have shown."""

    shares: int = 0
    changes: int = 0


def part_of(rows: Sequence[Row], skipped: int, total: int) -> Part[Row]:
    """Return `rows`, which stand behind the first `skipped` of `total`."""
    return Part(rows, skipped, max(0, total - skipped - len(rows)))
