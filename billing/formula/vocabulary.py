"""The names that a formula may use, with their units and the scale of their columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from typing import TYPE_CHECKING

from billing.fields import MEDIUM_UNITS
from billing.formula.units import MONEY, NUMBER, Dimension
from billing.money import MONEY_SCALE
from meters.quantity import SCALE

if TYPE_CHECKING:
    from billing.fields import Medium


class Source(Enum):
    """Where the number behind a name comes from."""

    USE = "use"
    BEFORE_YEAR = "before_year"
    BEFORE_QUARTER = "before_quarter"
    CHARGE = "charge"
    ATTRIBUTE = "attribute"
    DAYS = "days"
    PERIOD_DAYS = "period_days"


@dataclass(frozen=True, slots=True)
class Variable:
    """What a name stands for: `key` of `source`, int64 columns of 10^-scale of `unit`."""

    source: Source
    key: str
    unit: Dimension
    scale: int


class UnknownNameError(LookupError):
    """A formula uses a name that has no meaning where it stands."""


ATTRIBUTES: dict[str, Dimension] = {
    "area": Dimension.of("m2"),
    "persons": Dimension.of("person"),
    "dwellings": Dimension.of("dwelling"),
    "car_spaces": Dimension.of("car_space"),
    "subscribed_kva": Dimension.of("kVA"),
}
"""Attributes of a unit that have a name and a unit of their own; others are `attribute.<name>`."""

_DAYS: dict[str, Source] = {"days": Source.DAYS, "period_days": Source.PERIOD_DAYS}
_USE: dict[str, Source] = {
    "use": Source.USE,
    "before_year": Source.BEFORE_YEAR,
    "before_quarter": Source.BEFORE_QUARTER,
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a formula may name in a tariff that reads `medium`, after the earlier `charges`.

    `use.<register>`, `before_year.<register>` and `before_quarter.<register>` are in the unit of
    the medium, `charge.<name>` in CNY as billed, `attribute.<name>` pure numbers; `days` are those
    of the span that is billed, `period_days` those of its whole period.
    """

    medium: Medium | None = None
    charges: tuple[str, ...] = field(default=())

    def variable(self, name: str) -> Variable:
        """Return what `name` stands for; raise `UnknownNameError` with what to write instead."""
        prefix, dot, key = name.partition(".")
        if dot:
            return self._dotted(prefix, key, name)
        if name in ATTRIBUTES:
            return Variable(Source.ATTRIBUTE, name, ATTRIBUTES[name], SCALE)
        if name in _DAYS:
            return Variable(_DAYS[name], name, Dimension.of("day"), 0)
        raise UnknownNameError(self._advice(name))

    def _dotted(self, prefix: str, key: str, name: str) -> Variable:
        if prefix in _USE:
            if self.medium is None:
                raise UnknownNameError(
                    f"{name!r} reads a register, and the tariff names no medium; add one"
                )
            unit = Dimension.of(MEDIUM_UNITS[self.medium])
            return Variable(_USE[prefix], key, unit, SCALE)
        if prefix == "charge" and key in self.charges:
            return Variable(Source.CHARGE, key, MONEY, MONEY_SCALE)
        if prefix == "attribute":
            return Variable(Source.ATTRIBUTE, key, ATTRIBUTES.get(key, NUMBER), SCALE)
        raise UnknownNameError(self._advice(name))

    def _advice(self, name: str) -> str:
        if name.startswith("charge."):
            earlier = ", ".join(self.charges) or "none"
            return f"{name!r} is no earlier charge; earlier are: {earlier}"
        known = (*ATTRIBUTES, *_DAYS, *(f"charge.{charge}" for charge in self.charges))
        if "-" in name and any(part in known for part in name.split("-")):
            return f"no name {name!r}; to subtract, put spaces around the sign"
        close = get_close_matches(name, known, n=1)
        hint = (
            f"did you mean {close[0]}?"
            if close
            else (
                f"there are {', '.join(known)}, use.<register>, before_year.<register>, "
                "before_quarter.<register> and attribute.<name>"
            )
        )
        return f"no name {name!r}; {hint}"
