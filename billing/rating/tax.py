"""Tax (增值税): profiles that a tariff's charges name, included in their prices or added to them.

A profile stands inside the tariff and not in a file of its own: a new rate then is a new version of
the tariff from a day on, proven by its examples, split mid-month, tried against last month and kept
with every line as any other change of price is. It is stated for each line, half-up to the fen, and
what is added is the sum of what its lines state. Of the spans of a charge each states what it adds
to the tax of all that the charge came to so far: together they state what one line would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from billing.fields import Name, NotNegative, Percent, Title
from billing.money import (
    PRICE_SCALE,
    Direction,
    add,
    multiply,
    round_quotient,
    subtract,
    to_factor,
)
from meters.definition import Definition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from billing.money import Column

WHOLE = 100


def _below_all(value: Decimal) -> Decimal:
    if value >= WHOLE:
        raise ValueError(f"must be below {WHOLE} percent, got {value}")
    return value


class Tax(Definition):
    """`percent` of the price without tax; `included` in the prices, or added as a line `name`."""

    name: Name
    title: Title
    percent: Annotated[Percent, NotNegative, AfterValidator(_below_all)]
    included: bool


@dataclass(frozen=True, slots=True, eq=False)
class TaxColumns:
    """What tax lines state: int64[n], fen, in their amount if `tax.included`, else on top of it."""

    tax: Tax
    amount: Column


def stated(tax: Tax, amount: Column, before: Column | None = None) -> TaxColumns:
    """Return what lines of `amount` fen state as their tax, after `before` fen in earlier spans."""
    if before is None:
        return TaxColumns(tax, _of(tax, amount))
    return TaxColumns(tax, subtract(_of(tax, add(before, amount)), _of(tax, before)))


def _of(tax: Tax, amount: Column) -> Column:
    factor = to_factor(tax.percent)
    base = 10**PRICE_SCALE + (factor if tax.included else 0)
    return round_quotient(multiply(amount, factor), base, Direction.HALF_UP)


def summed(tax: Tax, states: Sequence[TaxColumns | None]) -> Column | None:
    """Return int64[n], fen: what lines state of `tax`; None where none is of it."""
    found = [each.amount for each in states if each is not None and each.tax == tax]
    if not found:
        return None
    amount = found[0]
    for each in found[1:]:
        amount = add(amount, each)
    return amount
