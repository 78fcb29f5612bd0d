"""Apportionment (公摊): a shared supply in shares that sum to it exactly, in units and in money.

Both totals are split over the same keys by the largest remainder, so nobody's share moves to a
neighbour and no rate is rounded on the way. What the property company bears is a share of its own.
Where a key is missing or wrong nothing is shared at all: the pool is blocked, with every obstacle.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from billing.money import MONEY_SCALE, largest_remainder
from meters.quantity import PER_UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from billing.pool import Pool, Scope

FEN_PER_CURRENCY = 10**MONEY_SCALE
HOUSEHOLD_KEY: int = PER_UNIT
"""One household, at the scale of every key."""


class Basis(StrEnum):
    """What a pool is shared by."""

    AREA = "area"
    HOUSEHOLD = "household"
    USE = "use"


class Vacancy(StrEnum):
    """Who bears the share of a vacant unit; "block": nobody decided, so the pool waits."""

    BLOCK = "block"
    OWNER_PAYS = "owner pays"
    COMPANY_PAYS = "company pays"


class Payer(StrEnum):
    """Who owes a share."""

    OWNER = "owner"
    COMPANY = "company"


class ObstacleKind(StrEnum):
    """Why a pool cannot be shared."""

    EMPTY_SCOPE = "empty-scope"
    DUPLICATE_UNIT = "duplicate-unit"
    UNKNOWN_UNIT = "unknown-unit"
    UNKNOWN_FLOOR = "unknown-floor"
    VACANT = "vacant"
    MISSING_KEY = "missing-key"
    ZERO_KEY = "zero-key"
    NEGATIVE_KEY = "negative-key"
    ZERO_KEY_SUM = "zero-key-sum"


class ExclusionReason(StrEnum):
    """By which rule of the pool a unit in its scope takes no part."""

    FLOOR = "floor"
    UNIT = "unit"


class ConservationError(RuntimeError):
    """Shares do not sum to what was to be shared: a defect, so the statement must not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A unit as a pool sees it in one period.

    `area`: 10⁻⁴ m²; `use`: 10⁻⁴ of the unit of the register that the basis names. None where it is
    not known, which is never taken for zero.
    """

    unit: str
    building: str
    floor: int | None = None
    area: int | None = None
    use: int | None = None
    vacant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What is shared: `quantity` in 10⁻⁴ of `unit`, and what it costs, `amount` in fen."""

    quantity: int
    unit: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one unit, or the company by agreement (`unit` None), bears of a supply.

    `key`: 10⁻⁴ of the statement's key unit, None for the company's agreed share; `quantity`: 10⁻⁴;
    `amount`: fen. `odd_quantity` and `odd_amount` (−1, 0, 1) are what the rounding of the exact
    shares left over and this one took; they are included.
    """

    unit: str | None
    payer: Payer
    vacant: bool
    key: int | None
    quantity: int
    amount: int
    odd_quantity: int
    odd_amount: int


@dataclass(frozen=True, slots=True, order=True)
class Excluded:
    """A unit in scope that takes no part, and by which rule."""

    unit: str
    reason: ExclusionReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A pool's result for one period: everything that its publication needs.

    `shares` are ordered by unit, the company's agreed share last. `key_unit` is `m2`, `household`
    or the unit of the use. Raises `ConservationError` unless the shares sum to the supply (I4).
    """

    pool: str
    version: int
    digest: str
    period: str
    supply: Supply
    basis: Basis
    key_unit: str
    company_share: Decimal
    shares: tuple[Share, ...]
    excluded: tuple[Excluded, ...]

    def __post_init__(self) -> None:
        quantity = sum(share.quantity for share in self.shares)
        amount = sum(share.amount for share in self.shares)
        if (quantity, amount) != (self.supply.quantity, self.supply.amount):
            raise ConservationError(
                f"pool {self.pool} in {self.period}: the shares sum to {quantity} × 10⁻⁴ "
                f"{self.supply.unit} and {amount} fen, the supply is {self.supply.quantity} and "
                f"{self.supply.amount}; nothing of it may be billed"
            )

    @property
    def key_sum(self) -> int:
        return sum(share.key or 0 for share in self.shares)

    @property
    def rate(self) -> Fraction:
        """The exact amount of the currency for one unit of the basis."""
        numerator, denominator = self.company_share.as_integer_ratio()
        return Fraction(
            self.supply.amount * (denominator - numerator) * PER_UNIT,
            FEN_PER_CURRENCY * denominator * self.key_sum,
        )

    def amount_of(self, payer: Payer) -> int:
        """Return what `payer` bears in all, in fen."""
        return sum(share.amount for share in self.shares if share.payer is payer)

    def quantity_of(self, payer: Payer) -> int:
        """Return what `payer` bears in all, in 10⁻⁴ of the supply's unit."""
        return sum(share.quantity for share in self.shares if share.payer is payer)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that keeps a pool from being shared; `what` says what to do about it."""

    kind: ObstacleKind
    unit: str | None
    what: str

    def __str__(self) -> str:
        return self.what if self.unit is None else f"unit {self.unit}: {self.what}"


@dataclass(frozen=True, slots=True)
class Blocked:
    """A pool that shares nothing in this period, and everything that stands in its way."""

    pool: str
    version: int
    period: str
    obstacles: tuple[Obstacle, ...]


def apportion(
    pool: Pool, supply: Supply, participants: Sequence[Participant], *, period: str
) -> Statement | Blocked:
    """Return the shares of `supply` over the units of `pool`'s scope, or what stands in the way.

    `participants` are all units of the community in any order; `period` is the month's key. Units
    outside the scope are left out, units excluded by a rule are listed.
    """
    in_scope = sorted(
        (unit for unit in participants if pool.scope.building in (None, unit.building)),
        key=lambda unit: unit.unit,
    )
    obstacles = list(_scope_obstacles(pool.scope, in_scope))
    excluded = {unit.unit: reason for unit in in_scope if (reason := _exclusion(pool.scope, unit))}
    sharing = [unit for unit in in_scope if unit.unit not in excluded]
    keys = [_key(pool.basis, unit) for unit in sharing]
    obstacles += _key_obstacles(pool, sharing, keys)
    if obstacles:
        return Blocked(pool.id, pool.version, period, tuple(obstacles))
    return Statement(
        pool=pool.id,
        version=pool.version,
        digest=pool.digest,
        period=period,
        supply=supply,
        basis=pool.basis,
        key_unit=pool.key_unit,
        company_share=pool.company_share,
        shares=_shares(pool, supply, sharing, [key or 0 for key in keys], period),
        excluded=tuple(sorted(Excluded(unit, reason) for unit, reason in excluded.items())),
    )


def _exclusion(scope: Scope, unit: Participant) -> ExclusionReason | None:
    if unit.unit in scope.exclude.units:
        return ExclusionReason.UNIT
    if unit.floor in scope.exclude.floors:
        return ExclusionReason.FLOOR
    return None


def _key(basis: Basis, unit: Participant) -> int | None:
    match basis:
        case Basis.AREA:
            return unit.area
        case Basis.HOUSEHOLD:
            return HOUSEHOLD_KEY
        case Basis.USE:
            return unit.use


def _scope_obstacles(scope: Scope, in_scope: Sequence[Participant]) -> Iterator[Obstacle]:
    counts = Counter(unit.unit for unit in in_scope)
    for name in sorted(name for name, count in counts.items() if count > 1):
        yield Obstacle(ObstacleKind.DUPLICATE_UNIT, name, "is listed twice; list it once")
    for name in sorted(set(scope.exclude.units) - set(counts)):
        yield Obstacle(
            ObstacleKind.UNKNOWN_UNIT, name, "is excluded but not in the pool's scope; correct it"
        )
    if not scope.exclude.floors:
        return
    for unit in in_scope:
        if unit.floor is None and unit.unit not in scope.exclude.units:
            yield Obstacle(
                ObstacleKind.UNKNOWN_FLOOR,
                unit.unit,
                "has no floor, and the pool excludes by floor; enter its floor",
            )


def _key_obstacles(
    pool: Pool, sharing: Sequence[Participant], keys: Sequence[int | None]
) -> Iterator[Obstacle]:
    if not sharing:
        where = "the community" if pool.scope.building is None else f"{pool.scope.building!r}"
        yield Obstacle(
            ObstacleKind.EMPTY_SCOPE, None, f"no unit of {where} takes part; correct the scope"
        )
        return
    for unit, key in zip(sharing, keys, strict=True):
        if unit.vacant and pool.vacant is Vacancy.BLOCK:
            yield Obstacle(
                ObstacleKind.VACANT,
                unit.unit,
                'is vacant; say in the pool who pays: vacant = "owner pays" or "company pays"',
            )
        if key is None:
            yield Obstacle(ObstacleKind.MISSING_KEY, unit.unit, f"has no {pool.basis}; enter it")
        elif key < 0:
            yield Obstacle(
                ObstacleKind.NEGATIVE_KEY, unit.unit, f"has a negative {pool.basis}; correct it"
            )
        elif key == 0 and pool.basis is Basis.AREA:
            yield Obstacle(ObstacleKind.ZERO_KEY, unit.unit, "has an area of 0; enter its area")
    if not any(keys) and None not in keys and pool.basis is Basis.USE:
        yield Obstacle(
            ObstacleKind.ZERO_KEY_SUM,
            None,
            "no unit used anything, so there is nothing to share by; check the readings or share "
            "by area or household",
        )


def _shares(
    pool: Pool, supply: Supply, sharing: Sequence[Participant], keys: Sequence[int], period: str
) -> tuple[Share, ...]:
    """Return the shares by unit, and the company's agreed share after them where there is one."""
    company, whole = pool.company_share.as_integer_ratio()
    weights = [key * (whole - company) for key in keys]
    rows: list[tuple[str | None, Payer, bool, int | None]] = [
        (unit.unit, _payer(pool, unit), unit.vacant, key)
        for unit, key in zip(sharing, keys, strict=True)
    ]
    if company:
        weights.append(sum(keys) * company)
        rows.append((None, Payer.COMPANY, False, None))

    def tie_key(position: int) -> bytes:
        return odd_cent_key(pool=pool.id, period=period, unit=rows[position][0])

    quantities = largest_remainder(supply.quantity, weights, tie_key=tie_key)
    amounts = largest_remainder(supply.amount, weights, tie_key=tie_key)
    return tuple(
        Share(
            unit=unit,
            payer=payer,
            vacant=vacant,
            key=key,
            quantity=quantity,
            amount=amount,
            odd_quantity=odd_quantity,
            odd_amount=odd_amount,
        )
        for (unit, payer, vacant, key), quantity, amount, odd_quantity, odd_amount in zip(
            rows, quantities.parts, amounts.parts, quantities.odd, amounts.odd, strict=True
        )
    )


def _payer(pool: Pool, unit: Participant) -> Payer:
    company_pays = unit.vacant and pool.vacant is Vacancy.COMPANY_PAYS
    return Payer.COMPANY if company_pays else Payer.OWNER


def odd_cent_key(*, pool: str, period: str, unit: str | None) -> bytes:
    """Return the order in which units that tie get the odd cents; it changes with the period."""
    return hashlib.sha256(json.dumps([pool, period, unit]).encode()).digest()
