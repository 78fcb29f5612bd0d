"""What an owner sees of a statement: everything that adds up, and nobody else's room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.pools.rooms import by_size, masked

if TYPE_CHECKING:
    from api.principal import Principal
    from billing.store.views.statements import ShareView, StatementView


@dataclass(frozen=True, slots=True)
class ShownShare:
    """A share as the reader may see it. `unit`: None for the company's agreed share."""

    share: ShareView
    unit: str | None
    mine: bool
    vacant: bool
    bill: str | None


def shown_shares(statement: StatementView, principal: Principal) -> list[ShownShare]:
    """Return every share; for owners and their committee with other rooms masked and mixed up."""
    accounts = principal.accounts or frozenset()
    if principal.sees_rooms:
        return [
            ShownShare(share, share.unit, mine=False, vacant=share.vacant, bill=share.bill)
            for share in statement.shares
        ]
    shown = [
        ShownShare(
            share,
            share.unit if share.account_id in accounts else masked(share.unit),
            mine=share.account_id in accounts,
            # Whether a neighbour's flat stands empty is nobody's business.
            vacant=False,
            bill=share.bill if share.account_id in accounts else None,
        )
        for share in by_size(statement.shares)
    ]
    return sorted(shown, key=lambda each: (each.unit is None, not each.mine))
