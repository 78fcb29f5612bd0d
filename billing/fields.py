"""The kinds of value that tariffs and pools are written in."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from billing.money import to_factor, to_fen, to_price
from meters.definition import Exact
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from decimal import Decimal

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*([-_][a-z0-9]+)*$", max_length=64)]
"""A name inside definitions: `zj-residential`, `peak-energy`, `import_energy_t1`."""
Version = Annotated[int, Field(strict=True, ge=1)]
Month = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
"""A calendar month as periods are named: `2026-10`."""
Medium = Literal["electricity", "water"]
MEDIUM_UNITS: dict[Medium, str] = {"electricity": "kWh", "water": "m3"}
"""The canonical unit that the use of a medium is billed in."""
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z][A-Za-z]+)?$")]


def _not_empty(value: Collection[object]) -> Collection[object]:
    if not value:
        raise ValueError("is empty; give at least one")
    return value


NotEmpty = AfterValidator(_not_empty)

Title = Annotated[dict[Language, Annotated[str, NotEmpty]], NotEmpty]
"""What people read, by language: `{ zh = "电费", en = "Electricity" }`."""


def _day(value: object) -> date:
    if isinstance(value, str):
        return date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError(f"must be a date such as 2026-01-01, got {value!r}")


Day = Annotated[date, BeforeValidator(_day)]
"""A local date without a time."""


def _held_by(scale: Callable[[Decimal], int]) -> AfterValidator:
    def check(value: Decimal) -> Decimal:
        scale(value)
        return value

    return AfterValidator(check)


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError(f"must not be negative, got {value}")
    return value


Money = Annotated[Exact, _held_by(to_fen)]
"""An amount of the currency: at most two decimals."""
UnitPrice = Annotated[Exact, _held_by(to_price)]
"""A price per unit: at most six decimals."""
Percent = Annotated[Exact, _held_by(to_factor)]
"""A percentage: at most four decimals."""
Quantity = Annotated[Exact, _held_by(to_scaled)]
"""A quantity: at most four decimals."""
NotNegative = AfterValidator(_not_negative)
"""Narrows one of the above: `Annotated[UnitPrice, NotNegative]`."""
