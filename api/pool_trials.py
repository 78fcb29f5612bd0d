"""What if a pool were shared otherwise: a stored statement, tried by the engine of billing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.pools.basis import Basis
from billing.pools.obstacle import Blocked
from billing.pools.participant import read_participants
from billing.pools.supply import Supply
from billing.store.views import shares
from billing.store.views.unit_attributes import with_attribute
from billing.what_if.otherwise import BASES, Otherwise, moved, shared_otherwise
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from sqlalchemy import Connection

    from billing.pools.moved import Moved
    from billing.pools.obstacle import Obstacle
    from billing.store.views.statements import StatementView


class WhatIfError(ValueError):
    """What is asked of a pool cannot be tried; the message says why."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a statement would be shared: every share that moves, the sums in fen, what is missing."""

    moved: Sequence[Moved]
    obstacles: Sequence[Obstacle]

    @property
    def before(self) -> int:
        return sum(each.before or 0 for each in self.moved)

    @property
    def now(self) -> int:
        return sum(each.now or 0 for each in self.moved)


def asked(basis: str, company_share: Decimal | None) -> Otherwise:
    """Return what is asked: an empty `basis` and no share are the pool's own."""
    if company_share is not None and not 0 <= company_share <= 1:
        raise WhatIfError(
            told(
                "the company bears from 0 to all of it, not {company_share}",
                company_share=company_share,
            )
        )
    if basis and basis not in BASES:
        raise WhatIfError(
            told(
                "'{basis}' cannot be tried; there are {known}", basis=basis, known=", ".join(BASES)
            )
        )
    return Otherwise(Basis(basis) if basis else None, company_share)


def trial(connection: Connection, view: StatementView, asked: Otherwise) -> Trial:
    """Return how `view` would be shared as `asked`. Nothing is stored."""
    head = view.head
    participants = read_participants(view.evidence["participants"])
    if asked.needs is not None:
        participants = with_attribute(
            connection, head.id, participants, name=asked.needs, period=head.period
        )
    supply = Supply(
        quantity=head.quantity,
        unit=head.unit,
        amount=head.amount,
        in_money=head.pool.source.cost is not None,
        parts=view.parts,
    )
    found = shared_otherwise(
        asked,
        head.pool,
        supply,
        participants,
        period=head.period.key,
        carried=dict(view.evidence["carried"]),
    )
    if isinstance(found, Blocked):
        return Trial((), found.obstacles)
    return Trial(moved(shares.amounts(connection, head.id), found), ())
