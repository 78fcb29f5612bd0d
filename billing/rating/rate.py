"""Rating: a tariff over columns of subjects, charge by charge in the tariff's order."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from billing.money import UNROUNDED_PER_FEN, Column, Place, add, multiply, subtract
from billing.rating.charge import Inputs, Parts
from billing.rating.exact import Carried, Exact
from billing.rating.of_lines import QUANTITY_PER_FEN, billed_before, of_money
from billing.rating.tax import TaxColumns, stated, summed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from billing.money import Rounding
    from billing.rating.charge import Charge
    from billing.rating.subjects import Subjects
    from billing.tariff import Tariff

ROUNDING = "rounding"
"""The name of the line that rounding a bill's total makes; no charge may have it."""


@dataclass(frozen=True, slots=True, eq=False)
class ChargeColumns:
    """One charge over n subjects.

    `quantity`: int64[n], 10⁻⁴ of `unit` (`kWh`, `m3`, `m2`, `month` or the currency);
    `amount`: int64[n], fen; `parts`: quantity int64[n, k] at price int64[k], one column a step;
    `exact`: what was rounded; `beside`: int64[n], fen that other lines bill of that, None for none;
    `applies`: bool[n], which rows have this line at all, None for all; `tax`: what tax it states;
    `limit`: what the amount of a minimum, a cap or a discount came to, None for other charges.
    """

    charge: str
    revenue: str
    unit: str
    quantity: Column
    amount: Column
    parts: Parts
    exact: Exact
    beside: Column | None = None
    applies: npt.NDArray[np.bool_] | None = None
    tax: TaxColumns | None = None
    limit: Exact | None = None

    def carry(self, row: int) -> Carried:
        """Return what a row came to so far: exactly, and billed.

        The next span of the same thing carries it (`Subjects.carried`), so that splitting a period
        changes no total. Where steps are rounded one by one, both are the same.
        """
        beside = 0 if self.beside is None else int(self.beside[row])
        limit = Fraction(0) if self.limit is None else self.limit.row(row)
        return self.exact.carry(row, beside + int(self.amount[row]), limit)


def rate(tariff: Tariff, subjects: Subjects) -> tuple[ChargeColumns, ...]:
    """Return the lines of `tariff` for every subject, in its order.

    Rounded by the tariff: at place "step" each part, at "line" each charge. At "bill" the lines are
    rounded to the fen, the exact total of all charges to the unit, and the difference is a last
    line named "rounding"; so amounts always sum to the total. Percentages are taken of the amounts
    as billed. Taxes that are added come after the charges. Raises `SubjectsError` for a missing
    column, `FormulaBlockedError` for rows without a result, and `OverflowInMoneyError`.
    """
    lines: list[ChargeColumns] = []
    billed: dict[str, Column] = {}
    for charge in tariff.charges:
        line = _line(tariff, charge, subjects, billed)
        billed[charge.name] = line.amount
        lines.append(line)
    lines += _tax_lines(tariff, subjects, lines)
    if tariff.rounding.place is Place.BILL:
        lines.append(_rounding_line(tariff, subjects, lines))
    return tuple(lines)


def total(lines: tuple[ChargeColumns, ...]) -> Column:
    """Return int64[n], the sum of the lines of each subject in fen."""
    amount = lines[0].amount
    for line in lines[1:]:
        amount = add(amount, line.amount)
    return amount


def _line(
    tariff: Tariff, charge: Charge, subjects: Subjects, billed: dict[str, Column]
) -> ChargeColumns:
    inputs = Inputs(subjects, billed, tariff.counts_months_by, tariff.vocabulary(tuple(billed)))
    parts = charge.parts(inputs)
    limit = charge.limit(inputs)
    applies = None
    if charge.classes is not None:
        applies = subjects.is_of(charge.classes)
        parts = parts.only(applies)
        limit = None if limit is None else limit.only(applies)
    carried = subjects.carried.get(charge.name)
    if tariff.rounding.place is Place.STEP and not charge.adjusts:
        exact, amount = _step_by_step(parts, tariff.rounding, carried)
    else:
        exact, amount = _rounded(parts, tariff.rounding, carried)
    stated_tax = None
    if charge.tax is not None:
        stated_tax = stated(tariff.tax_of(charge.tax), amount, billed_before(subjects, charge.name))
    if charge.adjusts:
        applies = amount != 0
    return ChargeColumns(
        charge=charge.name,
        revenue=charge.revenue,
        unit=tariff.unit(charge),
        quantity=parts.total_quantity(),
        amount=amount,
        parts=parts,
        exact=exact,
        applies=applies,
        tax=stated_tax,
        limit=limit,
    )


def _step_by_step(
    parts: Parts, rounding: Rounding, carried: Sequence[Carried] | None
) -> tuple[Exact, Column]:
    """Return what a line costs, each of its parts rounded by itself: exactly, and in fen."""
    amount = np.zeros(len(parts.quantity), dtype=np.int64)
    for column in parts.unrounded():
        amount = add(amount, rounding.amount(column, parts.divisor))
    return Exact(multiply(amount, UNROUNDED_PER_FEN), None, carried), amount


def _rounded(
    parts: Parts, rounding: Rounding, carried: Sequence[Carried] | None
) -> tuple[Exact, Column]:
    """Return what a line costs exactly, and its amount in fen."""
    if rounding.place is Place.BILL:
        rounding = rounding.to_fen_only()
    exact = Exact(parts.total_unrounded(), parts.divisor, carried)
    return exact, exact.rounded(rounding)


def _tax_lines(
    tariff: Tariff, subjects: Subjects, lines: Sequence[ChargeColumns]
) -> Iterator[ChargeColumns]:
    """Yield a line for each tax that is added to what its charges cost."""
    for tax in tariff.taxes or ():
        amount = None if tax.included else summed(tax, [line.tax for line in lines])
        if amount is None:
            continue
        parts = of_money(multiply(amount, QUANTITY_PER_FEN))
        yield ChargeColumns(
            charge=tax.name,
            revenue=tax.name,
            unit=tariff.currency,
            quantity=parts.total_quantity(),
            amount=amount,
            parts=parts,
            exact=Exact(parts.total_unrounded(), None, subjects.carried.get(tax.name)),
            applies=amount != 0,
        )


def _rounding_line(tariff: Tariff, subjects: Subjects, lines: list[ChargeColumns]) -> ChargeColumns:
    exact = Exact(np.zeros(subjects.count, dtype=np.int64))
    for line in lines:
        exact += Exact(line.exact.numerator, line.exact.divisor)
    exact = Exact(exact.numerator, exact.divisor, subjects.carried.get(ROUNDING))
    billed = total(tuple(lines))
    return ChargeColumns(
        charge=ROUNDING,
        revenue=ROUNDING,
        unit=tariff.currency,
        quantity=np.zeros(subjects.count, dtype=np.int64),
        amount=subtract(exact.rounded(tariff.rounding), billed),
        parts=Parts.none(subjects.count),
        exact=exact,
        beside=billed,
    )
