"""What a pool is shared by: the key of a unit, exact, or why it has none."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from billing.fields import MEDIUM_UNITS, Medium, Name, NotEmpty, NotNegative, Quantity
from meters.definition import Definition, Exact
from meters.quantity import PER_UNIT, to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from billing.pools.participant import Participant

Weight = Annotated[Quantity, NotNegative]
Text = Annotated[str, NotEmpty]


class Basis(StrEnum):
    """What a pool is shared by."""

    AREA = "area"
    HOUSEHOLD = "household"
    PERSONS = "persons"
    USE = "use"
    COEFFICIENT = "coefficient"
    WEIGHTS = "weights"
    ATTRIBUTE = "attribute"
    HYBRID = "hybrid"


KEY_UNITS = {
    Basis.AREA: "m2",
    Basis.HOUSEHOLD: "household",
    Basis.PERSONS: "person",
    Basis.WEIGHTS: "weight",
}
"""The units of keys that do not depend on more than the basis."""


class InexactKeyError(ValueError):
    """A key is finer than 10⁻⁴ of its unit."""


class UseKey(Definition):
    """Whose use is the key: a register of the units' own meters of a medium."""

    medium: Medium
    register_name: Annotated[Name, Field(alias="register")]

    @property
    def name(self) -> str:
        """What the use is called among a participant's: `water/volume`."""
        return f"{self.medium}/{self.register_name}"


class Coefficient(Definition):
    """A factor for each floor, such as 1.2 for those that ride the lift longest.

    `units` names those that have another one than their floor. It multiplies `of`: the household,
    area or persons of the unit.
    """

    of: Literal[Basis.HOUSEHOLD, Basis.AREA, Basis.PERSONS] = Basis.HOUSEHOLD
    floors: dict[str, Weight] = Field(default_factory=dict)
    units: dict[Text, Weight] = Field(default_factory=dict)

    def factor(self, unit: Participant) -> Decimal | None:
        """Return the factor of `unit`, None where neither it nor its floor has one."""
        return self.units.get(unit.unit, self.floors.get(str(unit.floor)))


class Key(Definition):
    """One basis with what it needs to be told.

    `use` belongs to the basis "use", `coefficient` to "coefficient", `weights` (by unit, from the
    contract) to "weights", `attribute` (the name of a number that units have) to "attribute".
    """

    basis: Basis
    use: UseKey | None = None
    coefficient: Coefficient | None = None
    weights: dict[Text, Weight] | None = None
    attribute: Name | None = None

    @property
    def unit(self) -> str:
        """The unit that keys are stated in: `m2`, `household`, that of the use, …"""
        if self.basis is Basis.USE and self.use is not None:
            return MEDIUM_UNITS[self.use.medium]
        if self.basis is Basis.ATTRIBUTE:
            return str(self.attribute)
        if self.basis is Basis.COEFFICIENT and self.coefficient is not None:
            return KEY_UNITS[self.coefficient.of]
        return KEY_UNITS[self.basis]

    @property
    def by_day(self) -> bool:
        """Whether the key counts for each day; a use has happened, however many days it took."""
        return self.basis is not Basis.USE

    @property
    def reads(self) -> str | None:
        """The attribute of a unit that the key reads, None if it reads none."""
        basis = self.coefficient.of if self.coefficient is not None else self.basis
        match basis:
            case Basis.AREA | Basis.PERSONS:
                return basis.value
            case Basis.ATTRIBUTE:
                return self.attribute
            case _:
                return None

    def of(self, unit: Participant) -> int | None:
        """Return the key of `unit` in 10⁻⁴ of its unit, None where it is not known.

        Raises `InexactKeyError` where a factor makes it finer than that.
        """
        return self.column([unit])[0]

    def column(self, units: Sequence[Participant]) -> list[int | None]:
        """Return the key of each of `units`, as `of` does."""
        match self.basis:
            case Basis.USE if self.use is not None:
                name = self.use.name
                return [unit.use.get(name) for unit in units]
            case Basis.WEIGHTS:
                weights = self.weights or {}
                found = (weights.get(unit.unit) for unit in units)
                return [None if weight is None else to_scaled(weight) for weight in found]
            case Basis.COEFFICIENT:
                plain = zip(self._plain(units), units, strict=True)
                return [self._multiplied(value, unit) for value, unit in plain]
            case _:
                return self._plain(units)

    def _plain(self, units: Sequence[Participant]) -> list[int | None]:
        name = self.reads
        if name is None:
            return [PER_UNIT] * len(units)
        return [unit.attributes.get(name) for unit in units]

    def _multiplied(self, plain: int | None, unit: Participant) -> int | None:
        factor = None if self.coefficient is None else self.coefficient.factor(unit)
        if plain is None or factor is None:
            return None
        key, rest = divmod(plain * to_scaled(factor), PER_UNIT)
        if rest:
            raise InexactKeyError(
                f"has a key finer than 10⁻⁴: {Decimal(plain) / PER_UNIT} × {factor}; round the "
                "coefficient"
            )
        return key

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Yield (key of the file, what is wrong) for what the basis lacks or has no use for."""
        for name, advice in _TOLD.items():
            given, wanted = getattr(self, name) is not None, self.basis.value == name
            if wanted and not given:
                yield name, f"is missing: {advice}"
            elif given and not wanted:
                yield name, f"has no meaning where the basis is {self.basis}; remove it"
        if self.coefficient is not None and not (self.coefficient.floors or self.coefficient.units):
            yield "coefficient", "names neither floors nor units; give each its factor"


_TOLD = {
    "use": 'say whose use is the key, as { medium = "water", register = "volume" }',
    "coefficient": 'give each floor its factor, as { floors = { 2 = "1", 3 = "1.2" } }',
    "weights": 'give each unit its weight, as { 1-101 = "1.5", … }',
    "attribute": 'name the number of a unit that is the key, as "car_spaces"',
}
"""Key of the file, which is also the basis that wants it → what to write."""


def _less_than_whole(share: Decimal) -> Decimal:
    if not 0 < share < 1:
        raise ValueError(f'must lie between 0 and 1, as "0.50" for 50 %, got {share}')
    return share


def _simple(basis: Basis) -> Basis:
    if basis is Basis.HYBRID:
        raise ValueError("a part of a hybrid cannot be a hybrid itself")
    return basis


SimpleBasis = Annotated[Basis, AfterValidator(_simple)]


class PartKey(Key):
    """The first part of a hybrid: `share` of the supply goes by this key, the rest by the other."""

    basis: SimpleBasis
    share: Annotated[Exact, AfterValidator(_less_than_whole)]


class RestKey(Key):
    """The key that the rest of a hybrid goes by."""

    basis: SimpleBasis
