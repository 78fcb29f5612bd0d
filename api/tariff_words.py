"""What a tariff charges, in plain words and small tables, for whoever has not been billed yet."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from api.formats import Formats
from api.language import mark as _
from billing.fields import MEDIUM_UNITS
from billing.rating.bounds_of_lines import Cap, Minimum
from billing.rating.categories import Categories
from billing.rating.custom import Custom
from billing.rating.demand import Demand
from billing.rating.discount import Discount
from billing.rating.fixed import Fixed
from billing.rating.packages import Packages
from billing.rating.per_area import PerArea
from billing.rating.per_count import PerCount
from billing.rating.per_unit import PerUnit
from billing.rating.percentage import Percentage
from billing.rating.steps import Steps
from billing.rating.time_of_use import TimeOfUse
from billing.rating.time_of_use_steps import TimeOfUseSteps
from billing.rating.volume import Volume
from billing.rating.widths import Widths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.language import Language
    from billing.calendar import Calendar, DayPlan
    from billing.rating.charge import Charge
    from billing.tariff import Tariff

EACH_STEP = {
    "month": _("Each step of a month's use has its own price."),
    "quarter": _("Each step of the use of a calendar quarter has its own price."),
    "year": _("Each step of the use of a calendar year has its own price."),
}
A_PRICE = {
    None: _("{price} for each {unit} and month."),
    "day": _("{price} for each {unit} and day."),
    "period": _("{price} for each {unit}, once a billing period."),
}
AN_AMOUNT = {
    None: _("{price} a month."),
    "day": _("{price} a day."),
    "period": _("{price} once a billing period."),
}
MIDNIGHT = 24 * 60
MANY = Decimal(2)
"""What is said of several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A row of a price table. Use lies above `above` and up to `until`; None is open.

    `use_until`: of categories, up to which use of the month the row's schedule holds.
    """

    step: int | None = None
    above: Decimal | None = None
    until: Decimal | None = None
    band: str | None = None
    use_until: Decimal | None = None
    price: Decimal


@dataclass(frozen=True, slots=True)
class Hours:
    """When a band holds on the days of a plan: `first` and `after` are minutes of the day."""

    first: int
    after: int
    band: str

    @property
    def clock(self) -> str:
        return "–".join(f"{at // 60:02}:{at % 60:02}" for at in (self.first, self.after))


def sentence(tariff: Tariff, charge: Charge, language: Language) -> str:
    """Return what `charge` is in one sentence, and one more where its steps widen."""
    said = (
        _stepped(charge, language)
        or _priced(tariff, charge, language)
        or _of_lines(tariff, charge, language)
    )
    return said + _widening(charge, language)


def prices(charge: Charge) -> list[Price]:
    """Return the table of a charge's prices; empty where a sentence says the only one."""
    match charge:
        case Steps(steps=steps) | Volume(steps=steps):
            rows = zip(steps, _bounds([each.until for each in steps]), strict=True)
            return [
                Price(step=at, above=above, until=step.until, price=step.price)
                for at, (step, above) in enumerate(rows, start=1)
            ]
        case Categories():
            return [
                Price(
                    step=at, above=above, until=step.until, price=step.price, use_until=each.until
                )
                for each in charge.categories
                for at, (step, above) in enumerate(
                    zip(each.steps, _bounds([one.until for one in each.steps]), strict=True),
                    start=1,
                )
            ]
        case TimeOfUse():
            return [Price(band=band, price=price) for band, price in charge.prices.items()]
        case TimeOfUseSteps():
            banded = zip(charge.steps, _bounds([each.until for each in charge.steps]), strict=True)
            return [
                Price(step=at, above=above, until=step.until, band=band, price=price)
                for at, (step, above) in enumerate(banded, start=1)
                for band, price in step.prices.items()
            ]
        case _:
            return []


def hours(calendar: Calendar | None) -> list[tuple[DayPlan, list[Hours]]]:
    """Return which band holds when, plan by plan."""
    return [] if calendar is None else [(plan, list(_of_day(plan))) for plan in calendar.days]


def _of_day(plan: DayPlan) -> Iterator[Hours]:
    ends = [*(start for start, _band in plan.bands[1:]), MIDNIGHT]
    for (start, band), end in zip(plan.bands, ends, strict=True):
        yield Hours(start, end, band)


def _bounds(until: list[Decimal | None]) -> list[Decimal | None]:
    """Return above which use each step begins: None for the first."""
    return [None, *(before for before, _after in pairwise(until))]


def _stepped(charge: Charge, language: Language) -> str | None:
    """Say of a charge with a table what its prices are by."""
    match charge:
        case Steps(per=per):
            return language(EACH_STEP[per])
        case Volume():
            return language("All of a month's use has the price of the step that it reaches.")
        case Categories():
            return language("A month's use chooses a schedule, whose steps price all of it.")
        case TimeOfUse():
            return language("Each time of the day has its own price.")
        case TimeOfUseSteps(per=per):
            more = language(" Within it each time of the day has its own.")
            return language(EACH_STEP[per]) + more
        case _:
            return None


def _priced(tariff: Tariff, charge: Charge, language: Language) -> str | None:
    """Say of a charge with one price what that is for."""
    words = Formats(language)
    unit = words.unit(tariff.unit(charge))
    match charge:
        case PerUnit(share=Decimal() as share):
            text = language("{price} per {unit}, for {share} of the use.")
            return text.format(
                price=words.exact_money(charge.price), unit=unit, share=words.percent(share)
            )
        case PerUnit():
            text = language("{price} per {unit}.")
            return text.format(price=words.exact_money(charge.price), unit=unit)
        case Packages():
            use = MEDIUM_UNITS[tariff.medium] if tariff.medium else ""
            return language("{price} for each {size} that is begun.").format(
                price=words.exact_money(charge.price), size=words.measure(charge.size, use)
            )
        case Demand():
            return language(
                "{price} per kW and month of the highest average power over {minutes} minutes."
            ).format(price=words.exact_money(charge.price), minutes=charge.minutes)
        case PerArea() | PerCount():
            text = language(A_PRICE[charge.per])
            if isinstance(charge, PerCount) and charge.above:
                free = words.number(charge.above)
                text += language(" The first {count} are free.").replace("{count}", free)
            return text.format(price=words.exact_money(charge.price), unit=unit)
        case Fixed():
            return language(AN_AMOUNT[charge.per]).format(price=words.exact_money(charge.amount))
        case _:
            return None


def _of_lines(tariff: Tariff, charge: Charge, language: Language) -> str:
    """Say of a charge that moves others by how much."""
    words = Formats(language)
    named = {each.name: language.titled(each.title) for each in tariff.charges}
    names = language(", ").join(named[name] for name in charge.of_charges)
    match charge:
        case Percentage():
            percent = words.percent(charge.percent.scaleb(-2))
            return language("{percent} of: {names}.").format(percent=percent, names=names)
        case Discount(percent=Decimal() as off):
            percent = words.percent(off.scaleb(-2))
            return language("{percent} off {names}.").format(percent=percent, names=names)
        case Discount(amount=Decimal() as amount):
            text = language("{amount} off {names}, at most what they come to.")
        case Minimum(amount=amount):
            text = language("At least {amount} in all for: {names}.")
        case Cap(amount=amount):
            text = language("At most {amount} in all for: {names}.")
        case Custom():
            return language("By the formula {formula}.").format(formula=charge.formula.text)
        case _:
            return language.titled(charge.title)
    return text.format(amount=words.exact_money(amount), names=names)


def _widening(charge: Charge, language: Language) -> str:
    """Return what makes the steps of a charge wider, as a further sentence."""
    if not isinstance(charge, Widths):
        return ""
    words = Formats(language)
    text = ""
    if charge.extra is not None:
        each = language(", ").join(words.number(one) for one in charge.extra.each)
        text += language(
            " Each of {attribute} above {above} makes the steps wider by {each}."
        ).format(
            attribute=words.unit(charge.extra.attribute, MANY),
            above=words.number(charge.extra.above),
            each=each,
        )
    if charge.times is not None:
        text += language(" The steps are for each of {attribute}.").format(
            attribute=words.unit(charge.times, MANY)
        )
    return text
