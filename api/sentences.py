"""One plain sentence a kind of charge: what was counted, in which days, at which price."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from api import explanation, terms
from api.formats import Formats
from billing.rating.bounds_of_lines import Cap, Minimum
from billing.rating.categories import Categories
from billing.rating.custom import Custom
from billing.rating.demand import Demand
from billing.rating.discount import Discount
from billing.rating.fixed import Fixed
from billing.rating.of_lines import OfLines
from billing.rating.packages import Packages
from billing.rating.per_area import PerArea
from billing.rating.per_count import PerCount
from billing.rating.per_unit import PerUnit
from billing.rating.percentage import Percentage
from billing.rating.steps import Steps
from billing.rating.subjects import AREA
from billing.rating.time_of_use import TimeOfUse
from billing.rating.time_of_use_steps import TimeOfUseSteps
from billing.rating.volume import Volume
from meters.quantity import from_scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.explanation import Part
    from api.language import Language
    from billing.rating.charge import Charge
    from billing.store.views.bills import BillView, LineView


def of_charge(
    bill: BillView, line: LineView, charge: Charge, titles: Sequence[str], language: Language
) -> str:
    """Return why a line that bills `charge` is what it is; `titles` are of the lines it is of."""
    match charge:
        case Percentage() | Discount() | OfLines():
            return _of_lines(line, charge, titles, language)
        case PerArea() | Fixed() | PerCount() | Demand():
            return _for_days(bill, line, charge, language)
        case Custom():
            return language("By the formula {formula}.").format(formula=charge.formula.text)
        case _:
            return _of_use(bill, line, charge, language)


def _of_use(bill: BillView, line: LineView, charge: Charge, language: Language) -> str:
    words = Formats(language)
    counted = _counted(bill, line, language)
    used = [part for part in explanation.parts(line) if part.quantity]
    parts = language(", ").join(_part(part, words, language) for part in used)
    match charge:
        case PerUnit():
            return _per_unit(charge, counted, language)
        case Packages():
            text = language(
                "{used} from {first} to {last} start {quantity} of {size}, at {price} each."
            )
            price = words.exact_money(charge.price)
            unit = line.usage.unit if line.usage else ""
            return text.format(**counted, size=words.measure(charge.size, unit), price=price)
        case _ if not used:
            return language("{quantity} from {first} to {last}.").format(**counted)
        case Volume():
            (part,) = used
            text = language(
                "{quantity} from {first} to {last}, all of it in step {step} at {price}."
            )
            return text.format(**counted, step=part.number, price=words.exact_money(part.price))
        case Categories():
            text = language("{quantity} from {first} to {last}, by the schedule for it: {steps}.")
        case TimeOfUse():
            text = language("{quantity} from {first} to {last}: {steps}.")
        case Steps(per="year") | TimeOfUseSteps(per="year"):
            text = language(
                "{quantity} from {first} to {last}, of which {steps} (steps of the year)."
            )
        case Steps(per="quarter") | TimeOfUseSteps(per="quarter"):
            text = language(
                "{quantity} from {first} to {last}, of which {steps} (steps of the quarter)."
            )
        case _:
            text = language(
                "{quantity} from {first} to {last}, of which {steps} (steps of the month)."
            )
    return text.format(**counted, steps=parts)


def _part(part: Part, words: Formats, language: Language) -> str:
    quantity, price = words.number(part.quantity), words.exact_money(part.price)
    band = None if part.band is None else language(terms.term(terms.BANDS, part.band))
    if part.number is None:
        return language("{quantity} {band} at {price}").format(
            quantity=quantity, band=band, price=price
        )
    if band is None:
        text = language("{quantity} in step {number} at {price}")
    else:
        text = language("{quantity} {band} in step {number} at {price}")
    return text.format(quantity=quantity, band=band, number=part.number, price=price)


def _per_unit(charge: PerUnit, counted: dict[str, str], language: Language) -> str:
    words = Formats(language)
    price = words.exact_money(charge.price)
    if charge.share is None:
        text = language("{quantity} from {first} to {last} at {price} per {unit}.")
        return text.format(**counted, price=price)
    text = language(
        "{share} of the {used} from {first} to {last}, that is {quantity}, at {price} per {unit}."
    )
    return text.format(**counted, price=price, share=words.percent(charge.share))


def _counted(bill: BillView, line: LineView, language: Language) -> dict[str, str]:
    words = Formats(language)
    used = explanation.metered(line)
    unit = line.unit if line.usage is None else line.usage.unit
    first, last = explanation.days(bill, line)
    return {
        "used": words.measure(used if used is not None else Decimal(0), unit),
        "quantity": words.quantity(line.quantity, line.unit),
        "first": words.short_day(first),
        "last": words.short_day(last),
        "unit": words.unit(line.unit),
    }


def _for_days(
    bill: BillView, line: LineView, charge: PerArea | Fixed | PerCount | Demand, language: Language
) -> str:
    """Say what is owed for time: a month or some of its days, each day, or once a period."""
    words = Formats(language)
    first, last = explanation.days(bill, line)
    whole = (last - first).days + 1 == explanation.period(bill, line).days
    match charge:
        case Fixed():
            text = _fixed(charge, language, whole=whole)
        case Demand() if whole:
            text = language("A demand of {what}, at {price} per kW and month.")
        case Demand():
            text = language("Demand, at {price} per kW and month, for {first} to {last}.")
        case _:
            text = _each(charge, language, whole=whole)
    return text.format(
        what=words.measure(_counted_once(line, charge), line.unit),
        price=words.exact_money(charge.amount if isinstance(charge, Fixed) else charge.price),
        unit=words.unit(line.unit),
        month=words.month(explanation.period(bill, line)),
        first=words.short_day(first),
        last=words.short_day(last),
    )


def _fixed(charge: Fixed, language: Language, *, whole: bool) -> str:
    match charge.per:
        case "day":
            return language("{price} a day, for {first} to {last}.")
        case "period":
            return language("{price}, once for {month}.")
        case None if whole:
            return language("{price} for {month}.")
        case None:
            return language("{price} a month, for {first} to {last}.")


def _each(charge: PerArea | PerCount, language: Language, *, whole: bool) -> str:
    match charge.per:
        case "day":
            return language("{what} at {price} per {unit} and day, for {first} to {last}.")
        case "period":
            return language("{what} at {price} per {unit}, once for {month}.")
        case None if whole:
            return language("{what} at {price} per {unit} for one month.")
        case None:
            return language("{what} at {price} per {unit} and month, for {first} to {last}.")


def _counted_once(line: LineView, charge: Charge) -> Decimal:
    """Return what a charge counts, before it is taken as often as it is owed."""
    given = line.evidence["inputs"].get("attributes", {})
    match charge:
        case PerArea():
            return Decimal(given[AREA])
        case PerCount():
            return max(Decimal(given[charge.of]) - (charge.above or 0), Decimal(0))
        case _:
            return from_scaled(line.quantity)


def _of_lines(line: LineView, charge: Charge, titles: Sequence[str], language: Language) -> str:
    words = Formats(language)
    names = language(", ").join(titles)
    match charge:
        case Percentage():
            return language("{percent} of {base} ({names}).").format(
                percent=words.percent(charge.percent.scaleb(-2)),
                base=words.quantity(line.quantity, line.unit),
                names=names,
            )
        case Discount(percent=Decimal() as percent):
            return language("{percent} off {names}.").format(
                percent=words.percent(percent.scaleb(-2)), names=names
            )
        case Discount(amount=Decimal() as amount):
            return language("{amount} off {names}, at most what they come to.").format(
                amount=words.exact_money(amount), names=names
            )
        case Minimum():
            return language("The rest up to the minimum of {amount}, for {names}.").format(
                amount=words.exact_money(charge.amount), names=names
            )
        case Cap():
            return language("What is above the cap of {amount} is taken off, for {names}.").format(
                amount=words.exact_money(charge.amount), names=names
            )
        case _:
            return words.quantity(line.quantity, line.unit)
