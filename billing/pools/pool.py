"""Pools (公摊): what is shared, among whom and by what, one TOML file each, proven by examples."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt, model_validator

from billing import canonical
from billing.fields import (
    Day,
    Money,
    Month,
    Name,
    NotEmpty,
    NotNegative,
    Quantity,
    Title,
    Version,
)
from billing.pools.basis import Basis, Coefficient, Key, PartKey, RestKey, UseKey, Weight
from billing.pools.examples import failing_examples
from billing.pools.policy import AllZero, Charging, MissingKey, OwnerChange, Vacancy
from billing.pools.scope import Names, Scope
from meters.definition import Definition, DefinitionError, Exact, Problem, read_document, validate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Text = Annotated[str, NotEmpty]
Band = tuple[Exact, Exact]

WHOLE = Decimal(1)


def _at_most_whole(share: Decimal) -> Decimal:
    if share > 1:
        raise ValueError(f'is more than the whole; write 10 % as "0.10", got {share}')
    return share


def _in_order(band: Band) -> Band:
    low, high = band
    if not -1 <= low <= high <= 1:
        raise ValueError(
            'must be the least and the largest loss as shares of the master, as ["0", "0.12"]'
        )
    return band


class Source(Definition):
    """What is shared: what shared meters count, what a master's subs do not, or what papers say.

    `points` are the shared metering points, or the master's where `subs` name the points behind it;
    then the loss is shared, and held for approval where it is outside `loss_band`. The supply is
    what `register` counts, or `registers` together where a meter counts each band by itself; it
    costs what `tariff` says of them. Without points the supply is a cost that is entered with its
    document for each period and approved by a second person.
    """

    points: Names = ()
    register_name: Annotated[Name | None, Field(alias="register")] = None
    registers: Annotated[Names, NotEmpty] | None = None
    tariff: Name | None = None
    subs: Annotated[Names, NotEmpty] | None = None
    loss_band: Annotated[Band, AfterValidator(_in_order)] | None = None
    cost: Literal["document"] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Source:
        metered = (bool(self.points), bool(self.counted), self.tariff is not None)
        if self.cost is not None:
            if any(metered) or self.subs or self.loss_band:
                raise ValueError("is a cost by document; name no points, register, tariff or subs")
        elif not all(metered):
            raise ValueError(
                'needs points, register and tariff, or cost = "document" where no meter counts it'
            )
        if self.register_name is not None and self.registers is not None:
            raise ValueError(
                "names both a register and registers; name the one that counts the supply, or "
                "those that count its bands, as the tariff does"
            )
        if (self.subs is None) != (self.loss_band is None):
            raise ValueError("shares a loss where it names both subs and loss_band; name both")
        if set(self.points) & set(self.subs or ()):
            raise ValueError("names a point as the master and as its own sub; correct one")
        return self

    @property
    def counted(self) -> tuple[str, ...]:
        """The registers whose sum is the supply, in order; none of a cost by document."""
        if self.register_name is not None:
            return (self.register_name,)
        return tuple(sorted(self.registers or ()))

    @property
    def measured(self) -> tuple[str, ...]:
        """Every point that must be read for the source."""
        return (*self.points, *(self.subs or ()))


class ExampleUnit(Definition):
    """A participant of a worked example: a unit, or a unit's days under one holder.

    `area` in m²; `attributes`: other numbers by name; `use` in the unit of its register. A unit
    that changes in the period is listed again for its later `days`.
    """

    unit: Text
    building: Text | None = None
    entrance: Text | None = None
    floor: StrictInt | None = None
    customer_class: Text | None = None
    account: Text | None = None
    days: Annotated[StrictInt, Field(ge=1)] | None = None
    area: Quantity | None = None
    attributes: dict[Name, Quantity] | None = None
    use: Quantity | None = None
    vacant: StrictBool = False


class ExamplePart(Definition):
    """What one band or step of a supply counted, in the unit of its charge, and cost."""

    charge: Name = "energy"
    band: Name | None = None
    step: Annotated[StrictInt, Field(ge=1)] | None = None
    quantity: Quantity
    amount: Money


class Example(Definition):
    """A worked example: a supply, who takes part, and what each must bear if it is charged.

    `expect`: the amount of every unit that shares (`101/A-1` where a unit has several holders);
    `quantities`: the same in units, where stated; `company`: the amount of the company's own share.
    `parts`: what the amount is made of, where that is told.
    """

    period: Month
    quantity: Quantity
    amount: Money
    parts: Annotated[tuple[ExamplePart, ...], NotEmpty] | None = None
    participants: Annotated[tuple[ExampleUnit, ...], NotEmpty]
    expect: dict[str, Money]
    quantities: dict[str, Quantity] | None = None
    company: Money | None = None

    @model_validator(mode="after")
    def _parts_are_all_of_it(self) -> Example:
        if self.parts is None:
            return self
        summed = sum(part.amount for part in self.parts)
        if summed != self.amount:
            raise ValueError(f"has parts of {summed} in all, and costs {self.amount}; correct one")
        return self


class Pool(Definition):
    """A pool as its file says it. It is shared by `billing.pools.apportionment.apportion`.

    The basis is told what it needs beside it, as in `basis.Key`; of a "hybrid", `first` is
    the key of one part and `rest` that of the other. From `valid_from` on this version is in force,
    from the beginning where it says none.
    """

    kind: Literal["pool"]
    id: Name
    version: Version
    title: Title
    valid_from: Day | None = None
    source: Source
    scope: Scope = Scope()
    basis: Basis
    use: UseKey | None = None
    coefficient: Coefficient | None = None
    weights: dict[Text, Weight] | None = None
    attribute: Name | None = None
    first: PartKey | None = None
    rest: RestKey | None = None
    company_share: Annotated[Exact, NotNegative, AfterValidator(_at_most_whole)] = Field(
        default="0", validate_default=True
    )
    vacant: Vacancy = Vacancy.BLOCK
    owner_change: OwnerChange | None = None
    missing: MissingKey | None = None
    all_zero: AllZero | None = None
    charging: Charging | None = None
    examples: Annotated[tuple[Example, ...], Field(alias="example"), NotEmpty]

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """What it is shared by: one key, or the two of a hybrid."""
        if self.first is not None and self.rest is not None:
            return self.first, self.rest
        return (
            Key.model_construct(
                basis=self.basis,
                use=self.use,
                coefficient=self.coefficient,
                weights=self.weights,
                attribute=self.attribute,
            ),
        )

    @cached_property
    def parts(self) -> tuple[Fraction, ...]:
        """How much of what owners bear goes by each key; they sum to 1."""
        if self.first is None:
            return (Fraction(1),)
        return Fraction(self.first.share), 1 - Fraction(self.first.share)

    @property
    def uses(self) -> tuple[UseKey, ...]:
        """The registers of units whose use is a key."""
        return tuple(key.use for key in self.keys if key.use is not None)

    @property
    def charged(self) -> bool:
        """Whether owners may be charged; else the company bears all of it."""
        return self.charging is not None and self.charging.allowed

    @property
    def borne_by_company(self) -> Decimal:
        """The share that the company bears: by agreement, or all of it."""
        return self.company_share if self.charged else WHOLE

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical text, as hex."""
        return canonical.digest(self)


def load_pool(path: Path) -> Pool:
    """Return the pool at `path`; raise `DefinitionError` with every problem found."""
    return parse_pool(read_document(path), str(path))


def parse_pool(document: dict[str, Any], source: str) -> Pool:
    """Return `document`, read from `source`, as a pool that its examples prove.

    Raises `DefinitionError` for an unknown or missing key, a contradiction, or an example that
    gives other shares than it expects.
    """
    pool = validate(Pool, document, source)
    problems = list(_contradictions(pool, source)) or list(failing_examples(pool, source))
    if problems:
        raise DefinitionError(problems)
    return pool


def _contradictions(pool: Pool, source: str) -> Iterator[Problem]:
    hybrid = pool.basis is Basis.HYBRID
    for name, key in (("first", pool.first), ("rest", pool.rest)):
        if hybrid and key is None:
            yield Problem(source, name, "is missing: a hybrid goes by a first key and a rest")
        elif key is not None and not hybrid:
            yield Problem(
                source, name, f"has no meaning where the basis is {pool.basis}; remove it"
            )
        elif key is not None:
            yield from (Problem(source, f"{name}.{at}", what) for at, what in key.contradictions())
    whole = Key.model_construct(**{name: getattr(pool, name) for name in Key.model_fields})
    yield from (Problem(source, where, what) for where, what in whole.contradictions())
    for basis in sorted(set(pool.missing.keys if pool.missing else ()) - {*_bases(pool)}):
        yield Problem(source, f"missing.keys.{basis}", "is no basis of this pool; remove it")


def _bases(pool: Pool) -> set[str]:
    return {key.basis.value for key in pool.keys}
