"""Worked examples of tariffs: what somebody uses and has, and what it must be billed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from billing.fields import Money, Name, NotEmpty, NotNegative, Quantity
from meters.definition import Definition

if TYPE_CHECKING:
    from decimal import Decimal

_ONE_REGISTER: TypeAdapter[Decimal] = TypeAdapter(Quantity)


def _by_register(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    try:
        return {"": _ONE_REGISTER.validate_python(value)}
    except ValidationError as error:
        raise ValueError(str(error.errors()[0]["ctx"]["error"])) from error


def _as_written(value: dict[str, Any]) -> Any:
    return value.get("", value)


ByRegister = Annotated[
    dict[str, Quantity], BeforeValidator(_by_register), PlainSerializer(_as_written)
]
"""`5000` where the tariff reads one register, else `{ import_energy_t1 = 3000, … }`."""
Days = Annotated[int, Field(strict=True, ge=1, le=366)]


class Billed(Definition):
    """What one span of a period uses and has, and what it must be billed.

    `usage`: in the span; `bands`: of it, by band, or in runs `[[band, quantity], …]` in the order
    of time; `demand`, kW, and `peak_before`, that of the months that a ratchet looks at; `before`
    and `before_quarter`: in the year and quarter before, 0 unless said; `area` in m², `attributes`
    what else the unit has, `class` whose it is; `days` of `period_days`, after `days_before` of
    them: all of 30 unless said. `expect`: the total; `charges`: amounts of single lines, and
    `taxes` what they state, by name.
    """

    usage: ByRegister | None = None
    bands: (
        Annotated[dict[Name, Quantity], NotEmpty]
        | Annotated[tuple[tuple[Name, Quantity], ...], NotEmpty]
        | None
    ) = None
    demand: ByRegister | None = None
    peak_before: ByRegister | None = None
    before: ByRegister | None = None
    before_quarter: ByRegister | None = None
    area: Quantity | None = None
    attributes: dict[Name, Annotated[Quantity, NotNegative]] | None = None
    customer_class: Annotated[Name | None, Field(alias="class")] = None
    days: Days | None = None
    days_before: Annotated[int, Field(strict=True, ge=0)] | None = None
    period_days: Days | None = None
    expect: Money | None = None
    charges: dict[str, Money] | None = None
    taxes: dict[str, Money] | None = None

    @property
    def runs(self) -> tuple[tuple[str, Decimal], ...]:
        """The use by band, in the order of time where it is given so."""
        given = self.bands or ()
        return tuple(given.items()) if isinstance(given, dict) else given


SHARED = ("area", "attributes", "customer_class", "period_days")
"""What months and spans take from their example where they do not say it themselves."""


class Example(Billed):
    """One span, or several: `months` that follow each other, or `spans` of one period.

    Months begin with the calendar's `first_month`, January unless said, and cumulate to quarters
    and the year; spans are given by their days. Both begin with the example's `before`, and its
    `expect` is the sum of all of them.
    """

    expect: Money
    months: Annotated[tuple[Billed, ...], NotEmpty] | None = None
    first_month: Annotated[int, Field(strict=True, ge=1, le=12)] | None = None
    spans: Annotated[tuple[Billed, ...], NotEmpty] | None = None

    @model_validator(mode="after")
    def _is_of_one_form(self) -> Self:
        if self.months is not None and self.spans is not None:
            raise ValueError("has months and spans; make two examples of them")
        if self.first_month is not None and self.months is None:
            raise ValueError("first_month says where months begin, and there are none")
        for each in self.spans or ():
            if each.days is None or each.days_before is not None or each.period_days is not None:
                raise ValueError(
                    "each of the spans says its days and nothing else of the time; their sum is "
                    "the period's"
                )
        return self

    @property
    def rows(self) -> tuple[Billed, ...]:
        """What is billed, one after the other, each with all that it takes from the example."""
        rows = self.months or self.spans
        if rows is None:
            return (self,)
        shared = {name: getattr(self, name) for name in SHARED}
        return tuple(
            row.model_copy(update={k: v for k, v in shared.items() if getattr(row, k) is None})
            for row in rows
        )
