"""What an owner sees of a statement: everything that adds up, and nobody else's room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.pools.rooms import masked
from billing.store.views import shares

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from api.principal import Principal
    from billing.store.views.shares import ShareView


@dataclass(frozen=True, slots=True)
class ShownShare:
    """A share as the reader may see it. `unit`: None for the company's agreed share."""

    share: ShareView
    unit: str | None
    mine: bool
    vacant: bool
    bill: str | None


def shown_shares(
    connection: Connection,
    statement_id: int,
    principal: Principal,
    *,
    skipped: int = 0,
    limit: int | None = None,
) -> list[ShownShare]:
    """Return at most `limit` shares of a statement behind the first `skipped`.

    For owners and their committee other rooms are masked and mixed up, the own ones first.
    """
    own = None if principal.sees_rooms else principal.accounts or frozenset()
    found = shares.of_statement(connection, statement_id, own=own, skipped=skipped, limit=limit)
    if own is None:
        return [
            ShownShare(share, share.unit, mine=False, vacant=share.vacant, bill=share.bill)
            for share in found
        ]
    return [
        ShownShare(
            share,
            share.unit if share.account_id in own else masked(share.unit),
            mine=share.account_id in own,
            # Whether a neighbour's flat stands empty is nobody's business.
            vacant=False,
            bill=share.bill if share.account_id in own else None,
        )
        for share in found
    ]
