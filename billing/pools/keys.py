"""The keys that a pool is shared by: of every holder of every unit, or why there are none."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

from billing.pools.basis import Basis, InexactKeyError
from billing.pools.obstacle import Obstacle, ObstacleKind
from billing.pools.policy import AllZero, OwnerChange, Payer, Vacancy
from meters.quantity import to_scaled
from meters.told import text_of, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from billing.pools.basis import Key
    from billing.pools.participant import Participant
    from billing.pools.pool import Pool

DAYS = "·d"
"""What the unit of a key ends with that counts by the day."""


class KeyRow(NamedTuple):
    """What one holder of a unit counts by: `keys`, 10⁻⁴ of each key's unit, over `days`.

    `assumed`: a key is not the unit's own, but what the pool says that it counts by instead.
    """

    unit: str
    account: str | None
    payer: Payer
    vacant: bool
    keys: tuple[int, ...]
    days: int
    assumed: bool


@dataclass(frozen=True, slots=True)
class Keys:
    """The rows, a holder of a unit each, by unit; and the units that their keys are stated in."""

    rows: tuple[KeyRow, ...]
    units: tuple[str, ...]

    @property
    def totals(self) -> tuple[int, ...]:
        """Return the sum of each key, 10⁻⁴ of its unit."""
        return tuple(sum(row.keys[place] for row in self.rows) for place in range(len(self.units)))


def keys_of(pool: Pool, sharing: Sequence[Participant]) -> Keys | list[Obstacle]:
    """Return what everybody counts by who shares in `pool`, or all that stands in the way.

    `sharing` are sorted by unit and day.
    """
    obstacles: list[Obstacle] = []
    rows = _plain_rows(pool, sharing)
    if rows is None:
        rows = [_row(pool, unit, obstacles) for unit in sharing]
    obstacles = list(dict.fromkeys(obstacles))
    rows = list(_held(pool, rows, obstacles))
    if obstacles:
        return obstacles
    keys = _added_up(pool, rows)
    obstacles += _all_zero(pool, keys)
    return obstacles or keys


def _plain_rows(pool: Pool, sharing: Sequence[Participant]) -> list[KeyRow] | None:
    """Return the rows of all units at once; None where one of them needs to be looked at."""
    try:
        columns = [key.column(sharing) for key in pool.keys]
    except InexactKeyError:
        return None
    for key, column in zip(pool.keys, columns, strict=True):
        known = [value for value in column if value is not None]
        if len(known) < len(column) or min(known, default=0) < (key.basis is Basis.AREA):
            return None
    vacant = [unit.vacant for unit in sharing]
    if pool.vacant is Vacancy.BLOCK and any(vacant):
        return None
    of_vacant = Payer.COMPANY if pool.vacant is Vacancy.COMPANY_PAYS else Payer.OWNER
    return list(
        map(
            KeyRow,
            [unit.unit for unit in sharing],
            [unit.account for unit in sharing],
            [of_vacant if empty else Payer.OWNER for empty in vacant],
            vacant,
            zip(*columns, strict=True),
            [unit.days for unit in sharing],
            repeat(False),  # noqa: FBT003  no key of theirs is assumed
        )
    )


def _row(pool: Pool, unit: Participant, obstacles: list[Obstacle]) -> KeyRow:
    """Return the row of `unit`; what is wrong with it is added to `obstacles`."""
    if unit.vacant and pool.vacant is Vacancy.BLOCK:
        what = told('is vacant; say in the pool who pays: vacant = "owner pays" or "company pays"')
        obstacles.append(Obstacle(ObstacleKind.VACANT, unit.unit, what))
    company = unit.vacant and pool.vacant is Vacancy.COMPANY_PAYS
    found, assumed = [], False
    for key in pool.keys:
        value, obstacle = _value(key, unit)
        if obstacle is not None:
            policy = pool.missing
            instead = policy.keys.get(key.basis) if policy is not None else None
            if policy is None or instead is None:
                obstacles.append(obstacle)
            else:
                value, assumed = to_scaled(instead), True
                company = company or policy.payer is Payer.COMPANY
        found.append(value)
    return KeyRow(
        unit=unit.unit,
        account=unit.account,
        payer=Payer.COMPANY if company else Payer.OWNER,
        vacant=unit.vacant,
        keys=tuple(found),
        days=unit.days,
        assumed=assumed,
    )


def _value(key: Key, unit: Participant) -> tuple[int, Obstacle | None]:
    """Return the key of `unit`, and what is wrong with it."""
    try:
        value = key.of(unit)
    except InexactKeyError as error:
        return 0, Obstacle(ObstacleKind.INEXACT_KEY, unit.unit, text_of(error))
    what = key.attribute or key.basis
    if value is None:
        return 0, Obstacle(
            ObstacleKind.MISSING_KEY, unit.unit, told("has no {what}; enter it", what=what)
        )
    if value < 0:
        return 0, Obstacle(
            ObstacleKind.NEGATIVE_KEY,
            unit.unit,
            told("has a negative {what}; correct it", what=what),
        )
    if value == 0 and key.basis is Basis.AREA:
        return 0, Obstacle(
            ObstacleKind.ZERO_KEY, unit.unit, told("has an area of 0; enter its area")
        )
    return value, None


def _once_each(rows: Sequence[KeyRow]) -> bool:
    return len({row.unit for row in rows}) == len(rows)


def _held(pool: Pool, rows: Sequence[KeyRow], obstacles: list[Obstacle]) -> Iterator[KeyRow]:
    """Yield `rows` as their holders bear them; what nobody decided is added to `obstacles`."""
    if _once_each(rows):
        yield from rows
        return
    by_unit: dict[str, list[KeyRow]] = defaultdict(list)
    for row in rows:
        by_unit[row.unit].append(row)
    for unit, held in by_unit.items():
        if len(held) == 1 or len({row.account for row in held}) == 1:
            yield from held
            continue
        match pool.owner_change:
            case OwnerChange.BY_DAYS:
                yield from held
            case OwnerChange.HOLDER_AT_THE_END:
                yield from (row._replace(account=held[-1].account) for row in held)
            case OwnerChange.BLOCK | None:
                what = told(
                    "changes hands within the period; say in the pool who pays: "
                    'owner_change = "by days" or "holder at the end"'
                )
                obstacles.append(Obstacle(ObstacleKind.OWNER_CHANGED, unit, what))


def _added_up(pool: Pool, rows: Sequence[KeyRow]) -> Keys:
    """Return a row for each holder of a unit, its keys by the day where days differ."""
    by_day = [key.by_day for key in pool.keys]
    rows = _joined(rows, [not each for each in by_day])
    days_differ = len({row.days for row in rows}) > 1
    daily = [each and days_differ for each in by_day]
    if any(daily):
        rows = [row._replace(keys=_times(row.keys, row.days, daily)) for row in rows]
    if not _once_each(rows):
        rows = _joined(rows, [True] * len(by_day))
    units = [
        f"{key.unit}{DAYS}" if counts else key.unit
        for key, counts in zip(pool.keys, daily, strict=True)
    ]
    return Keys(tuple(rows), tuple(units))


def _times(keys: Sequence[int], days: int, daily: Sequence[bool]) -> tuple[int, ...]:
    return tuple(key * days if by_day else key for key, by_day in zip(keys, daily, strict=True))


def _joined(rows: Sequence[KeyRow], added: Sequence[bool]) -> list[KeyRow]:
    """Return `rows` with those of one holder of a unit joined, keys added up where `added` says so.

    Where it does not, only rows of equal keys are joined. Days are added up.
    """
    if _once_each(rows):
        return [row._replace(account=None) if row.payer is Payer.COMPANY else row for row in rows]
    found: dict[tuple[object, ...], KeyRow] = {}
    for row in rows:
        account = None if row.payer is Payer.COMPANY else row.account
        fixed = [0 if adds else key for key, adds in zip(row.keys, added, strict=True)]
        same = (row.unit, account, row.payer, *fixed)
        first = found.get(same)
        if first is None:
            found[same] = row if row.account == account else row._replace(account=account)
            continue
        found[same] = first._replace(
            vacant=first.vacant and row.vacant,
            keys=tuple(
                one + other if adds else one
                for one, other, adds in zip(first.keys, row.keys, added, strict=True)
            ),
            days=first.days + row.days,
            assumed=first.assumed or row.assumed,
        )
    return list(found.values())


def _all_zero(pool: Pool, keys: Keys) -> Iterator[Obstacle]:
    if not keys.rows:
        what = told("no unit of {scope} takes part; correct the scope", scope=pool.scope)
        yield Obstacle(ObstacleKind.EMPTY_SCOPE, None, what)
        return
    if pool.all_zero is AllZero.COMPANY_PAYS:
        return
    for key, total in zip(pool.keys, keys.totals, strict=True):
        if total == 0:
            what = told(
                "the {what} of every unit is 0, so there is nothing to share by; check them, or "
                'say in the pool who pays then: all_zero = "company pays"',
                what=key.attribute or key.basis,
            )
            yield Obstacle(ObstacleKind.ZERO_KEY_SUM, None, what)
