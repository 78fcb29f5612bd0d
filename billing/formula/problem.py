"""What can be wrong with a formula: when it is written, and when it meets a unit's numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class FormulaProblem:
    """One thing that is wrong; `position` counts characters of the formula from 1."""

    position: int
    what: str

    def __str__(self) -> str:
        return f"at character {self.position}: {self.what}"


class FormulaError(ValueError):
    """A formula is refused; `problems` holds what is wrong and where."""

    def __init__(self, problems: Iterable[FormulaProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))

    @classmethod
    def at(cls, position: int, what: str) -> FormulaError:
        return cls([FormulaProblem(position, what)])


@dataclass(frozen=True, slots=True)
class BlockedRow:
    """A row that has no result, such as a division by its zero."""

    row: int
    problem: FormulaProblem


MOST_SHOWN = 5


class FormulaBlockedError(ArithmeticError):
    """Some rows have no result. They are never billed 0; `rows` says which and why."""

    def __init__(self, text: str, rows: Iterable[BlockedRow]) -> None:
        self.rows = tuple(rows)
        shown = [f"row {each.row + 1} {each.problem}" for each in self.rows[:MOST_SHOWN]]
        if len(self.rows) > MOST_SHOWN:
            shown.append(f"and {len(self.rows) - MOST_SHOWN} more")
        super().__init__(f"the formula {text} has no result: {'; '.join(shown)}")
