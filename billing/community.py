"""A community as a definition: buildings, units, metering points, meters and accounts in one file.

The file is checked as a whole before anything is stored: every reference must lead somewhere, a
unit has one point of a medium and one holder at a time, and neither the installations at a point
nor the places of a meter overlap.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictInt,
    StringConstraints,
    model_validator,
)

from billing.contradictions import contradictions
from billing.fields import Day, Money, Name, NotNegative, Quantity, Title
from billing.vee.settings import Validation
from meters.definition import (
    Definition,
    DefinitionError,
    Exact,
    Problem,
    read_document,
    validate,
)
from meters.interval import utc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Code = Annotated[str, StringConstraints(pattern=r"^[\w.\-/]+$", min_length=1, max_length=64)]
NumberPrefix = Annotated[Code, StringConstraints(pattern=r"^[^/]+$")]
"""Without a slash: bills are numbered by it, and a bill's number is part of its address."""
Positive = Annotated[Exact, Field(gt=0)]
DEFAULT_CLASS = "residential"
"""The customer class of a unit that does not say another."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones
        raise ValueError(f"{name!r} is no time zone; write one as Asia/Shanghai") from error
    return name


def _moment(value: object) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise ValueError(f"must be a time such as 2026-01-01T00:00:00+08:00, got {value!r}")
    return utc(value)


Moment = Annotated[datetime, BeforeValidator(_moment)]


class Building(Definition):
    """A building of the community."""

    code: Code
    title: Title


Attribute = Annotated[Quantity, NotNegative]
ATTRIBUTES = ("area", "persons", "dwellings", "car_spaces", "subscribed_kva")
"""The attributes of a unit that have a key of their own; all others stand in `attributes`."""


class Stated(Definition):
    """What a unit is billed by: `area` in m², persons, …, and any attribute of another name.

    What is not stated is not known, or stays as it was; what needs it will say so. `tariffs`: in
    place of those of the customer class; "class" goes back to them.
    """

    area: Attribute | None = None
    persons: Attribute | None = None
    dwellings: Attribute | None = None
    car_spaces: Attribute | None = None
    subscribed_kva: Attribute | None = None
    attributes: dict[Name, Attribute] = Field(default_factory=dict)
    customer_class: Name | None = None
    tariffs: tuple[Name, ...] | Literal["class"] | None = None

    @model_validator(mode="after")
    def _states_each_attribute_once(self) -> Self:
        for name in ATTRIBUTES:
            if name in self.attributes:
                raise ValueError(f"{name} has a key of its own; write it beside attributes")
        if isinstance(self.tariffs, tuple):
            _unique("tariff", self.tariffs)
        return self

    @property
    def all_attributes(self) -> dict[str, Decimal]:
        """Every attribute that is stated, by name."""
        named = {name: getattr(self, name) for name in ATTRIBUTES}
        return {name: value for name, value in named.items() if value is not None} | self.attributes


class UnitSince(Stated):
    """What changes of a unit on `day`, and holds from then on."""

    day: Day

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.all_attributes and self.customer_class is None and self.tariffs is None:
            raise ValueError(f"nothing changes on {self.day}; say what, or leave it out")
        return self


class Unit(Stated):
    """A flat or shop, as it is from its beginning, and what changes later (`since`)."""

    code: Code
    building: Code
    entrance: Code | None = None
    floor: StrictInt
    since: tuple[UnitSince, ...] = ()
    vacant_from: Day | None = None
    vacant_until: Day | None = None
    """The first day that it is lived in again."""

    @model_validator(mode="after")
    def _is_vacant_from_until(self) -> Self:
        if self.vacant_until is None:
            return self
        if self.vacant_from is None:
            raise ValueError("vacant_until has no meaning without vacant_from; say since when")
        if self.vacant_until <= self.vacant_from:
            raise ValueError(f"vacant_until {self.vacant_until} is not after vacant_from")
        return self

    @model_validator(mode="after")
    def _changes_in_order(self) -> Self:
        for earlier, later in pairwise(self.since):
            if earlier.day >= later.day:
                raise ValueError(f"the change on {later.day} must come after that on {earlier.day}")
        return self

    @property
    def classes(self) -> list[str]:
        """Its customer class at first, and those that it changes to."""
        changed = [each.customer_class for each in self.since if each.customer_class is not None]
        return [self.customer_class or DEFAULT_CLASS, *changed]


Photo = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""What a picture is kept under: a file's name, a document's number, an address."""


class RatioFrom(Definition):
    """The ratio of the transformers in front of a meter from `since` on.

    `shown` are the registers that a person recorded then; without them, readings beside it count.
    """

    since: Moment
    multiplier: Positive
    shown: dict[Name, Exact] = Field(default_factory=dict)
    photo: Photo | None = None


class MeterAt(Definition):
    """A meter at a point from–to, with the registers that a person recorded at both ends."""

    meter: Code
    type: str
    start: Moment
    end: Moment | None = None
    multiplier: Positive = Decimal(1)
    ratio: tuple[RatioFrom, ...] = ()
    """Later ratios than `multiplier`, each from its moment on."""
    first: dict[Name, Exact]
    first_photo: Photo | None = None
    last: dict[Name, Exact] = Field(default_factory=dict)
    last_photo: Photo | None = None
    verified_until: Day | None = None
    """The last day on which the meter's verification (检定) holds."""

    @model_validator(mode="after")
    def _changes_its_ratio_while_it_stands(self) -> Self:
        moments = [self.start, *(each.since for each in self.ratio)]
        moments += [] if self.end is None else [self.end]
        for earlier, later in pairwise(moments):
            if self.ratio and earlier >= later:
                raise ValueError(
                    f"the ratios of meter {self.meter} must change one after another between its "
                    f"start and its end, got {earlier} and then {later}"
                )
        if self.last and self.end is None:
            raise ValueError(f"meter {self.meter} has a last register; say with end when it went")
        return self


class Point(Definition):
    """A place where use is counted: a unit's, shared, or the master of a building."""

    code: Code
    medium: Literal["electricity", "water"]
    role: Literal["unit", "shared", "master"]
    unit: Code | None = None
    building: Code | None = None
    installation: tuple[MeterAt, ...] = ()

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        if (self.role == "unit") != (self.unit is not None):
            raise ValueError('a point of role "unit" names its unit, and no other point does')
        for each in self.installation:
            if each.end is not None and each.end <= each.start:
                raise ValueError(f"meter {each.meter} is removed at {each.end}, before it came")
        return self


def _unless_zero(amount: Decimal | None) -> Decimal | None:
    return amount or None


class Account(Definition):
    """The holder of a unit from `first_day` until the day before `after_day`."""

    code: Code
    unit: Code
    holder: Annotated[str, Field(min_length=1)]
    first_day: Day
    after_day: Day | None = None
    opening_balance: Annotated[Money | None, AfterValidator(_unless_zero)] = None
    """What it owed before its first bill; below zero, what it had paid too much."""

    @model_validator(mode="after")
    def _holds_for_a_day(self) -> Self:
        if self.after_day is not None and self.after_day <= self.first_day:
            raise ValueError(f"after_day {self.after_day} is not after first_day")
        return self


class Community(Definition):
    """A community (小区) with all that is billed in it."""

    kind: Literal["community"]
    code: NumberPrefix
    project: Name = "default"
    """The code of the property company that it is of."""
    title: Title
    zone: Annotated[str, AfterValidator(_zone)]
    currency: Literal["CNY"] = "CNY"
    due_days: StrictInt = Field(default=15, ge=0, le=90)
    corrections: Literal["correction bill", "next bill"] = "correction bill"
    """Where it is billed that an issued month comes to something else: by itself, or later."""
    tariffs: dict[Name, tuple[Name, ...]]
    """Customer class → the tariffs that its units are billed by, in the order of the bill."""
    building: tuple[Building, ...] = Field(min_length=1)
    unit: tuple[Unit, ...] = Field(min_length=1)
    point: tuple[Point, ...] = ()
    account: tuple[Account, ...] = ()
    validation: Validation = Field(default_factory=Validation)
    """What usage is held against before it is billed."""


def load_community(path: Path) -> Community:
    """Return the community in the file `path`; raise `DefinitionError` with what is wrong."""
    return parse_community(read_document(path), str(path))


def parse_community(document: dict[str, Any], source: str) -> Community:
    """Return the community in `document`; raise `DefinitionError` with every problem found."""
    community = validate(Community, document, source)
    if problems := [Problem(source, where, what) for where, what in contradictions(community)]:
        raise DefinitionError(problems)
    return community


def _unique(what: str, codes: Sequence[str]) -> set[str]:
    for code, count in Counter(codes).items():
        if count > 1:
            raise ValueError(f"{what} {code!r} is listed {count} times")
    return set(codes)
