"""How a line comes about, step by step, from what is stored with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from billing.money import from_fen
from billing.rating.charge import Label
from billing.rating.steps import Steps
from billing.rating.time_of_use_steps import TimeOfUseSteps
from meters.quantity import from_scaled

if TYPE_CHECKING:
    from datetime import date

    from billing.rating.charge import Charge
    from billing.rating.tax import Tax
    from billing.store.views.bills import BillView, LineView, ShareOfLine
    from meters.interval import Period

FINEST = Decimal(1).scaleb(-10)
"""The scale of amounts before they are rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A quantity at a price. `amount` is not yet rounded, exact to ten decimals.

    A part of stepped use also has `number`, counted from 1, and its bounds of the cumulative use;
    `until` is None for the last. A part of use by time has a `band`. What is owed for a part of a
    month is still to be divided by `divisor`.
    """

    quantity: Decimal
    price: Decimal
    amount: Decimal
    divisor: int = 1
    band: str | None = None
    number: int | None = None
    above: Decimal | None = None
    until: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """What earlier parts of a month came to exactly, and what was billed for them, rounded."""

    exact: Fraction
    billed: Decimal


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


def named(line: LineView) -> Charge | Tax | None:
    """Return what gives the line its title; None for a share or the rounding line."""
    taxes = () if line.tariff is None else line.tariff.taxes or ()
    return charge_of(line) or next((tax for tax in taxes if tax.name == line.charge), None)


def parts(line: LineView) -> list[Part]:
    """Return the quantities at prices that the line came apart into, used or not."""
    documents = line.evidence.get("parts", ())
    charge = charge_of(line) if documents else None  # what takes a line back has no parts
    labels = (Label(),) * len(documents) if charge is None else charge.labels
    below: dict[tuple[int, str | None], Decimal | None] = {}
    found = []
    for document, label in zip(documents, labels, strict=True):
        quantity, price = Decimal(document["quantity"]), Decimal(document["price"])
        part = Part(quantity=quantity, price=price, amount=quantity * price, band=label.band)
        if "divisor" in document:
            divided = (part.amount / document["divisor"]).quantize(FINEST)
            part = replace(part, amount=divided, divisor=document["divisor"])
        if label.step is not None:
            until = Decimal(document["until"]) if "until" in document else label.until
            above = below.get((label.step - 1, label.band), Decimal(0))
            part = replace(part, number=label.step, above=above, until=until)
            below[label.step, label.band] = until
        found.append(part)
    return found


def unrounded(line: LineView) -> Decimal:
    """Return the exact amount of a rated line, before rounding."""
    return sum((part.amount for part in parts(line)), Decimal(0))


def carried(line: LineView) -> Carried | None:
    """Return what an earlier part of the month left over when it was rounded; None if nothing."""
    found = line.evidence.get("inputs", {}).get("carried", {}).get(line.charge)
    if found is None:
        return None
    exact, billed = Fraction(found[0]), Decimal(found[1])
    return None if exact == billed else Carried(exact, billed)


def used_before(line: LineView) -> Decimal:
    """Return what the quarter or year had used before, for steps that go on from it; else 0."""
    charge = charge_of(line)
    if not isinstance(charge, Steps | TimeOfUseSteps) or charge.per == "month":
        return Decimal(0)
    before = line.evidence.get("inputs", {}).get(f"before_{charge.per}", {})
    cycle = charge.needs.year_to_date | charge.needs.quarter_to_date
    return sum((Decimal(before.get(name, "0")) for name in cycle), Decimal(0))


def period(bill: BillView, line: LineView) -> Period:
    """Return the month that the line is of, which for a correction is that which it corrects."""
    return bill.head.period if line.correction is None else line.correction.period


def days(bill: BillView, line: LineView) -> tuple[date, date]:
    """Return the first and the last local day that the line is for."""
    month = period(bill, line)
    before, count, _ = line.evidence["inputs"]["days"]
    first = month.first + timedelta(days=before)
    return first, first + timedelta(days=count - 1)


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
