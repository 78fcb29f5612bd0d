"""What lines are called, and why each is what it is, in one plain sentence."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from api import explanation, sentences
from api.formats import Formats
from api.language import mark as _
from billing.money import from_fen
from billing.pools.basis import Basis
from billing.rating.tax import Tax

if TYPE_CHECKING:
    from api.language import Language
    from billing.store.views.bills import BillView, LineView, ShareOfLine
    from billing.tariff import Tariff

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


def charge_title(tariff: Tariff | None, name: str, language: Language) -> str:
    """Return what a charge of a supply is called, or the document that says what it cost."""
    if tariff is None:
        return name
    found = next((each for each in tariff.charges if each.name == name), None)
    return language(ROUNDING_TITLE) if found is None else language.titled(found.title)


def sentence(bill: BillView, line: LineView, language: Language) -> str:
    """Return why the line is what it is, in one sentence; and what it corrects, if it does."""
    corrects = line.correction
    if corrects is None:
        return _why(bill, line, language)
    where = {
        "number": corrects.number,
        "position": corrects.position,
        "month": Formats(language).month(corrects.period),
    }
    if corrects.reversal:
        return language("Takes back line {position} of bill {number}.").format(**where)
    if corrects.number is None:
        text = language("Not billed for {month} before.")
    else:
        text = language("In place of line {position} of bill {number}.")
    return f"{_why(bill, line, language)} {text.format(**where)}"


def _why(bill: BillView, line: LineView, language: Language) -> str:
    words = Formats(language)
    if line.share is not None:
        return _shared(line.share, language, words)
    charge = explanation.charge_of(line)
    if charge is not None:
        titles = [
            title(each, language)
            for each in bill.lines
            if each.charge in charge.of_charges and each.tariff == line.tariff
        ]
        return sentences.of_charge(bill, line, charge, list(dict.fromkeys(titles)), language)
    tax = explanation.named(line)
    if isinstance(tax, Tax):
        return language("{percent} of what is taxed at it.").format(
            percent=words.percent(tax.percent.scaleb(-2))
        )
    return language("The total is rounded to {unit}.").format(
        unit=words.money(line.tariff.rounding.unit_fen if line.tariff else 1)
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
