"""What a bill run sees of a community: everything it needs, read once, as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.pool import Pool
    from billing.tariff import Tariff
    from meters.installation import Installation
    from meters.interval import Period
    from meters.register_at import RegisterAt


@dataclass(frozen=True, slots=True)
class Account:
    """Who holds a unit at the end of the period."""

    id: int
    code: str
    holder: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit in the period. `area`: 10⁻⁴ m², None where unknown; `vacant`: all period long."""

    id: int
    code: str
    building: str
    floor: int
    area: int | None
    customer_class: str
    vacant: bool
    account: Account | None


@dataclass(frozen=True, slots=True)
class Point:
    """A metering point with the meters that stood there. `unit` is a unit's code."""

    id: int
    code: str
    medium: str
    role: str
    unit: str | None
    building: str | None
    installations: tuple[Installation, ...]


@dataclass(frozen=True, slots=True)
class TariffVersion:
    """A stored tariff; lines refer to it by `id`."""

    id: int
    tariff: Tariff


@dataclass(frozen=True, slots=True)
class PoolVersion:
    """A stored pool; statements refer to it by `id`."""

    id: int
    pool: Pool


@dataclass(frozen=True, slots=True)
class Issued:
    """What issued bills say of a point's register before the period.

    `closing` opens the period; `year_to_date`, 10⁻⁴ units, is what was billed since New Year.
    """

    closing: RegisterAt | None
    year_to_date: int


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
    tariffs: Mapping[str, TariffVersion]
    """The version of each tariff that is in force on the period's first day, by tariff id."""
    classes: Mapping[str, tuple[str, ...]]
    """Customer class → the tariffs that its units are billed by, in order."""
    pools: tuple[PoolVersion, ...]
    issued: Mapping[tuple[int, str], Issued]
    """By point id and register name; nothing for what was never billed."""
