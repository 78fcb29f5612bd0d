"""A tariff tried on given use: its lines, month by month, as its examples are rated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from billing.evidence import quantity_text
from billing.formula.problem import FormulaBlockedError
from billing.money import OverflowInMoneyError, from_fen
from billing.rating.charge import Inputs
from billing.rating.custom import Custom
from billing.rating.evidence import parts
from billing.rating.example import Example
from billing.rating.fitting import misfits
from billing.rating.rate import rate
from billing.rating.walking import Walk
from meters.definition import DefinitionError, Problem, validate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from billing.formula.formula import Explanation
    from billing.money import Column
    from billing.rating.charge import Charge
    from billing.rating.example import Billed
    from billing.rating.rate import ChargeColumns
    from billing.rating.subjects import Subjects
    from billing.tariff import Tariff


@dataclass(frozen=True, slots=True)
class RatedLine:
    """A line: `quantity` 10⁻⁴ of `unit`, `amount` in fen, `parts` as evidence has them.

    `formula`: how the formula of the line came to its result, None of a line without one.
    """

    charge: str
    quantity: int
    unit: str
    amount: int
    parts: tuple[dict[str, Any], ...]
    formula: Explanation | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The line for programs."""
        explained = {} if self.formula is None else {"formula": self.formula.document}
        return {
            "charge": self.charge,
            "quantity": quantity_text(self.quantity),
            "unit": self.unit,
            "amount": str(from_fen(self.amount)),
            "parts": list(self.parts),
            **explained,
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
        subjects = walk.subjects(row)
        lines = rate(tariff, subjects)
    except (OverflowInMoneyError, FormulaBlockedError) as error:
        raise DefinitionError([Problem(source, where, str(error))]) from error
    walk.go_on(row, lines)
    return RatedRow(tuple(_lines(tariff, subjects, lines)))


def _lines(
    tariff: Tariff, subjects: Subjects, lines: Sequence[ChargeColumns]
) -> Iterator[RatedLine]:
    """Yield the lines that the only subject has."""
    charges = {charge.name: charge for charge in tariff.charges}
    billed: dict[str, Column] = {}
    for line in lines:
        earlier = dict(billed)
        billed[line.charge] = line.amount
        if line.applies is not None and not line.applies[0]:
            continue
        yield RatedLine(
            line.charge,
            int(line.quantity[0]),
            line.unit,
            int(line.amount[0]),
            tuple(next(parts(line))),
            _explained(tariff, charges.get(line.charge), subjects, earlier),
        )


def _explained(
    tariff: Tariff, charge: Charge | None, subjects: Subjects, earlier: dict[str, Column]
) -> Explanation | None:
    if not isinstance(charge, Custom):
        return None
    vocabulary = tariff.vocabulary(tuple(earlier))
    return charge.explain(Inputs(subjects, earlier, tariff.counts_months_by, vocabulary))
