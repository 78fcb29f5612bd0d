"""What a pool shares: a quantity and what it costs, with the steps of the tariff it came to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

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
from billing.rating.charge import Label
from billing.rating.rate import ROUNDING
from meters.quantity import plain, to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from billing.rating.rate import ChargeColumns
    from billing.tariff import Tariff

QUANTITY_PER_FEN = 100
"""10⁻⁴ of the currency for a fen: the quantity of what is counted in money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyPart:
    """A step or band of a charge: `quantity` (10⁻⁴) at `price` (10⁻⁶), `amount` in fen.

    `step`: from 1 on; `unit`: of the quantity, None where it is the supply's, as of kW behind a
    demand charge it is not. What rounding the charge added to its steps as rounded is a part
    without quantity and price.
    """

    charge: str
    quantity: int
    price: int | None
    amount: int
    step: int | None = None
    band: str | None = None
    unit: str | None = None


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
    unit = MEDIUM_UNITS[tariff.medium] if tariff.medium else tariff.currency
    labels = {charge.name: charge.labels for charge in tariff.charges}
    return Supply(
        quantity=quantity,
        unit=unit,
        amount=sum(int(line.amount[0]) for line in lines),
        parts=tuple(part for line in lines for part in _parts(line, labels.get(line.charge), unit)),
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


def lost(master: Supply, quantity: int, of_bands: Mapping[str, Fraction] | None = None) -> Supply:
    """Return the part of a master meter's supply that its sub-meters do not account for.

    `quantity`, 10⁻⁴, bears of every step what it is of the whole: the loss runs through all hours
    and steps as the use does. Where meters count bands by themselves, `of_bands` is how much of
    each is lost, and the parts of a band bear that. Raises `ZeroDivisionError` for a master that
    counted nothing, unless nothing is lost.
    """
    whole = Fraction(quantity, master.quantity) if quantity else Fraction(0)
    shares = [(of_bands or {}).get(part.band or "", whole) for part in master.parts]
    exact = whole * (master.amount - sum(part.amount for part in master.parts)) + sum(
        share * part.amount for share, part in zip(shares, master.parts, strict=True)
    )
    amount = _half_up(Fraction(exact))
    quantities = _quantities_lost(master.parts, shares)
    parts = [
        replace(part, quantity=of_it, amount=_half_up(share * part.amount))
        for part, share, of_it in zip(master.parts, shares, quantities, strict=True)
    ]
    rest = amount - sum(part.amount for part in parts)
    return replace(master, quantity=quantity, amount=amount, parts=(*parts, *_rounding(rest)))


def _quantities_lost(parts: Sequence[SupplyPart], shares: Sequence[Fraction]) -> list[int]:
    """Return the share of each part's quantity; those of a charge and band sum to theirs."""
    found = [0] * len(parts)
    alike: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for place, part in enumerate(parts):
        alike[part.charge, part.band].append(place)
    for places in alike.values():
        split = _shared_out(shares[places[0]], [parts[place].quantity for place in places])
        for place, quantity in zip(places, split, strict=True):
            found[place] = quantity
    return found


def _shared_out(share: Fraction, quantities: list[int]) -> tuple[int, ...]:
    """Return `share` of each of the quantities, summing to that share of their sum.

    They are of one sign: below zero where the master counted back.
    """
    whole = _half_up(share * sum(quantities))
    if not any(quantities) or not whole:
        return (0,) * len(quantities)
    sizes = [abs(quantity) for quantity in quantities]
    return largest_remainder(whole, sizes, tie_key=lambda place: place.to_bytes(4)).parts


def _parts(line: ChargeColumns, labels: Sequence[Label] | None, unit: str) -> Iterator[SupplyPart]:
    """Yield the steps of a line, each rounded to the fen, and what rounding the line added."""
    divisor = 1 if line.parts.divisor is None else int(line.parts.divisor[0])
    billed = 0
    quantities, prices = line.parts.quantity[0].tolist(), line.parts.price.tolist()
    told = labels or (Label(),) * len(prices)
    for quantity, price, label in zip(quantities, prices, told, strict=True):
        amount = _half_up(Fraction(quantity * price, UNROUNDED_PER_FEN * divisor))
        billed += amount
        yield SupplyPart(
            charge=line.charge,
            step=label.step,
            band=label.band,
            unit=None if line.unit == unit else line.unit,
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


def part_document(part: SupplyPart) -> dict[str, Any]:
    """Return `part` as evidence: what it has not stands nowhere."""
    document: dict[str, Any] = {
        "charge": part.charge,
        "quantity": quantity_text(part.quantity),
        "amount": str(from_fen(part.amount)),
    }
    if part.price is not None:
        document["price"] = plain(from_price(part.price))
    for name in _LABELS:
        if (label := getattr(part, name)) is not None:
            document[name] = label
    return document


def read_part(document: Mapping[str, Any]) -> SupplyPart:
    """Return the part that `part_document` wrote."""
    price = document.get("price")
    return SupplyPart(
        charge=document["charge"],
        quantity=to_scaled(Decimal(document["quantity"])),
        price=None if price is None else to_price(Decimal(price)),
        amount=to_fen(Decimal(document["amount"])),
        **{name: document.get(name) for name in _LABELS},
    )


_LABELS = ("step", "band", "unit")


def part_lines(documents: Iterable[Mapping[str, Any]], unit: str) -> Iterator[str]:
    """Yield parts of a supply counted in `unit` as lines of text, as `part_document` wrote them."""
    for part in documents:
        step = f" step {part['step']}" if "step" in part else ""
        band = f" {part['band']}" if "band" in part else ""
        price = f" x {part['price']}" if "price" in part else ""
        counted = f"{part['quantity']} {part.get('unit', unit)}".rstrip() + price
        yield f"{part['charge'] + step + band:<24} {counted:>28} {part['amount']:>12}"
