"""What a pool shares: a quantity and what it costs, with the steps of the tariff it came to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from billing.evidence import quantity_text
from billing.fields import MEDIUM_UNITS
from billing.money import (
    UNROUNDED_PER_FEN,
    Direction,
    from_fen,
    from_price,
    largest_remainder,
    round_quotient,
    to_fen,
    to_price,
)
from billing.rating.rate import ROUNDING
from meters.quantity import plain, to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from billing.rating.rate import ChargeColumns
    from billing.tariff import Tariff

QUANTITY_PER_FEN = 100
"""10⁻⁴ of the currency for a fen: the quantity of what is counted in money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyPart:
    """A step of a charge: `quantity` (10⁻⁴ of the charge's unit) at `price` (10⁻⁶), `amount` fen.

    What rounding the charge added to its steps as rounded is a part without quantity and price.
    """

    charge: str
    quantity: int
    price: int | None
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What is shared: `quantity` in 10⁻⁴ of `unit`, and what it costs, `amount` in fen.

    The amounts of `parts` sum to it. What has a document and no meter is counted `in_money`: its
    unit is the currency.
    """

    quantity: int
    unit: str
    amount: int
    in_money: bool = False
    parts: tuple[SupplyPart, ...] = ()


def rated(tariff: Tariff, quantity: int, charges: Iterable[ChargeColumns]) -> Supply:
    """Return a supply of `quantity`, in the unit of the meters that `tariff` bills.

    It costs what `charges` of the tariff, rated for one subject, say.
    """
    lines = list(charges)
    return Supply(
        quantity=quantity,
        unit=MEDIUM_UNITS[tariff.medium] if tariff.medium else tariff.currency,
        amount=sum(int(line.amount[0]) for line in lines),
        parts=tuple(part for line in lines for part in _parts(line)),
    )


def together(supplies: Iterable[Supply]) -> Supply:
    """Return the sum of supplies of one unit: the same meters before and after a price change."""
    summed = list(supplies)
    return Supply(
        quantity=sum(each.quantity for each in summed),
        unit=summed[0].unit,
        amount=sum(each.amount for each in summed),
        in_money=summed[0].in_money,
        parts=tuple(part for each in summed for part in each.parts),
    )


def invoiced(costs: Iterable[tuple[str, int]], currency: str) -> Supply:
    """Return the supply that documents say the cost of: pairs of reference and amount in fen."""
    parts = tuple(
        SupplyPart(charge=reference, quantity=amount * QUANTITY_PER_FEN, price=None, amount=amount)
        for reference, amount in costs
    )
    amount = sum(part.amount for part in parts)
    return Supply(
        quantity=amount * QUANTITY_PER_FEN,
        unit=currency,
        amount=amount,
        in_money=True,
        parts=parts,
    )


def lost(master: Supply, quantity: int) -> Supply:
    """Return the part of a master meter's supply that its sub-meters do not account for.

    `quantity`, 10⁻⁴, bears of every step what it is of the whole: the loss runs through all hours
    and steps as the use does. Raises `ZeroDivisionError` for a master that counted nothing, unless
    nothing is lost.
    """
    share = Fraction(quantity, master.quantity) if quantity else Fraction(0)
    amount = _half_up(share * master.amount)
    parts = []
    for _, run in groupby(master.parts, key=attrgetter("charge")):
        steps = list(run)
        quantities = _shared_out(share, [step.quantity for step in steps])
        for step, part in zip(steps, quantities, strict=True):
            cost = _half_up(share * step.amount)
            parts.append(replace(step, quantity=part, amount=cost))
    rest = amount - sum(part.amount for part in parts)
    return replace(master, quantity=quantity, amount=amount, parts=(*parts, *_rounding(rest)))


def _shared_out(share: Fraction, quantities: list[int]) -> tuple[int, ...]:
    """Return `share` of each of the quantities, summing to that share of their sum.

    They are of one sign: below zero where the master counted back.
    """
    if not any(quantities):
        return tuple(quantities)
    whole = _half_up(share * sum(quantities))
    sizes = [abs(quantity) for quantity in quantities]
    return largest_remainder(whole, sizes, tie_key=lambda place: place.to_bytes(4)).parts


def _parts(line: ChargeColumns) -> Iterator[SupplyPart]:
    """Yield the steps of a line, each rounded to the fen, and what rounding the line added."""
    divisor = 1 if line.parts.divisor is None else int(line.parts.divisor[0])
    billed = 0
    quantities, prices = line.parts.quantity[0].tolist(), line.parts.price.tolist()
    for quantity, price in zip(quantities, prices, strict=True):
        amount = _half_up(Fraction(quantity * price, UNROUNDED_PER_FEN * divisor))
        billed += amount
        yield SupplyPart(
            charge=line.charge,
            quantity=_half_up(Fraction(quantity, divisor)),
            price=price,
            amount=amount,
        )
    yield from _rounding(int(line.amount[0]) - billed)


def _rounding(amount: int) -> Iterator[SupplyPart]:
    if amount:
        yield SupplyPart(charge=ROUNDING, quantity=0, price=None, amount=amount)


def _half_up(value: Fraction) -> int:
    return round_quotient(value.numerator, value.denominator, Direction.HALF_UP)


def part_document(part: SupplyPart) -> dict[str, str]:
    """Return `part` as evidence."""
    document = {
        "charge": part.charge,
        "quantity": quantity_text(part.quantity),
        "amount": str(from_fen(part.amount)),
    }
    if part.price is not None:
        document["price"] = plain(from_price(part.price))
    return document


def read_part(document: Mapping[str, str]) -> SupplyPart:
    """Return the part that `part_document` wrote."""
    price = document.get("price")
    return SupplyPart(
        charge=document["charge"],
        quantity=to_scaled(Decimal(document["quantity"])),
        price=None if price is None else to_price(Decimal(price)),
        amount=to_fen(Decimal(document["amount"])),
    )
