"""What stands on a paper, before it is set: texts in one language, in their order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Cell:
    """A text of a table, and what explains it in small type below."""

    text: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """`wide` columns share the width that is left; `number`: set to the right."""

    title: str
    number: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of as many cells as there are columns; `foot` sums them, `note` stands below."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    foot: tuple[Cell, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """How a paper can be verified: a QR code as SVG where there is an address, and a code."""

    title: str
    picture: str | None
    code: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """`tag` is the language, `at` the instant that the paper states what it says of.

    `above` stands over the title, `mark` beside it, such as that a bill is not issued yet.
    """

    tag: str
    at: datetime
    number: str
    above: str
    title: str
    amount: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]
    mark: str = ""
    notes: tuple[str, ...] = ()
    seal: Seal | None = None

    def document(self) -> dict[str, Any]:
        """Return everything but the instant, as values that JSON knows."""
        return {name: value for name, value in asdict(self).items() if name != "at"}
