"""What a pool's worked examples prove: that its rules give the shares that they expect."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from billing.money import from_fen, to_fen
from billing.pools.apportionment import Statement, apportion
from billing.pools.obstacle import Blocked
from billing.pools.participant import Participant
from billing.pools.policy import Charging
from billing.pools.supply import Supply, SupplyPart
from meters.definition import Problem
from meters.quantity import from_scaled, plain, to_scaled
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from billing.pools.apportionment import Share
    from billing.pools.pool import Example, ExampleUnit, Pool

CHARGED = Charging(allowed=True, contract="a worked example")
"""Examples prove how a pool is shared, whether or not it may be charged yet."""

DAYS = 30
"""How long the month of an example is where its units do not say."""


def failing_examples(pool: Pool, source: str) -> Iterator[Problem]:
    """Yield where `pool`, read from `source`, gives other shares than its examples expect."""
    charged = pool.model_copy(update={"charging": CHARGED})
    for number, example in enumerate(pool.examples, start=1):
        where = f"example[{number}]"
        result = apportion(
            charged, supply_of(example), participants_of(pool, example), period=example.period
        )
        match result:
            case Blocked():
                for obstacle in result.obstacles:
                    yield Problem(source, f"{where}.participants", str(obstacle))
            case Statement():
                yield from _differences(result, example, source, where)


def supply_of(example: Example) -> Supply:
    """Return the supply that `example` shares."""
    return Supply(
        quantity=to_scaled(example.quantity),
        unit="",
        amount=to_fen(example.amount),
        parts=tuple(
            SupplyPart(
                charge=part.charge,
                band=part.band,
                step=part.step,
                quantity=to_scaled(part.quantity),
                price=None,
                amount=to_fen(part.amount),
            )
            for part in example.parts or ()
        ),
    )


def participants_of(pool: Pool, example: Example) -> Iterator[Participant]:
    """Yield who takes part in `example`."""
    days: Counter[str] = Counter()
    for row in example.participants:
        first_day = days[row.unit] + 1
        days[row.unit] += row.days or DAYS
        yield Participant(
            unit=row.unit,
            building=row.building or pool.scope.building or "",
            entrance=row.entrance or pool.scope.entrance,
            floor=row.floor,
            customer_class=row.customer_class or "",
            account=row.account,
            first_day=first_day,
            days=row.days or DAYS,
            attributes=_attributes(row),
            use={} if row.use is None else {key.name: to_scaled(row.use) for key in pool.uses},
            vacant=row.vacant,
        )


def _attributes(row: ExampleUnit) -> dict[str, int]:
    given = {**(row.attributes or {}), **({} if row.area is None else {"area": row.area})}
    return {name: to_scaled(value) for name, value in given.items()}


def _differences(
    statement: Statement, example: Example, source: str, where: str
) -> Iterator[Problem]:
    units = _by_name([share for share in statement.shares if share.unit is not None])
    company = [from_fen(share.amount) for share in statement.shares if share.unit is None]
    yield from _unequal(
        {name: str(from_fen(share.amount)) for name, share in units.items()},
        {unit: str(from_fen(to_fen(amount))) for unit, amount in example.expect.items()},
        source,
        f"{where}.expect",
    )
    yield from _unequal(
        {"company": str(company[0])} if company else {},
        {} if example.company is None else {"company": str(from_fen(to_fen(example.company)))},
        source,
        where,
    )
    if example.quantities is not None:
        yield from _unequal(
            {name: plain(from_scaled(share.quantity)) for name, share in units.items()},
            {unit: plain(quantity) for unit, quantity in example.quantities.items()},
            source,
            f"{where}.quantities",
        )


def _by_name(shares: list[Share]) -> dict[str, Share]:
    """Return the shares of units by unit, or by unit and holder where there are several."""
    several = {unit for unit, count in Counter(share.unit for share in shares).items() if count > 1}
    return {
        f"{share.unit}/{share.account or share.payer}"
        if share.unit in several
        else f"{share.unit}": share
        for share in shares
    }


def _unequal(
    actual: dict[str, str], expected: dict[str, str], source: str, where: str
) -> Iterator[Problem]:
    for name in sorted(actual.keys() | expected.keys()):
        if actual.get(name) != expected.get(name):
            yield Problem(
                source,
                f"{where}.{name}",
                told("the pool gives another share; correct the example or the rules"),
                expected=expected.get(name, "no share"),
                actual=actual.get(name, "no share"),
            )
