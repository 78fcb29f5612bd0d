"""How a community applies money, and how much one person may enter alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, delete, select

from billing.canonical import canonical_json, read_json
from billing.money import from_fen
from billing.payment_tables import payment_policy
from billing.payments.application import First, Policy
from billing.store import audit, registry

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Select


def policy_of(connection: Connection, community_id: int) -> Policy:
    """Return a community's policy; the defaults where it has stated none."""
    return policies_of(connection, [community_id])[community_id]


def policies_of(connection: Connection, community_ids: Collection[int]) -> dict[int, Policy]:
    """Return the policy of each of some communities; the defaults for those that stated none."""
    rows = connection.execute(_stated(), {"communities": list(community_ids)})
    stated = {
        row.community_id: Policy(
            first=First(row.first),
            charges=tuple(read_json(row.charges)),
            four_eyes_above=row.four_eyes_above,
        )
        for row in rows
    }
    return {each: stated.get(each, Policy()) for each in community_ids}


@cache
def _stated() -> Select[Any]:
    community_id = payment_policy.c.community_id
    return select(payment_policy).where(community_id.in_(bindparam("communities", expanding=True)))


def state(
    connection: Connection, community: str, policy: Policy, *, actor: str, now: datetime
) -> None:
    """Let `community` apply money by `policy` from now on; what is applied stays as it is."""
    known = registry.community_ids(connection)
    if community not in known:
        raise registry.UnknownCommunityError(f"there is no community {community!r}")
    table = payment_policy
    connection.execute(delete(table).where(table.c.community_id == known[community]))
    stated = {
        "first": str(policy.first),
        "charges": canonical_json(list(policy.charges)),
        "four_eyes_above": policy.four_eyes_above,
    }
    connection.execute(table.insert().values(community_id=known[community], **stated))
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="payment.policy",
        subject=f"community:{community}",
        communities=[known[community]],
        detail={**stated, "four_eyes_above": str(from_fen(policy.four_eyes_above))},
    )
