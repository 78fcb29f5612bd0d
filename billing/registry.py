"""What a bill run sees of a community: everything it needs, read once, as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from billing.pools.papers import Cost, LossApproval
    from billing.pools.pool import Pool
    from billing.tariff import Tariff
    from billing.vee.reviews import Review
    from billing.vee.settings import Validation
    from meters.installation import Installation
    from meters.interval import Interval, Period
    from meters.register_at import RegisterAt


class Account(NamedTuple):
    """Who holds a unit for some days."""

    id: int
    code: str
    holder: str


class Span(NamedTuple):
    """A part of a period, cut at local midnights, in which nothing about a unit changes.

    `days`: how many local days; `tariffs`: those that the unit is billed by, in order; `attributes`
    by name, 10⁻⁴ of their unit (`area` in m², `persons`, …), absent where unknown.
    """

    interval: Interval
    days: int
    account: Account | None
    customer_class: str
    tariffs: tuple[str, ...]
    attributes: Mapping[str, int]
    vacant: bool


class Unit(NamedTuple):
    """A unit in the period. Its spans tile the period; in an ordinary month there is one."""

    id: int
    code: str
    building: str
    entrance: str | None
    floor: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a person read off a meter between its installation and its removal, by register name.

    `photo` refers to a picture of it.
    """

    meter: str
    at: datetime
    registers: Mapping[str, Decimal]
    photo: str | None = None


class Point(NamedTuple):
    """A metering point with the meters that stood there. `unit` is a unit's code.

    What a person `recorded` counts in place of readings, where the use is divided at that instant.
    """

    id: int
    code: str
    medium: str
    role: str
    unit: str | None
    building: str | None
    installations: tuple[Installation, ...]
    recorded: tuple[Recorded, ...] = ()


@dataclass(frozen=True, slots=True)
class TariffVersion:
    """A stored tariff; lines refer to it by `id`."""

    id: int
    tariff: Tariff


@dataclass(frozen=True, slots=True)
class PoolVersion:
    """A stored pool as it stands in a period; statements refer to it by `id`.

    `costs` are the documents entered for the period; `losses_approved` those outside their band
    that may pass; `carried` what rounding has owed each unit, and the company (None): 10⁻⁶ fen.
    """

    id: int
    pool: Pool
    costs: tuple[Cost, ...] = ()
    losses_approved: tuple[LossApproval, ...] = ()
    carried: Mapping[str | None, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Issued:
    """What issued bills say of a point's register before the period.

    `closing` opens the period; `by_month` is what was billed in each earlier month of the calendar
    year, 10⁻⁴ units, by the month's key.
    """

    closing: RegisterAt | None
    by_month: Mapping[str, int]
    last_year: Mapping[str, int] = field(default_factory=dict)
    """The same of those of the twelve months before that lie in the last calendar year."""


@dataclass(frozen=True, slots=True)
class Registry:
    """A community in one period, as a run reads it. Units and points are sorted by code."""

    id: int
    code: str
    period: Period
    currency: str
    due_days: int
    units: tuple[Unit, ...]
    points: tuple[Point, ...]
    tariffs: Mapping[str, tuple[TariffVersion, ...]]
    """The versions of each tariff that are in force in the period, by `valid_from`."""
    pools: tuple[PoolVersion, ...]
    issued: Mapping[tuple[int, str], Issued]
    """By point id and register name; nothing for what was never billed."""
    validation: Validation
    reviews: tuple[Review, ...] = ()
    """What clerks have decided about usage in the period, the oldest first."""
    peaks: Mapping[tuple[int, str, int], Mapping[str, int]] = field(default_factory=dict)
    """The highest demand of issued months, 10⁻⁴ kW, by point id, register and minutes."""
