"""Spans: a period in the parts within which nothing changes that a unit is billed by.

A unit's facts are dated: who holds it, its customer class, the tariffs it is billed by, its area
and persons, whether it is vacant. Where one of them changes inside a period, the period is cut at
that local midnight. A tariff is then rated over as few of these parts as it must be: they are
joined again where nothing that the tariff itself reads has changed, whatever has of others.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache, partial
from itertools import groupby, pairwise
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from billing.registry import Span
from meters.interval import Interval, local_midnight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    from billing.registry import Account, Registry, TariffVersion, Unit
    from meters.interval import Period

Value = TypeVar("Value")


class Since(NamedTuple, Generic[Value]):
    """What holds from a local day on, until the next of its kind."""

    day: date
    value: Value


class Held(NamedTuple, Generic[Value]):
    """What holds from the day `first` until the day before `after`, None while it still does."""

    first: date
    after: date | None
    value: Value

    def on(self, day: date) -> bool:
        return self.first <= day and (self.after is None or day < self.after)


class Facts(NamedTuple):
    """All that is dated of a unit; each kind by its days.

    `tariffs`: the unit's own in place of its class's, None where it goes back to them;
    `attributes` by name, None where they are not known any more.
    """

    classes: Sequence[Since[str]]
    accounts: Sequence[Held[Account]] = ()
    vacancies: Sequence[Held[None]] = ()
    tariffs: Sequence[Since[tuple[str, ...] | None]] = ()
    attributes: Mapping[str, Sequence[Since[int | None]]] = MappingProxyType({})

    def days(self) -> Iterator[date]:
        """Yield every day on which something changes."""
        for account in self.accounts:
            yield from _ends(account.first, account.after)
        for vacancy in self.vacancies:
            yield from _ends(vacancy.first, vacancy.after)
        for customer_class in self.classes:
            yield customer_class.day
        for tariffs in self.tariffs:
            yield tariffs.day
        for attribute in self.attributes.values():
            for each in attribute:
                yield each.day


def _ends(first: date, after: date | None) -> tuple[date, ...]:
    return (first,) if after is None else (first, after)


def spans_of(
    period: Period, facts: Facts, classes: Mapping[str, tuple[str, ...]]
) -> tuple[Span, ...]:
    """Return the spans of a unit, which tile `period`.

    `classes` gives the tariffs of each customer class.
    """
    inside = {day for day in facts.days() if period.first < day < period.after}
    if not inside:
        return (_span(_interval(period), period.first, period.days, facts, classes),)
    days = [period.first, *sorted(inside), period.after]
    instants = [local_midnight(day, period.zone) for day in days]
    spans: list[Span] = []
    for (first, after), (start, end) in zip(pairwise(days), pairwise(instants), strict=True):
        span = _span(Interval(start, end), first, (after - first).days, facts, classes)
        if spans and spans[-1] == span._replace(interval=spans[-1].interval, days=spans[-1].days):
            span = span._replace(
                interval=Interval(spans[-1].interval.start, end),
                days=spans.pop().days + span.days,
            )
        spans.append(span)
    return tuple(spans)


@cache
def _interval(period: Period) -> Interval:
    """Return the instants of a period: they are the same for all units of a community."""
    return period.interval


def _span(
    interval: Interval,
    first: date,
    days: int,
    facts: Facts,
    classes: Mapping[str, tuple[str, ...]],
) -> Span:
    customer_class = _since(facts.classes, first) or ""
    own = _since(facts.tariffs, first)
    attributes: dict[str, int] = {}
    for name, dated in facts.attributes.items():
        value = _since(dated, first)
        if value is not None:
            attributes[name] = value
    return Span(
        interval=interval,
        days=days,
        account=_holder(facts.accounts, first),
        customer_class=customer_class,
        tariffs=classes.get(customer_class, ()) if own is None else own,
        attributes=attributes,
        vacant=bool(facts.vacancies) and any(each.on(first) for each in facts.vacancies),
    )


def _since(dated: Sequence[Since[Value]], day: date) -> Value | None:
    """Return what holds on `day`: the last of `dated`, which are in order, that has begun."""
    for each in reversed(dated):
        if each.day <= day:
            return each.value
    return None


def _holder(accounts: Sequence[Held[Account]], day: date) -> Account | None:
    for each in accounts:
        if each.on(day):
            return each.value
    return None


class RatedSpan(NamedTuple):
    """A unit's span under one version of a tariff. `order`: the tariff's place on the bill.

    `days_before`: the days of the period that the unit was billed for under the tariff before.
    Where spans were joined, `span.attributes` are those that did not change, and the customer class
    is the first one, which the tariff does not read.
    """

    version: TariffVersion
    span: Span
    order: int
    days_before: int = 0

    @property
    def place(self) -> tuple[int, str, datetime]:
        """Where its lines stand on the bill: tariffs of one order go by their names."""
        return self.order, self.version.tariff.id, self.span.interval.start


class InForce(NamedTuple):
    """A tariff version with the part of a period that it is in force in.

    `days`: how many local days; `days_before`: those of the period before them.
    """

    version: TariffVersion
    interval: Interval
    days: int
    days_before: int


def in_force(period: Period, versions: Sequence[TariffVersion]) -> tuple[InForce, ...]:
    """Return the parts of `period` that the versions of a tariff, which are in order, rate."""
    begins = [max(each.tariff.valid_from, period.first) for each in versions]
    found = []
    for version, (first, after) in zip(versions, pairwise([*begins, period.after]), strict=True):
        interval = Interval(*(local_midnight(day, period.zone) for day in (first, after)))
        before = (first - period.first).days
        found.append(InForce(version, interval, (after - first).days, before))
    return tuple(found)


def rated_spans(registry: Registry, unit: Unit) -> tuple[RatedSpan, ...]:
    """Return what `unit` is billed by, tariff by tariff in the order of its bill, in time order.

    What no version of a tariff is in force for is left out; see `not_in_force`.
    """
    if len(unit.spans) > 1 or _changes(registry, unit):
        return tuple(sorted(_rated(registry, unit), key=attrgetter("place")))
    (span,) = unit.spans
    found = []
    for order, name in enumerate(span.tariffs):
        versions = registry.tariffs.get(name)
        if versions:
            found.append(RatedSpan(versions[0], span, order))
    return tuple(found)


def not_in_force(registry: Registry) -> list[str]:
    """Return the tariffs of units that no version of is in force on the period's first day."""
    in_force = {
        name
        for name, versions in registry.tariffs.items()
        if versions[0].tariff.valid_from <= registry.period.first
    }
    asked = {name for unit in registry.units for span in unit.spans for name in span.tariffs}
    return sorted(asked - in_force)


def _changes(registry: Registry, unit: Unit) -> bool:
    """Return whether a later version of one of the unit's tariffs begins inside the period."""
    for span in unit.spans:
        for name in span.tariffs:
            if len(registry.tariffs.get(name, ())) > 1:
                return True
    return False


def _rated(registry: Registry, unit: Unit) -> Iterator[RatedSpan]:
    atoms = _atoms(registry, unit)
    for name, place in _places(unit).items():
        billed_days = 0
        for read, run in groupby(atoms, key=partial(_read, registry, name)):
            if read is not None:
                span = _whole(tuple(run))
                yield RatedSpan(read.version, span, place, billed_days)
                billed_days += span.days


def _places(unit: Unit) -> dict[str, int]:
    """Return the foremost place of each tariff among those that the unit is billed by."""
    places: dict[str, int] = {}
    for span in unit.spans:
        for place, name in enumerate(span.tariffs):
            places[name] = min(place, places.get(name, place))
    return places


def _atoms(registry: Registry, unit: Unit) -> list[Span]:
    """Return the unit's spans, cut again where a later version of one of its tariffs begins."""
    zone = registry.period.zone
    begins = {
        version.tariff.valid_from
        for span in unit.spans
        for name in span.tariffs
        for version in registry.tariffs.get(name, ())[1:]
    }
    atoms: list[Span] = []
    for span in unit.spans:
        first = span.interval.start.astimezone(zone).date()
        after = first + timedelta(days=span.days)
        days = [first, *sorted(day for day in begins if first < day < after), after]
        atoms += [
            span._replace(
                interval=Interval(local_midnight(start, zone), local_midnight(end, zone)),
                days=(end - start).days,
            )
            for start, end in pairwise(days)
        ]
    return atoms


class _Read(NamedTuple):
    """All that a tariff's lines of an atom depend on, but its use."""

    version: TariffVersion
    account: Account | None
    customer_class: str | None
    attributes: tuple[int | None, ...]


def _read(registry: Registry, name: str, atom: Span) -> _Read | None:
    """Return what a tariff reads of an atom; None where the unit is not billed by it."""
    version = _in_force(registry, name, atom)
    if name not in atom.tariffs or version is None:
        return None
    needs = version.tariff.needs
    attributes = tuple(atom.attributes.get(each) for each in sorted(needs.attributes))
    return _Read(version, atom.account, atom.customer_class if needs.classes else None, attributes)


def _in_force(registry: Registry, name: str, atom: Span) -> TariffVersion | None:
    """Return the version that is in force on an atom's first day; it is so on all of them."""
    day = atom.interval.start.astimezone(registry.period.zone).date()
    versions = registry.tariffs.get(name, ())
    return next((each for each in reversed(versions) if each.tariff.valid_from <= day), None)


def _whole(run: Sequence[Span]) -> Span:
    first = run[0]
    if len(run) == 1:
        return first
    same = set.intersection(*(set(each.attributes.items()) for each in run))
    return first._replace(
        interval=Interval(first.interval.start, run[-1].interval.end),
        days=sum(each.days for each in run),
        attributes=dict(sorted(same)),
        vacant=all(each.vacant for each in run),
    )
