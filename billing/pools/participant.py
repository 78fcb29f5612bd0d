"""Who may take part in a pool: units as they were in a period, a row for each part of it."""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from billing.evidence import quantity_text
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Participant(NamedTuple):
    """A unit as a pool sees it in days of a period within which nothing about it changes.

    `first_day`: of the period, from 1; `days`: how many. `attributes`: 10⁻⁴ by name ("area" in m²,
    "persons", …); `use`: 10⁻⁴ of the register's unit, by `UseKey.name`. What is not known is not
    there, and never taken for zero. `account`: who holds the unit in these days.
    """

    unit: str
    building: str
    entrance: str | None = None
    floor: int | None = None
    customer_class: str = ""
    account: str | None = None
    first_day: int = 1
    days: int = 1
    attributes: Mapping[str, int] = MappingProxyType({})
    use: Mapping[str, int] = MappingProxyType({})
    vacant: bool = False


_TEXTS = ("entrance", "floor", "account")
_NUMBERS = ("attributes", "use")


def participant_document(each: Participant) -> dict[str, Any]:
    """Return `each` as evidence: what is not set stands nowhere."""
    document: dict[str, Any] = {
        "unit": each.unit,
        "building": each.building,
        "first_day": each.first_day,
        "days": each.days,
    }
    for name in _TEXTS:
        value = getattr(each, name)
        if value is not None:
            document[name] = value
    for name in _NUMBERS:
        if numbers := getattr(each, name):
            document[name] = {key: quantity_text(value) for key, value in sorted(numbers.items())}
    if each.customer_class:
        document["customer_class"] = each.customer_class
    if each.vacant:
        document["vacant"] = True
    return document


def read_participants(documents: Iterable[Mapping[str, Any]]) -> list[Participant]:
    """Return the participants that a statement's evidence holds."""
    return [
        Participant(
            unit=each["unit"],
            building=each["building"],
            entrance=each.get("entrance"),
            floor=each.get("floor"),
            customer_class=each.get("customer_class", ""),
            account=each.get("account"),
            first_day=each["first_day"],
            days=each["days"],
            attributes=_scaled(each.get("attributes", {})),
            use=_scaled(each.get("use", {})),
            vacant=each.get("vacant", False),
        )
        for each in documents
    ]


def _scaled(texts: Mapping[str, str]) -> dict[str, int]:
    return {name: to_scaled(Decimal(text)) for name, text in texts.items()}
