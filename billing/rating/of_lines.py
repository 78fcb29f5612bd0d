"""Charges that move the sum of other lines: a minimum, a cap, a discount. All count money.

They move what an account pays in a period once: where its month is cut into spans, each line moves
what is due after all spans so far, less what the lines before it moved. So the spans together pay
what they would have paid in one, and a later one may give back what filled up an earlier one.

How far they may move lines, their limit, is the sum of the spans' parts of the amount, as the
tariff counts a part of a month (`billing.rating.proration`): by days, those of the span out of the
month's; by thirty, out of 30, its last day making the month whole; where a month is not prorated,
and `per` period, all of it in the first span, and nothing for who comes later; `per` day, its days.
Where the amount itself changes inside a month, each span counts its own.

A line that moves nothing does not appear.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from billing.fields import Name, NotEmpty
from billing.money import MONEY_SCALE, UNROUNDED_PER_UNIT, add, multiply, subtract
from billing.rating.charge import Charge, Parts
from billing.rating.exact import NOTHING, Exact
from billing.rating.per import Per, times
from meters.quantity import PER_UNIT, SCALE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    import numpy.typing as npt

    from billing.money import Column
    from billing.rating.charge import Inputs, Units
    from billing.rating.exact import Carried
    from billing.rating.proration import Months
    from billing.rating.subjects import Subjects

QUANTITY_PER_FEN = 10 ** (SCALE - MONEY_SCALE)
"""A fen as a quantity of money, 10⁻⁴ of the currency."""
PRICE_OF_MONEY = UNROUNDED_PER_UNIT // PER_UNIT
"""The price of one of the currency, 10⁻⁶."""


@dataclass(frozen=True, slots=True, eq=False)
class SoFar:
    """What one account came to in all spans so far: int64[n], 10⁻⁴ of the currency × `divisor`.

    `billed`: for the lines that are moved; `limit`: what the amount comes to; `moved`: how far the
    spans before this one were moved; `owed`: bool[n], whether the amount applied at all.
    """

    billed: Column
    limit: Column
    moved: Column
    divisor: Column | None
    owed: npt.NDArray[np.bool_]

    def after(self, before: Sequence[Carried], billed: Column) -> SoFar:
        """Return this with what spans carried, who `billed` so much, 10⁻⁴ of the currency.

        What was billed before the charge itself began does not count.
        """
        own = np.ones_like(billed) if self.divisor is None else self.divisor
        divisor = np.array(
            [
                lcm(
                    of_span,
                    (each.limit * PER_UNIT).denominator,
                    (each.exact * PER_UNIT).denominator,
                )
                for of_span, each in zip(own.tolist(), before, strict=True)
            ],
            dtype=np.int64,
        )
        begun = np.array([each != NOTHING for each in before], dtype=np.bool_)
        factor = divisor // own
        return SoFar(
            billed=add(multiply(self.billed, factor), multiply(billed * begun, divisor)),
            limit=add(
                multiply(self.limit, factor), _over(divisor, [each.limit for each in before])
            ),
            moved=_over(divisor, [each.exact for each in before]),
            divisor=None if self.divisor is None and bool((divisor == 1).all()) else divisor,
            owed=self.owed | np.array([each.limit > 0 for each in before], dtype=np.bool_),
        )


def _over(divisor: Column, amounts: Sequence[Fraction]) -> Column:
    """Return amounts of the currency as 10⁻⁴ of it times `divisor`, which makes them whole."""
    whole = [
        int(amount * PER_UNIT * each)
        for amount, each in zip(amounts, divisor.tolist(), strict=True)
    ]
    return np.array(whole, dtype=np.int64)


class OfLines(Charge):
    """`of`: the earlier charges whose sum is moved; the amount is `per` month unless said."""

    adjusts: ClassVar[bool] = True

    of: Annotated[tuple[Name, ...], NotEmpty]
    per: Per = None

    @property
    def of_charges(self) -> tuple[str, ...]:
        return self.of

    @property
    def scaled_amount(self) -> int | None:
        """The amount, 10⁻⁴ of the currency; None for a share of the lines."""
        raise NotImplementedError

    def unit(self, units: Units) -> str:
        return units.money

    def owed(self, inputs: Inputs) -> Months:
        """Return how often the amount applies to each subject in its span."""
        return times(self.per, inputs)

    def limit(self, inputs: Inputs) -> Exact | None:
        if self.scaled_amount is None:
            return None
        owed = self.owed(inputs)
        before = self.carried(inputs)
        carried = None if before is None else [each._replace(exact=each.limit) for each in before]
        price = self.scaled_amount * PRICE_OF_MONEY
        return Exact(multiply(owed.numerator, price), owed.divisor, carried)

    def parts(self, inputs: Inputs) -> Parts:
        so_far = self._so_far(inputs)
        return of_money(subtract(self.moved(so_far), so_far.moved), so_far.divisor)

    def moved(self, so_far: SoFar) -> Column:
        """Return how far the lines are moved in all spans so far, as `so_far` counts it."""
        raise NotImplementedError

    def carried(self, inputs: Inputs) -> Sequence[Carried] | None:
        """Return what the spans before carry of this charge; None where there are none."""
        return inputs.subjects.carried.get(self.name)

    def _so_far(self, inputs: Inputs) -> SoFar:
        owed = self.owed(inputs)
        billed = multiply(inputs.sum_of(self.of), QUANTITY_PER_FEN)
        span = SoFar(
            billed=billed if owed.divisor is None else multiply(billed, owed.divisor),
            limit=multiply(owed.numerator, self.scaled_amount or 0),
            moved=np.zeros_like(billed),
            divisor=owed.divisor,
            owed=owed.numerator > 0,
        )
        before = self.carried(inputs)
        if before is None:
            return span
        earlier = billed_before(inputs.subjects, *self.of)
        return span.after(before, multiply(earlier, QUANTITY_PER_FEN))


def billed_before(subjects: Subjects, *names: str) -> Column:
    """Return int64[n], fen: what the charges `names` came to in the spans before."""
    found = np.zeros(subjects.count, dtype=np.int64)
    for name in names:
        if name in subjects.carried:
            billed = [each.billed for each in subjects.carried[name]]
            found = add(found, np.array(billed, dtype=np.int64))
    return found


def of_money(quantity: Column, divisor: Column | None = None) -> Parts:
    """Return the parts of an amount of money, 10⁻⁴ of the currency, over `divisor`."""
    return Parts.of([quantity], [PRICE_OF_MONEY], divisor)
