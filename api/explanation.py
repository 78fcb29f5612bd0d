"""How a line comes about, step by step, from what is stored with it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from billing.money import from_fen
from billing.rating.steps import Steps
from meters.quantity import from_scaled

if TYPE_CHECKING:
    from billing.rating.charge import Charge
    from billing.store.views.bills import LineView, ShareOfLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A quantity at a price. `amount` is exact, not yet rounded.

    A part of stepped use also has `number`, counted from 1, and its bounds of the cumulative use;
    `until` is None for the last.
    """

    quantity: Decimal
    price: Decimal
    amount: Decimal
    number: int | None = None
    above: Decimal | None = None
    until: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ShareWorking:
    """A share before it was cut to whole fen: `exact` in the currency, and what it bears."""

    supply_amount: Decimal
    borne_by_owners: Decimal
    exact: Fraction


def charge_of(line: LineView) -> Charge | None:
    """Return the tariff's charge that the line bills; None for a share or the rounding line."""
    if line.tariff is None:
        return None
    return next((each for each in line.tariff.charges if each.name == line.charge), None)


def parts(line: LineView) -> list[Part]:
    """Return the quantities at prices that the line came apart into, used or not."""
    charge = charge_of(line)
    bounds: list[Decimal | None] = []
    if isinstance(charge, Steps):
        bounds = [step.until for step in charge.steps]
    found = []
    for place, document in enumerate(line.evidence.get("parts", ())):
        quantity, price = Decimal(document["quantity"]), Decimal(document["price"])
        found.append(
            Part(
                quantity=quantity,
                price=price,
                amount=quantity * price,
                number=place + 1 if bounds else None,
                above=(bounds[place - 1] if place else Decimal(0)) if bounds else None,
                until=bounds[place] if bounds else None,
            )
        )
    return found


def unrounded(line: LineView) -> Decimal:
    """Return the exact amount of a rated line, before rounding."""
    return sum((part.amount for part in parts(line)), Decimal(0))


def used_before(line: LineView) -> Decimal:
    """Return what the year had used before the period, for a charge that counts it; else 0."""
    charge = charge_of(line)
    if not isinstance(charge, Steps) or charge.per != "year":
        return Decimal(0)
    return Decimal(line.evidence["inputs"]["before_year"].get(charge.register_name, "0"))


def share_working(share: ShareOfLine) -> ShareWorking:
    """Return supply × what owners bear × key ÷ sum of keys, exactly."""
    supply = from_fen(share.supply_amount)
    by_owners = Decimal(1) - share.pool.borne_by_company
    exact = Fraction(supply) * Fraction(by_owners) * share.of_owners
    return ShareWorking(supply, by_owners, exact)


def share_of_use(line: LineView) -> Decimal | None:
    """Return what share of the use a per-unit charge counts, None for all of it."""
    share: Decimal | None = getattr(charge_of(line), "share", None)
    return share


def metered(line: LineView) -> Decimal | None:
    """Return the use that the line's register counted, None for a line that counts none."""
    return None if line.usage is None else from_scaled(line.usage.quantity)
