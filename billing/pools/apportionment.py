"""Apportionment (公摊): a shared supply in shares that sum to it exactly, in units and in money.

Both totals are split over the same keys by the largest remainder, so nobody's share moves to a
neighbour and no rate is rounded on the way; the cents left over go round (`odd_cents`).
What the property company bears is a share of its own. Where a key is missing or wrong nothing is
shared at all: the pool is blocked, with every obstacle, unless it says who bears that.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from billing.evidence import quantity_text
from billing.money import MONEY_SCALE
from billing.pools.basis import Basis
from billing.pools.keys import Keys, keys_of
from billing.pools.obstacle import Blocked
from billing.pools.odd_cents import FairSplit, split, spread
from billing.pools.policy import Payer
from billing.pools.scope import Excluded, exclusion, scope_obstacles
from billing.pools.supply import QUANTITY_PER_FEN
from meters.quantity import PER_UNIT, to_scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from billing.pools.keys import KeyRow
    from billing.pools.participant import Participant
    from billing.pools.pool import Pool
    from billing.pools.supply import Supply

    Turn: TypeAlias = Callable[[str | None], bytes]
    """Whose turn it is for an odd cent where nothing else decides: the smallest comes first."""

FEN_PER_CURRENCY = 10**MONEY_SCALE


class ConservationError(RuntimeError):
    """Shares do not sum to what was to be shared: a defect, so the statement must not exist."""


class Share(NamedTuple):
    """What one unit's holder, or the company by agreement (`unit` None), bears of a supply.

    `key` and, of a hybrid, `rest_key`: 10⁻⁴ of the statement's key units, None for the company's
    agreed share; `quantity`: 10⁻⁴; `amount`: fen. `odd_quantity` and `odd_amount` (−1, 0, 1) are
    what the rounding of the exact shares left over and this one took; they are included. `carried`:
    10⁻⁶ fen, what rounding has owed (above 0) or given the share so far.
    """

    unit: str | None
    account: str | None
    payer: Payer
    vacant: bool
    key: int | None
    rest_key: int | None
    quantity: int
    amount: int
    odd_quantity: int
    odd_amount: int
    carried: int


@dataclass(frozen=True, slots=True)
class KeySum:
    """A key of the statement: `part` of what owners bear goes by it; `total`: 10⁻⁴ of `unit`.

    Where units changed within the period keys count by the day, and `unit` says so: `m2·d`.
    """

    basis: Basis
    unit: str
    part: Fraction
    total: int


def key_documents(keys: Iterable[KeySum]) -> list[dict[str, str]]:
    """Return the keys of a statement as they are kept with it."""
    return [
        {
            "basis": key.basis.value,
            "unit": key.unit,
            "part": str(key.part),
            "total": quantity_text(key.total),
        }
        for key in keys
    ]


def read_keys(documents: Iterable[Mapping[str, str]]) -> tuple[KeySum, ...]:
    """Return the keys that `key_documents` wrote."""
    return tuple(
        KeySum(
            Basis(each["basis"]),
            each["unit"],
            Fraction(each["part"]),
            to_scaled(Decimal(each["total"])),
        )
        for each in documents
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A pool's result for one period: everything that its publication needs.

    `shares` are ordered by unit, the company's own share last; `weights` are what each bears of the
    supply, as integers. `company_share` is what the company bears by agreement, 1 where nothing may
    be charged. `assumed` are the units that count by a key which the pool gives them. Raises
    `ConservationError` unless the shares sum to the supply (I4).
    """

    pool: str
    version: int
    digest: str
    period: str
    supply: Supply
    keys: tuple[KeySum, ...]
    company_share: Decimal
    shares: tuple[Share, ...]
    weights: tuple[int, ...] = field(repr=False)
    excluded: tuple[Excluded, ...]
    assumed: tuple[str, ...]

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
    def rates(self) -> tuple[Fraction, ...]:
        """The exact amount of the currency for one unit of each key; 0 of a key nobody has."""
        owners = 1 - Fraction(self.company_share)
        return tuple(
            Fraction(self.supply.amount * PER_UNIT, FEN_PER_CURRENCY * key.total)
            * owners
            * key.part
            if key.total
            else Fraction(0)
            for key in self.keys
        )

    def exact_amount(self, position: int) -> Fraction:
        """Return what share `position` bears before it was cut to whole fen, in fen."""
        return Fraction(self.supply.amount * self.weights[position], sum(self.weights))

    def amount_of(self, payer: Payer) -> int:
        """Return what `payer` bears in all, in fen."""
        return sum(share.amount for share in self.shares if share.payer is payer)

    def quantity_of(self, payer: Payer) -> int:
        """Return what `payer` bears in all, in 10⁻⁴ of the supply's unit."""
        return sum(share.quantity for share in self.shares if share.payer is payer)

    def step_amounts(self) -> tuple[tuple[int, ...], ...]:
        """Return what each share bears of each part of the supply, in fen.

        They sum to the shares and to the parts; a supply that is known as a whole has none.
        """
        columns = [part.amount for part in self.supply.parts]
        if not columns:
            return ((),) * len(self.shares)
        return spread(self.weights, [share.amount for share in self.shares], columns)

    def step_quantities(self) -> tuple[tuple[int, ...], ...]:
        """Return what each share bears of each part's quantity, 10⁻⁴ of the charge's unit.

        They sum to the parts, and within a charge that counts the whole supply to the shares.
        """
        if self.supply.in_money:
            amounts = self.step_amounts()
            return tuple(tuple(each * QUANTITY_PER_FEN for each in row) for row in amounts)
        turn = partial(odd_cent_key, pool=self.pool, period=self.period)
        names = [share.unit for share in self.shares]
        table = [[0] * len(self.supply.parts) for _ in self.shares]
        for places in self._by_charge():
            columns = [self.supply.parts[place].quantity for place in places]
            rows = _even(sum(columns), self.weights, names, turn).parts
            cells = spread(self.weights, rows, columns)
            for row, borne in zip(table, cells, strict=True):
                for place, quantity in zip(places, borne, strict=True):
                    row[place] = quantity
        return tuple(map(tuple, table))

    def _by_charge(self) -> Iterable[list[int]]:
        """Return the places of the parts of each charge, in all versions of the tariff."""
        places: dict[str, list[int]] = defaultdict(list)
        for place, part in enumerate(self.supply.parts):
            places[part.charge].append(place)
        return places.values()


def apportion(
    pool: Pool,
    supply: Supply,
    participants: Iterable[Participant],
    *,
    period: str,
    carried: Mapping[str | None, int] | None = None,
) -> Statement | Blocked:
    """Return the shares of `supply` over the units of `pool`'s scope, or what stands in the way.

    `participants` are all units of the community in any order; `period` is the month's key. Units
    outside the scope are left out, units excluded by a rule are listed. `carried`: what rounding
    has owed each unit, and the company (None), so far, 10⁻⁶ fen, as issued statements say.
    """
    units = sorted(participants, key=attrgetter("unit", "first_day"))
    scope = pool.scope
    inside = units if scope.everybody else [unit for unit in units if unit in scope]
    obstacles = list(scope_obstacles(scope, units, inside))
    sharing, excluded = _taking_part(pool, inside)
    keys = keys_of(pool, sharing)
    if not isinstance(keys, Keys):
        obstacles += keys
    if obstacles or not isinstance(keys, Keys):
        return Blocked(pool.id, pool.version, period, tuple(obstacles))
    weights = _weights(pool, keys)
    turn = cache(partial(odd_cent_key, pool=pool.id, period=period))  # of units and of money
    return Statement(
        pool=pool.id,
        version=pool.version,
        digest=pool.digest,
        period=period,
        supply=supply,
        keys=_key_sums(pool, keys),
        company_share=pool.borne_by_company,
        shares=tuple(_shares(supply, keys.rows, weights, carried or {}, turn)),
        weights=weights,
        excluded=tuple(excluded),
        assumed=tuple(dict.fromkeys(row.unit for row in keys.rows if row.assumed)),
    )


def _taking_part(
    pool: Pool, inside: list[Participant]
) -> tuple[list[Participant], dict[Excluded, None]]:
    """Return who shares of those in scope, and who is excluded, in order."""
    if pool.scope.exclude.nobody:
        return inside, {}
    sharing: list[Participant] = []
    excluded: dict[Excluded, None] = {}
    for unit in inside:
        reason = exclusion(pool.scope, unit)
        if reason is None:
            sharing.append(unit)
        else:
            excluded[Excluded(unit.unit, reason)] = None
    return sharing, excluded


def _key_sums(pool: Pool, keys: Keys) -> tuple[KeySum, ...]:
    rows = zip(pool.keys, pool.parts, keys.units, keys.totals, strict=True)
    return tuple(KeySum(key.basis, unit, part, total) for key, part, unit, total in rows)


def _weights(pool: Pool, keys: Keys) -> tuple[int, ...]:
    """Return what every row bears as integers, and the company's own after them, if it bears any.

    A row bears Σ part × key ÷ sum of keys of what owners bear. What goes by a key that is zero for
    everybody is the company's.
    """
    owners = 1 - Fraction(pool.borne_by_company)
    each = [
        owners * part / total if total else Fraction(0)
        for part, total in zip(pool.parts, keys.totals, strict=True)
    ]
    whole = math.lcm(*(factor.denominator for factor in each))
    factors = [factor.numerator * (whole // factor.denominator) for factor in each]
    columns = [
        [row.keys[place] * factor for row in keys.rows] for place, factor in enumerate(factors)
    ]
    weights = list(map(sum, zip(*columns, strict=True))) if len(columns) > 1 else columns[0]
    company = whole - sum(weights)
    return (*weights, company) if company else tuple(weights)


def _shares(
    supply: Supply,
    rows: Sequence[KeyRow],
    weights: Sequence[int],
    carried: Mapping[str | None, int],
    turn: Turn,
) -> Iterator[Share]:
    """Return the shares by unit, and the company's own after them where there is one.

    What a unit carries goes on with the last of its holders.
    """
    names: list[str | None] = [row.unit for row in rows]
    if len(weights) > len(rows):
        names.append(None)
    debts = [0] * len(names)
    last = {name: place for place, name in enumerate(names)} if carried else {}
    for name, place in last.items():
        debts[place] = carried.get(name, 0)
    amounts = split(supply.amount, weights, carried=debts, tie_key=lambda place: turn(names[place]))
    quantities = _in_units(supply, weights, names, amounts, turn)
    company = [None] * (len(names) - len(rows))
    second = len(rows[0].keys) > 1 if rows else False
    return map(
        Share,
        names,
        [*(row.account for row in rows), *company],
        [*(row.payer for row in rows), *(Payer.COMPANY for _ in company)],
        [*(row.vacant for row in rows), *(False for _ in company)],
        [*(row.keys[0] for row in rows), *company],
        [*(row.keys[1] if second else None for row in rows), *company],
        quantities.parts,
        amounts.parts,
        quantities.odd,
        amounts.odd,
        amounts.carried,
    )


def _in_units(
    supply: Supply,
    weights: Sequence[int],
    names: Sequence[str | None],
    amounts: FairSplit,
    turn: Turn,
) -> FairSplit:
    """Return the split of the supply's quantity; of one in money it is that of the amount."""
    if not supply.in_money:
        return _even(supply.quantity, weights, names, turn)
    parts = tuple(amount * QUANTITY_PER_FEN for amount in amounts.parts)
    return FairSplit(parts, odd=(0,) * len(parts), carried=(0,) * len(parts))


def _even(total: int, weights: Sequence[int], names: Sequence[str | None], turn: Turn) -> FairSplit:
    """Split a quantity: its odd 10⁻⁴ are no money, so the month alone decides who gets them."""
    return split(
        total, weights, carried=[0] * len(weights), tie_key=lambda place: turn(names[place])
    )


def odd_cent_key(unit: str | None, *, pool: str, period: str) -> bytes:
    """Return the order in which units that tie get the odd cents; it changes with the period."""
    return hashlib.sha256(json.dumps([pool, period, unit]).encode()).digest()
