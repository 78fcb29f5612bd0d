"""A pool's statement tried otherwise: by another basis, or with another share of the company."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.pools.apportionment import apportion
from billing.pools.basis import Basis, Key
from billing.pools.examples import CHARGED
from billing.pools.moved import Moved

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from billing.pools.apportionment import Statement
    from billing.pools.obstacle import Blocked
    from billing.pools.participant import Participant
    from billing.pools.pool import Pool
    from billing.pools.supply import Supply

BASES = (Basis.AREA, Basis.HOUSEHOLD, Basis.PERSONS)
"""The bases that need to be told nothing but what units are."""


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What is asked: `basis` None for the pool's own; `company_share` from 0 to 1, None alike."""

    basis: Basis | None = None
    company_share: Decimal | None = None

    @property
    def needs(self) -> str | None:
        """The attribute of units that it goes by, None where the pool's evidence holds it all."""
        return None if self.basis is None else Key.model_construct(basis=self.basis).reads

    def of(self, pool: Pool) -> Pool:
        """Return `pool` as it is asked for, as if it may be charged."""
        changes: dict[str, object] = {"charging": CHARGED}
        if self.company_share is not None:
            changes["company_share"] = self.company_share
        if self.basis is not None:
            told = ("use", "coefficient", "weights", "attribute", "first", "rest")
            changes |= {"basis": self.basis, **dict.fromkeys(told)}
        changed = pool.model_copy(update=changes)
        for cached in ("keys", "parts"):  # a copy keeps what was worked out of the original
            vars(changed).pop(cached, None)
        return changed


def shared_otherwise(
    asked: Otherwise,
    pool: Pool,
    supply: Supply,
    participants: Iterable[Participant],
    *,
    period: str,
    carried: Mapping[str | None, int],
) -> Statement | Blocked:
    """Return how `pool` would share `supply`, or what stands in the way. Nothing is stored."""
    return apportion(asked.of(pool), supply, participants, period=period, carried=carried)


def moved(before: Mapping[str | None, int], statement: Statement) -> Sequence[Moved]:
    """Return how the shares of `statement` differ from those `before`, the largest first."""
    now: dict[str | None, int] = defaultdict(int)
    for share in statement.shares:
        now[share.unit] += share.amount
    found = [Moved(unit, before.get(unit), now.get(unit)) for unit in before.keys() | now.keys()]
    return sorted(found, key=lambda each: (-abs(each.amount), each.unit or ""))
