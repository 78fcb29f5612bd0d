"""What an import found: problems and remarks, each by its cell, for people and programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from billing.importing.cells import address, letters

if TYPE_CHECKING:
    from billing.importing.cells import Sheet


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: row and column from 1, None of a whole row or sheet."""

    source: str
    sheet: str = ""
    row: int | None = None
    column: int | None = None
    heading: str = ""

    @classmethod
    def of(cls, sheet: Sheet, row: int | None = None, column: int | None = None) -> Place:
        return cls(sheet.source, sheet.name, row, column)

    @property
    def cell(self) -> str:
        """The cell as spreadsheets name it: `B7`, `row 7`, or nothing for the sheet."""
        if self.row is not None and self.column is not None:
            return address(self.row, self.column)
        return "" if self.row is None else f"row {self.row}"

    def __str__(self) -> str:
        heading = f" ({self.heading})" if self.heading else ""
        parts = [self.source, f"sheet {self.sheet}" if self.sheet else "", self.cell + heading]
        return ": ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class CellProblem:
    """What keeps a community from being imported, and what to do; `value` as the cell has it."""

    place: Place
    what: str
    value: str = ""

    def __str__(self) -> str:
        shown = f"{self.value!r}: " if self.value else ""
        return f"{self.place}: {shown}{self.what}"

    @property
    def document(self) -> dict[str, Any]:
        """The problem for programs."""
        place = self.place
        return {
            "source": place.source,
            "sheet": place.sheet,
            "row": place.row,
            "column": None if place.column is None else letters(place.column),
            "heading": place.heading,
            "value": self.value,
            "what": self.what,
        }


@dataclass(frozen=True, slots=True)
class Remark:
    """How cells were understood that are not written as they should be; `count` cells like it."""

    first: Place
    what: str
    count: int

    def __str__(self) -> str:
        more = f" (and {self.count - 1} more cells of this column)" if self.count > 1 else ""
        return f"{self.first}: {self.what}{more}"


@dataclass(slots=True)
class Report:
    """Everything found; nothing is stored where there is a problem."""

    problems: list[CellProblem] = field(default_factory=list)
    _remarks: dict[tuple[str, int | None, str], Place] = field(default_factory=dict)
    _counts: Counter[tuple[str, int | None, str]] = field(default_factory=Counter)

    def problem(self, place: Place, what: str, value: str = "") -> None:
        self.problems.append(CellProblem(place, what, value))

    def remark(self, place: Place, what: str) -> None:
        kind = (place.sheet, place.column, what)
        self._remarks.setdefault(kind, place)
        self._counts[kind] += 1

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """One for each column and way in which its cells were understood."""
        return tuple(
            Remark(first, kind[2], self._counts[kind]) for kind, first in self._remarks.items()
        )

    @property
    def document(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "problems": [problem.document for problem in self.problems],
            "remarks": [
                {
                    **asdict(each.first),
                    "cell": each.first.cell,
                    "what": each.what,
                    "count": each.count,
                }
                for each in self.remarks
            ],
        }


class ImportRefusedError(ValueError):
    """A community cannot be imported; `report` has every problem."""

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__("\n".join(str(problem) for problem in report.problems))
