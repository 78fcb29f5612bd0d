"""Rating: a tariff over columns of subjects, charge by charge in the tariff's order."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from billing.money import MONEY_SCALE, UNROUNDED_PER_FEN, Column, Place, add, multiply, subtract
from billing.rating.charge import Inputs, Parts
from billing.rating.exact import Exact

if TYPE_CHECKING:
    from billing.money import Rounding
    from billing.rating.subjects import Subjects
    from billing.tariff import Tariff

ROUNDING = "rounding"
"""The name of the line that rounding a bill's total makes; no charge may have it."""


@dataclass(frozen=True, slots=True, eq=False)
class ChargeColumns:
    """One charge over n subjects.

    `quantity`: int64[n], 10⁻⁴ of `unit` (`kWh`, `m3`, `m2`, `month` or the currency);
    `amount`: int64[n], fen; `parts`: quantity int64[n, k] at price int64[k], one column a step;
    `exact`: what was rounded.
    """

    charge: str
    revenue: str
    unit: str
    quantity: Column
    amount: Column
    parts: Parts
    exact: Exact

    def left_over(self, row: int) -> Fraction:
        """Return what rounding left over of a row, in the currency: exact minus billed.

        The next span of the same thing carries it (`Subjects.carried`), so that splitting a period
        changes no total. Where steps are rounded one by one, nothing is.
        """
        return self.exact.row(row) - Fraction(int(self.amount[row]), 10**MONEY_SCALE)


def rate(tariff: Tariff, subjects: Subjects) -> tuple[ChargeColumns, ...]:
    """Return the lines of `tariff` for every subject, in its order.

    Rounded by the tariff: at place "step" each part, at "line" each charge. At "bill" the lines are
    rounded to the fen, the exact total of all charges to the unit, and the difference is a last
    line named "rounding"; so amounts always sum to the total. Percentages are taken of the amounts
    as billed. Raises `SubjectsError` for a missing column and `OverflowInMoneyError`.
    """
    lines: list[ChargeColumns] = []
    billed: dict[str, Column] = {}
    for charge in tariff.charges:
        parts = charge.parts(Inputs(subjects, billed, tariff.counts_months_by))
        exact, amount = _rounded(parts, tariff.rounding, subjects, charge.name)
        billed[charge.name] = amount
        lines.append(
            ChargeColumns(
                charge=charge.name,
                revenue=charge.revenue,
                unit=tariff.unit(charge),
                quantity=parts.total_quantity(),
                amount=amount,
                parts=parts,
                exact=exact,
            )
        )
    if tariff.rounding.place is Place.BILL:
        lines.append(_rounding_line(tariff, subjects, lines))
    return tuple(lines)


def total(lines: tuple[ChargeColumns, ...]) -> Column:
    """Return int64[n], the sum of the lines of each subject in fen."""
    amount = lines[0].amount
    for line in lines[1:]:
        amount = add(amount, line.amount)
    return amount


def _rounded(
    parts: Parts, rounding: Rounding, subjects: Subjects, charge: str
) -> tuple[Exact, Column]:
    """Return what a line costs exactly, and its amount in fen."""
    if rounding.place is Place.STEP:
        amount = np.zeros(subjects.count, dtype=np.int64)
        for column in parts.unrounded():
            amount = add(amount, rounding.amount(column, parts.divisor))
        return Exact(multiply(amount, UNROUNDED_PER_FEN)), amount
    if rounding.place is Place.BILL:
        rounding = rounding.to_fen_only()
    exact = Exact(parts.total_unrounded(), parts.divisor, subjects.carried.get(charge))
    return exact, exact.rounded(rounding)


def _rounding_line(tariff: Tariff, subjects: Subjects, lines: list[ChargeColumns]) -> ChargeColumns:
    exact = Exact(np.zeros(subjects.count, dtype=np.int64))
    for line in lines:
        exact += Exact(line.parts.total_unrounded(), line.parts.divisor)
    exact = Exact(exact.numerator, exact.divisor, subjects.carried.get(ROUNDING))
    billed = total(tuple(lines))
    return ChargeColumns(
        charge=ROUNDING,
        revenue=ROUNDING,
        unit=tariff.currency,
        quantity=np.zeros(subjects.count, dtype=np.int64),
        amount=subtract(exact.rounded(tariff.rounding), billed),
        parts=Parts.none(subjects.count),
        exact=exact.less(billed),
    )
