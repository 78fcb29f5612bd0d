"""A tariff tried on given use: its lines, month by month, as its examples are rated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from billing.evidence import quantity_text
from billing.formula.problem import FormulaBlockedError
from billing.money import OverflowInMoneyError, from_fen
from billing.rating.evidence import parts
from billing.rating.example import Example
from billing.rating.fitting import misfits
from billing.rating.rate import rate
from billing.rating.walking import Walk
from meters.definition import DefinitionError, Problem, validate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from billing.rating.example import Billed
    from billing.rating.rate import ChargeColumns
    from billing.tariff import Tariff


@dataclass(frozen=True, slots=True)
class RatedLine:
    """A line: `quantity` 10⁻⁴ of `unit`, `amount` in fen, `parts` as evidence has them."""

    charge: str
    quantity: int
    unit: str
    amount: int
    parts: tuple[dict[str, Any], ...]

    @property
    def document(self) -> dict[str, Any]:
        """The line for programs."""
        return {
            "charge": self.charge,
            "quantity": quantity_text(self.quantity),
            "unit": self.unit,
            "amount": str(from_fen(self.amount)),
            "parts": list(self.parts),
        }

    @property
    def way(self) -> str:
        """How the amount comes about: `200 kWh × 0.4883 + 41 kWh × 0.5383`."""
        return " + ".join(
            f"{part['quantity']} {self.unit} × {part['price']}"
            + (f" ÷ {part['divisor']}" if part.get("divisor", 1) != 1 else "")
            for part in self.parts
            if part["quantity"] != "0"
        )


@dataclass(frozen=True, slots=True)
class RatedRow:
    """The lines of one month or period."""

    lines: tuple[RatedLine, ...]

    @property
    def total(self) -> int:
        """What the row comes to, in fen."""
        return sum(line.amount for line in self.lines)


def rated(
    tariff: Tariff, rows: Sequence[Mapping[str, Any]], *, first_month: int | None, source: str
) -> tuple[RatedRow, ...]:
    """Return what `tariff` bills for `rows`, each with the keys of an example, month after month.

    Raises `DefinitionError` with what a row does not give although the tariff reads it, and with
    what cannot be rated.
    """
    example = validate(Example, _document(rows, first_month), source)
    problems = [
        Problem(source, _placed(example, number, key), what, expected, actual)
        for number, row in enumerate(example.rows, start=1)
        for key, what, expected, actual in misfits(tariff, row)
    ]
    if problems:
        raise DefinitionError(problems)
    walk = Walk(tariff, example)
    return tuple(
        _rated(tariff, walk, row, source, _placed(example, number, ""))
        for number, row in enumerate(example.rows, start=1)
    )


def _document(rows: Sequence[Mapping[str, Any]], first_month: int | None) -> dict[str, Any]:
    """Return `rows` as an example; it expects nothing, so what it expects is never compared."""
    if len(rows) == 1 and first_month is None:
        return {**rows[0], "expect": "0"}
    month = {} if first_month is None else {"first_month": first_month}
    return {"expect": "0", "months": list(rows), **month}


def _placed(example: Example, number: int, key: str) -> str:
    return f"month {number} {key}".strip() if example.months else key


def _rated(tariff: Tariff, walk: Walk, row: Billed, source: str, where: str) -> RatedRow:
    try:
        lines = rate(tariff, walk.subjects(row))
    except (OverflowInMoneyError, FormulaBlockedError) as error:
        raise DefinitionError([Problem(source, where, str(error))]) from error
    walk.go_on(row, lines)
    return RatedRow(tuple(lines_of(lines)))


def lines_of(lines: Sequence[ChargeColumns]) -> Iterator[RatedLine]:
    """Yield the lines that the only subject of `lines` has."""
    for line in lines:
        if line.applies is not None and not line.applies[0]:
            continue
        yield RatedLine(
            line.charge,
            int(line.quantity[0]),
            line.unit,
            int(line.amount[0]),
            tuple(next(parts(line))),
        )
