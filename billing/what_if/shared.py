"""A pool tried on a given supply and given units: its shares, as its examples are apportioned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from billing.apportionment import apportion
from billing.pool import Example
from billing.pool_examples import CHARGED, participants_of, supply_of
from meters.definition import validate

if TYPE_CHECKING:
    from billing.apportionment import Statement
    from billing.obstacle import Blocked
    from billing.pool import Pool


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
