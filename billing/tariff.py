"""Tariffs: dated, versioned sets of charges, one TOML file each, proven by worked examples."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from billing import canonical
from billing.calendar import Calendar
from billing.fields import (
    MEDIUM_UNITS,
    Day,
    Medium,
    Name,
    NotEmpty,
    NotNegative,
    Quantity,
    Title,
    Version,
)
from billing.formula.vocabulary import Vocabulary
from billing.money import Rounding
from billing.rating.bounds_of_lines import Cap, Minimum
from billing.rating.categories import Categories
from billing.rating.charge import Charge, Units
from billing.rating.custom import Custom
from billing.rating.demand import Demand
from billing.rating.discount import Discount
from billing.rating.example import Example
from billing.rating.fixed import Fixed
from billing.rating.packages import Packages
from billing.rating.per_area import PerArea
from billing.rating.per_count import PerCount
from billing.rating.per_unit import PerUnit
from billing.rating.percentage import Percentage
from billing.rating.proof import failing_examples
from billing.rating.proration import Proration
from billing.rating.rate import ROUNDING
from billing.rating.steps import Steps
from billing.rating.subjects import Needs
from billing.rating.tax import Tax
from billing.rating.time_of_use import TimeOfUse
from billing.rating.time_of_use_steps import TimeOfUseSteps
from billing.rating.volume import Volume
from meters.definition import (
    Definition,
    DefinitionError,
    Problem,
    parse_document,
    read_document,
    validate,
)
from meters.quantity import to_scaled
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

AnyCharge = Annotated[
    PerUnit
    | Steps
    | Volume
    | Categories
    | Packages
    | TimeOfUse
    | TimeOfUseSteps
    | Demand
    | Fixed
    | PerArea
    | PerCount
    | Percentage
    | Minimum
    | Cap
    | Discount
    | Custom,
    Field(discriminator="kind"),
]
"""Every kind of charge."""


class Tariff(Definition):
    """A tariff as its file says it. It is rated by `billing.rating.rate.rate`."""

    kind: Literal["tariff"]
    id: Name
    version: Version
    title: Title
    medium: Medium | None = None
    currency: Literal["CNY"]
    valid_from: Day
    rounding: Rounding = Rounding()
    proration: Proration | None = None
    """How a part of a month is counted; by its days unless said."""
    assume: dict[Name, Annotated[Quantity, NotNegative]] | None = None
    """Attributes to take for units of which they are not known; others block a unit's lines."""
    calendar: Calendar | None = None
    taxes: Annotated[tuple[Tax, ...] | None, Field(alias="tax")] = None
    charges: Annotated[tuple[AnyCharge, ...], Field(alias="charge"), NotEmpty]
    examples: Annotated[tuple[Example, ...], Field(alias="example"), NotEmpty]

    @cached_property
    def needs(self) -> Needs:
        """What every subject must have for this tariff to be rated."""
        needs = Needs()
        for charge in self.charges:
            needs |= charge.needs | Needs(classes=charge.classes is not None)
        return needs

    @cached_property
    def registers(self) -> dict[str, list[str]]:
        """The registers that each charge counts, in order."""
        return {charge.name: sorted(charge.needs.registers) for charge in self.charges}

    def registers_of(self, line: str) -> list[str]:
        """Return the registers that a line counts, in order; none for a tax or the rounding."""
        return self.registers.get(line, [])

    @property
    def counts_months_by(self) -> Proration:
        return self.proration or Proration.DAYS

    @cached_property
    def assumed(self) -> dict[str, int]:
        """The attributes that are taken where they are not known, 10⁻⁴ of their unit."""
        return {name: to_scaled(value) for name, value in (self.assume or {}).items()}

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical text, as hex."""
        return canonical.digest(self)

    def unit(self, charge: Charge) -> str:
        """Return the unit that the quantity of `charge` counts in."""
        return charge.unit(Units(MEDIUM_UNITS[self.medium] if self.medium else "", self.currency))

    @property
    def tax_names(self) -> tuple[str, ...]:
        return tuple(tax.name for tax in self.taxes or ())

    def tax_of(self, name: str) -> Tax:
        """Return the tax profile `name`."""
        return next(tax for tax in self.taxes or () if tax.name == name)

    def vocabulary(self, earlier: tuple[str, ...]) -> Vocabulary:
        """Return what a formula after the charges `earlier` may name."""
        return Vocabulary(self.medium, earlier)


def load_tariff(path: Path) -> Tariff:
    """Return the tariff at `path`; raise `DefinitionError` with every problem found."""
    return parse_tariff(read_document(path), str(path))


def read_tariff(text: str, source: str) -> Tariff:
    """Return the tariff that the TOML `text` says; raise `DefinitionError` as `load_tariff`."""
    return parse_tariff(parse_document(text, source), source)


def parse_tariff(document: dict[str, Any], source: str) -> Tariff:
    """Return `document`, read from `source`, as a tariff that its examples prove.

    Raises `DefinitionError` for an unknown or missing key, a contradiction between charges, or an
    example that gives another amount than it expects.
    """
    tariff = validate(Tariff, document, source)
    problems = list(_contradictions(tariff, source)) or list(failing_examples(tariff, source))
    if problems:
        raise DefinitionError(problems)
    return tariff


def _contradictions(tariff: Tariff, source: str) -> Iterator[Problem]:
    earlier: list[str] = []
    for number, charge in enumerate(tariff.charges, start=1):
        where = f"charge[{number}]"
        if charge.name in earlier:
            yield Problem(source, f"{where}.name", f"{charge.name!r} names an earlier charge too")
        if charge.name == ROUNDING:
            yield Problem(source, f"{where}.name", f"{ROUNDING!r} is the name of the rounding line")
        for key, what in charge.problems(tariff.vocabulary(tuple(earlier))):
            yield Problem(source, f"{where}.{key}", what)
        if charge.tax is not None and charge.tax not in tariff.tax_names:
            yield Problem(source, f"{where}.tax", f"the tariff has no tax {charge.tax!r}; add it")
        yield from _bands_without_calendar(tariff, charge, source, where)
        earlier.append(charge.name)
    yield from _contradictions_of_taxes(tariff, source, earlier)
    needs = tariff.needs
    if needs.metered and tariff.medium is None:
        yield Problem(
            source, "medium", told("is missing: a charge reads a register, so say of which medium")
        )
    if tariff.calendar is not None and not needs.bands:
        yield Problem(source, "calendar", told("no charge reads use by band; leave it out"))
    if excess := sorted(set(tariff.assume or {}) - needs.attributes):
        yield Problem(
            source, "assume", told("no charge reads '{name}'; leave it out", name=excess[0])
        )


def _bands_without_calendar(
    tariff: Tariff, charge: Charge, source: str, where: str
) -> Iterator[Problem]:
    if not charge.needs.bands:
        return
    if tariff.calendar is None:
        what = "reads use by band, and the tariff has no calendar; add one"
        yield Problem(source, f"{where}.register", what)
        return
    priced = frozenset(label.band for label in charge.labels if label.band is not None)
    if priced != tariff.calendar.bands:
        yield Problem(
            source,
            where,
            told("must have a price for each band of the calendar, and for no other"),
            expected=", ".join(sorted(tariff.calendar.bands)),
            actual=", ".join(sorted(priced)),
        )


def _contradictions_of_taxes(
    tariff: Tariff, source: str, charges: Sequence[str]
) -> Iterator[Problem]:
    taken = [*charges, ROUNDING]
    for number, tax in enumerate(tariff.taxes or (), start=1):
        where = f"tax[{number}]"
        if tax.name in taken:
            yield Problem(source, f"{where}.name", f"{tax.name!r} names another line or tax too")
        if all(charge.tax != tax.name for charge in tariff.charges):
            yield Problem(source, where, "no charge names it; leave it out")
        taken.append(tax.name)
