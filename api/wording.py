"""One plain sentence a line: what was counted, in which days, at which price."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from api import explanation
from api.formats import Formats
from api.language import mark as _
from billing.basis import Basis
from billing.money import from_fen
from billing.rating.fixed import Fixed
from billing.rating.per_area import PerArea
from billing.rating.per_unit import PerUnit
from billing.rating.percentage import Percentage
from billing.rating.rate import ROUNDING
from billing.rating.steps import Steps

if TYPE_CHECKING:
    from api.language import Language
    from billing.store.views.bills import BillView, LineView, ShareOfLine
    from meters.interval import Period

BASES = {
    Basis.AREA: _("by floor area"),
    Basis.HOUSEHOLD: _("equally by household"),
    Basis.PERSONS: _("by persons"),
    Basis.USE: _("by use"),
    Basis.COEFFICIENT: _("by coefficient"),
    Basis.WEIGHTS: _("by the weights of the contract"),
    Basis.ATTRIBUTE: _("by what each unit has"),
    Basis.HYBRID: _("by two keys"),
}
ROUNDING_TITLE = _("Rounding")


def title(line: LineView, language: Language) -> str:
    """Return what the line is called."""
    named = explanation.named(line)
    if line.share is not None:
        return language.titled(line.share.pool.title)
    return language(ROUNDING_TITLE) if named is None else language.titled(named.title)


def titles(line: LineView) -> dict[str, str]:
    """Return the line's title in every language that its definition gives."""
    named = explanation.named(line)
    if line.share is not None:
        return dict(line.share.pool.title)
    return {"en": ROUNDING_TITLE} if named is None else dict(named.title)


def sentence(bill: BillView, line: LineView, language: Language) -> str:
    """Return why the line is what it is, in one sentence."""
    words = Formats(language)
    if line.share is not None:
        return _shared(line.share, language, words)
    charge = explanation.charge_of(line)
    match charge:
        case Steps():
            return _stepped(bill.head.period, line, charge, language)
        case PerUnit():
            return _per_unit(bill.head.period, line, charge, language)
        case PerArea():
            text = language("{area} at {price} per m² for one month.")
            return text.format(
                area=words.quantity(line.quantity, line.unit), price=words.exact_money(charge.price)
            )
        case Fixed():
            return language("A fixed amount for {month}.").format(
                month=words.month(bill.head.period)
            )
        case Percentage():
            return _percentage(bill, line, charge, language)
        case _ if line.charge == ROUNDING:
            return language("The total is rounded to {unit}.").format(
                unit=words.money(line.tariff.rounding.unit_fen if line.tariff else 1)
            )
        case _:
            return words.quantity(line.quantity, line.unit)


def _counted(period: Period, line: LineView, language: Language) -> dict[str, str]:
    words = Formats(language)
    used = explanation.metered(line)
    return {
        "used": words.measure(used if used is not None else Decimal(0), line.unit),
        "quantity": words.quantity(line.quantity, line.unit),
        "first": words.first_day(period),
        "last": words.last_day(period),
        "unit": words.unit(line.unit),
    }


def _stepped(period: Period, line: LineView, charge: Steps, language: Language) -> str:
    words = Formats(language)
    used = [part for part in explanation.parts(line) if part.quantity]
    step = language("{quantity} in step {number} at {price}")
    listed = language(", ").join(
        step.format(
            quantity=words.number(part.quantity),
            number=part.number,
            price=words.exact_money(part.price),
        )
        for part in used
    )
    counted = _counted(period, line, language)
    if not used:
        return language("{quantity} from {first} to {last}.").format(**counted)
    text = (
        language("{quantity} from {first} to {last}, of which {steps} (steps of the year).")
        if charge.per == "year"
        else language("{quantity} from {first} to {last}, of which {steps} (steps of the month).")
    )
    return text.format(**counted, steps=listed)


def _per_unit(period: Period, line: LineView, charge: PerUnit, language: Language) -> str:
    words = Formats(language)
    counted = _counted(period, line, language)
    price = words.exact_money(charge.price)
    if charge.share is None:
        text = language("{quantity} from {first} to {last} at {price} per {unit}.")
        return text.format(**counted, price=price)
    text = language(
        "{share} of the {used} from {first} to {last}, that is {quantity}, at {price} per {unit}."
    )
    return text.format(**counted, price=price, share=words.percent(charge.share))


def _percentage(bill: BillView, line: LineView, charge: Percentage, language: Language) -> str:
    words = Formats(language)
    of = [
        title(each, language)
        for each in bill.lines
        if each.tariff == line.tariff and each.charge in charge.of
    ]
    return language("{percent} of {base} ({names}).").format(
        percent=words.percent(charge.percent.scaleb(-2)),
        base=words.quantity(line.quantity, line.unit),
        names=language(", ").join(of),
    )


def _shared(share: ShareOfLine, language: Language, words: Formats) -> str:
    pool = share.pool
    if len(share.keys) > 1:
        return _shared_by_two(share, language, words)
    (key,) = share.keys
    text = (
        language(
            "{supply} for {cost}, shared {basis}: {key} of {key_sum} are yours;"
            " {company} is borne by the property company."
        )
        if pool.company_share
        else language("{supply} for {cost}, shared {basis}: {key} of {key_sum} are yours.")
    )
    return text.format(
        supply=words.quantity(share.supply_quantity, share.supply_unit),
        cost=words.exact_money(from_fen(share.supply_amount)),
        basis=language(BASES[pool.basis]),
        key=words.quantity(key.key),
        key_sum=words.quantity(key.of.total, key.of.unit),
        company=words.percent(pool.company_share),
    )


def _shared_by_two(share: ShareOfLine, language: Language, words: Formats) -> str:
    first, rest = share.keys
    text = language(
        "{supply} for {cost}. Of what owners bear, {part} is shared {basis}: {key} of {key_sum} are"
        " yours; the rest {rest_basis}: {rest_key} of {rest_sum} are yours."
    )
    return text.format(
        supply=words.quantity(share.supply_quantity, share.supply_unit),
        cost=words.exact_money(from_fen(share.supply_amount)),
        part=words.percent(Decimal(first.of.part.numerator) / first.of.part.denominator),
        basis=language(BASES[first.of.basis]),
        key=words.quantity(first.key),
        key_sum=words.quantity(first.of.total, first.of.unit),
        rest_basis=language(BASES[rest.of.basis]),
        rest_key=words.quantity(rest.key),
        rest_sum=words.quantity(rest.of.total, rest.of.unit),
    )
