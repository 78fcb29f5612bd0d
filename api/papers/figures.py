"""Tables of exact figures, each in a unit that is named: set on paper, or written as a workbook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from api.formats import Formats
from api.papers.paper import Cell, Column, Table
from billing.money import from_fen
from meters.quantity import from_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from api.language import Language


@dataclass(frozen=True, slots=True)
class Measure:
    """A number in `unit`, which may be a currency; "" for what is counted without one."""

    value: Decimal
    unit: str


Value: TypeAlias = str | Measure | None
"""What a table holds; None: nothing is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What a column holds.

    On paper: `number`s stand to the right, and a `signed` one has its plus; a column `below` stands
    in small type under the one before; `wide` columns share the width that is left.
    """

    title: str
    number: bool = False
    signed: bool = False
    below: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Rows of as many values as there are headings; `foot` sums them, `note` stands below."""

    title: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Value, ...], ...]
    foot: tuple[Value, ...] = ()
    note: str = ""


def money(fen: int | None, currency: str) -> Measure | None:
    """Return an amount in fen as it is written; None for none."""
    return None if fen is None else Measure(from_fen(fen), currency)


def quantity(scaled: int | None, unit: str) -> Measure | None:
    """Return an integer of 10⁻⁴ of `unit` as it is written; None for none."""
    return None if scaled is None else Measure(from_scaled(scaled), unit)


def on_paper(figures: Figures, language: Language) -> Table:
    """Return `figures` as a table of a paper."""
    groups = list(_groups(figures.headings))
    words = Formats(language)

    def row(values: Sequence[Value]) -> tuple[Cell, ...]:
        texts = [
            _text(value, heading, words)
            for value, heading in zip(values, figures.headings, strict=True)
        ]
        return tuple(
            Cell(texts[first], " · ".join(filter(None, texts[first + 1 : after])))
            for first, after in groups
        )

    return Table(
        title=figures.title,
        columns=tuple(
            Column(heading.title, number=heading.number, wide=heading.wide)
            for heading in figures.headings
            if not heading.below
        ),
        rows=tuple(map(row, figures.rows)),
        foot=row(figures.foot) if figures.foot else (),
        note=figures.note,
    )


def _groups(headings: Sequence[Heading]) -> Iterator[tuple[int, int]]:
    """Yield first and after of each column of a paper, with what stands below it."""
    firsts = [place for place, heading in enumerate(headings) if not heading.below]
    return zip(firsts, [*firsts[1:], len(headings)], strict=True)


def _text(value: Value, heading: Heading, words: Formats) -> str:
    if not isinstance(value, Measure):
        return value or ""
    plus = "+" if heading.signed and value.value > 0 else ""
    return plus + words.measure(value.value, value.unit)
