"""Rating: a tariff over columns of subjects, charge by charge in the tariff's order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from billing.money import Column, Place, Rounding, add, subtract
from billing.rating.charge import Inputs, Parts

if TYPE_CHECKING:
    from billing.rating.subjects import Subjects
    from billing.tariff import Tariff

ROUNDING = "rounding"
"""The name of the line that rounding a bill's total makes; no charge may have it."""


@dataclass(frozen=True, slots=True, eq=False)
class ChargeColumns:
    """One charge over n subjects.

    `quantity`: int64[n], 10⁻⁴ of `unit` (`kWh`, `m3`, `m2`, `month` or the currency);
    `amount`: int64[n], fen; `parts`: quantity int64[n, k] at price int64[k], one column a step.
    """

    charge: str
    revenue: str
    unit: str
    quantity: Column
    amount: Column
    parts: Parts


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
        parts = charge.parts(Inputs(subjects, billed))
        billed[charge.name] = amount = _line_amount(parts, tariff.rounding)
        lines.append(
            ChargeColumns(
                charge=charge.name,
                revenue=charge.revenue,
                unit=tariff.unit(charge),
                quantity=parts.total_quantity(),
                amount=amount,
                parts=parts,
            )
        )
    if tariff.rounding.place is Place.BILL:
        lines.append(_rounding_line(tariff, subjects.count, lines))
    return tuple(lines)


def total(lines: tuple[ChargeColumns, ...]) -> Column:
    """Return int64[n], the sum of the lines of each subject in fen."""
    amount = lines[0].amount
    for line in lines[1:]:
        amount = add(amount, line.amount)
    return amount


def _line_amount(parts: Parts, rounding: Rounding) -> Column:
    match rounding.place:
        case Place.STEP:
            steps = [rounding.amount(column) for column in parts.unrounded()]
            amount = steps[0]
            for step in steps[1:]:
                amount = add(amount, step)
            return amount
        case Place.LINE:
            return rounding.amount(parts.total_unrounded())
        case Place.BILL:
            return rounding.to_fen_only().amount(parts.total_unrounded())


def _rounding_line(tariff: Tariff, count: int, lines: list[ChargeColumns]) -> ChargeColumns:
    exact = lines[0].parts.total_unrounded()
    for line in lines[1:]:
        exact = add(exact, line.parts.total_unrounded())
    return ChargeColumns(
        charge=ROUNDING,
        revenue=ROUNDING,
        unit=tariff.currency,
        quantity=np.zeros(count, dtype=np.int64),
        amount=subtract(tariff.rounding.amount(exact), total(tuple(lines))),
        parts=Parts.none(count),
    )
