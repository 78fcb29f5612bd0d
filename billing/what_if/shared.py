"""A pool tried on a given supply and given units: its shares, as its examples are apportioned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from billing.pools.apportionment import apportion
from billing.pools.examples import CHARGED, participants_of, supply_of
from billing.pools.pool import Example
from meters.definition import validate

if TYPE_CHECKING:
    from billing.pools.apportionment import Statement
    from billing.pools.obstacle import Blocked
    from billing.pools.pool import Pool


def shared(pool: Pool, document: dict[str, Any], *, source: str) -> Statement | Blocked:
    """Return how `pool` shares the supply of `document`, which has the keys of an example.

    The shares are those that units would bear if the pool may be charged, whether or not it may.
    Raises `DefinitionError` for a document that is no example.
    """
    example = validate(Example, {**document, "expect": {}}, source)
    return apportion(
        pool.model_copy(update={"charging": CHARGED}),
        supply_of(example),
        participants_of(pool, example),
        period=example.period,
    )
