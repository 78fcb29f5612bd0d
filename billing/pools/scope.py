"""Among whom a pool is shared: community → building → entrance → floor → unit, less exclusions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, StrictBool, StrictInt, model_validator

from billing.fields import NotEmpty
from billing.pools.obstacle import Obstacle, ObstacleKind
from meters.definition import Definition
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from billing.pools.participant import Participant

GROUND_FLOOR = 1
"""Floors are counted as they are lived on: the one at street level is 1, cellars are below 0."""

Text = Annotated[str, NotEmpty]


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("names something twice; name it once")
    return names


Names = Annotated[tuple[Text, ...], AfterValidator(_each_once)]


class ExclusionReason(StrEnum):
    """By which rule of the pool a unit in its scope takes no part."""

    UNIT = "unit"
    GROUND_FLOOR = "ground-floor"
    FLOOR = "floor"
    ENTRANCE = "entrance"
    CUSTOMER_CLASS = "customer-class"


class Exclusion(Definition):
    """Units of the scope that take no part.

    `ground_floor`: those at street level, which need no lift. An entrance is named as its building
    names it, so exclude it where the scope is one building.
    """

    units: Names = ()
    floors: tuple[StrictInt, ...] = ()
    ground_floor: StrictBool | None = None
    entrances: Names | None = None
    customer_classes: Names | None = None

    @property
    def by_floor(self) -> bool:
        return bool(self.floors or self.ground_floor)

    @property
    def nobody(self) -> bool:
        """Whether no rule excludes anybody."""
        return not (self.units or self.by_floor or self.entrances or self.customer_classes)


class Scope(Definition):
    """Among whom: all units of the community, or those of a branch of its tree.

    `floors` and `units` narrow the branch further, each to those named.
    """

    building: Text | None = None
    entrance: Text | None = None
    floors: tuple[StrictInt, ...] | None = None
    units: Names | None = None
    exclude: Exclusion = Exclusion()

    @model_validator(mode="after")
    def _entrances_belong_to_a_building(self) -> Scope:
        if self.building is None and (self.entrance or self.exclude.entrances):
            raise ValueError("names an entrance but no building; name the building too")
        return self

    @property
    def everybody(self) -> bool:
        """Whether all units of the community are in it."""
        named = (self.building, self.entrance, self.floors, self.units)
        return all(each is None for each in named)

    def __contains__(self, unit: Participant) -> bool:
        return (
            self.building in (None, unit.building)
            and self.entrance in (None, unit.entrance)
            and (self.floors is None or unit.floor in self.floors)
            and (self.units is None or unit.unit in self.units)
        )

    def __str__(self) -> str:
        named = {
            "building": self.building,
            "entrance": self.entrance,
            "floors": self.floors and ", ".join(map(str, self.floors)),
            "units": self.units and ", ".join(self.units),
        }
        return ", ".join(f"{what} {name}" for what, name in named.items() if name) or (
            "the community"
        )


@dataclass(frozen=True, slots=True, order=True)
class Excluded:
    """A unit in scope that takes no part, and by which rule."""

    unit: str
    reason: ExclusionReason


def exclusion(scope: Scope, unit: Participant) -> ExclusionReason | None:
    """Return by which rule `unit`, which is in `scope`, takes no part; None if it does."""
    rules = scope.exclude
    if unit.unit in rules.units:
        return ExclusionReason.UNIT
    if rules.ground_floor and unit.floor == GROUND_FLOOR:
        return ExclusionReason.GROUND_FLOOR
    if unit.floor in rules.floors:
        return ExclusionReason.FLOOR
    if rules.entrances and unit.entrance in rules.entrances:
        return ExclusionReason.ENTRANCE
    if rules.customer_classes and unit.customer_class in rules.customer_classes:
        return ExclusionReason.CUSTOMER_CLASS
    return None


def excluded(scope: Scope, units: Iterable[Participant]) -> tuple[Excluded, ...]:
    """Return those in `scope` whom a rule excludes, by unit, each once."""
    ordered = sorted(units, key=attrgetter("unit", "first_day"))
    reasons = ((unit, exclusion(scope, unit)) for unit in ordered if unit in scope)
    found = {Excluded(unit.unit, reason): None for unit, reason in reasons if reason is not None}
    return tuple(found)


def scope_obstacles(
    scope: Scope, participants: Sequence[Participant], inside: Sequence[Participant]
) -> Iterator[Obstacle]:
    """Yield what keeps `scope` from being told apart among `participants`, sorted by unit.

    `inside` are those of them that are in scope.
    """
    yield from _listed_twice(participants)
    known = {each.unit for each in inside} if scope.exclude.units else set()
    for name in sorted(set(scope.exclude.units) - known):
        yield Obstacle(
            ObstacleKind.UNKNOWN_UNIT,
            name,
            told("is excluded but not in the pool's scope; correct it"),
        )
    there = {each.unit for each in participants} if scope.units else set()
    for name in sorted(set(scope.units or ()) - there):
        yield Obstacle(
            ObstacleKind.UNKNOWN_UNIT, name, told("is named by the pool but not there; correct it")
        )
    yield from _untold(scope, participants)


def _listed_twice(participants: Sequence[Participant]) -> Iterator[Obstacle]:
    until: dict[str, int] = {}
    twice = set()
    for each in participants:
        if each.first_day < until.get(each.unit, 0):
            twice.add(each.unit)
        until[each.unit] = each.first_day + each.days
    for name in sorted(twice):
        yield Obstacle(
            ObstacleKind.DUPLICATE_UNIT,
            name,
            told("is listed twice for the same days; list it once"),
        )


def _untold(scope: Scope, participants: Sequence[Participant]) -> Iterator[Obstacle]:
    """Yield each unit whose entrance or floor is not known although the pool tells by it."""
    by_floor = scope.exclude.by_floor or scope.floors is not None
    by_entrance = scope.entrance is not None or bool(scope.exclude.entrances)
    if not (by_floor or by_entrance):
        return
    said = set()
    for each in participants:
        named = each.unit in scope.exclude.units
        if named or each.unit in said or scope.building not in (None, each.building):
            continue
        said.add(each.unit)
        if by_entrance and each.entrance is None:
            yield Obstacle(
                ObstacleKind.UNKNOWN_ENTRANCE,
                each.unit,
                told("has no entrance, and the pool goes by entrance; enter it"),
            )
        elif by_floor and each.floor is None and scope.entrance in (None, each.entrance):
            yield Obstacle(
                ObstacleKind.UNKNOWN_FLOOR,
                each.unit,
                told("has no floor, and the pool goes by floor; enter it"),
            )
