"""What people enter for pools in the database: costs with documents, and losses let pass.

A cost counts when a second person has approved it; the database refuses the first one's approval.
Nothing entered is changed or deleted: what was wrong is rejected, or put right by another document.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables
from billing.evidence import quantity_text
from billing.money import from_fen
from billing.pools.papers import Cost, LossApproval
from billing.store import audit, runs
from billing.store.ids import insert

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Literal


class UnknownCostError(LookupError):
    """No cost has this id."""


class CostExistsError(ValueError):
    """A document was entered for this pool and period before."""


class DecidedError(ValueError):
    """A cost was approved or rejected before, a loss let pass before."""


class SamePersonError(PermissionError):
    """Who entered a cost cannot approve it."""


def enter_cost(
    connection: Connection,
    *,
    community_id: int,
    pool: str,
    period: str,
    document: str,
    amount: int,
    actor: str,
    now: datetime,
) -> int:
    """Store what `document` says that a pool's supply cost in `period`, fen, and return its id."""
    table = tables.cost
    where = {"community_id": community_id, "pool": pool, "period": period, "document": document}
    if connection.scalar(select(table.c.id).filter_by(**where)) is not None:
        raise CostExistsError(
            f"{document} was entered for pool {pool} in {period} before; name another document"
        )
    cost_id = insert(connection, table, **where, amount=amount, entered_by=actor, entered_at=now)
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="cost.enter",
        subject=f"cost:{cost_id}",
        communities=[community_id],
        detail={**where, "amount": from_fen(amount)},
    )
    return cost_id


def decide_cost(
    connection: Connection,
    cost_id: int,
    decision: Literal["approved", "rejected"],
    *,
    actor: str,
    now: datetime,
) -> None:
    """Approve or reject a cost.

    Whoever entered it can only reject it. Raises `UnknownCostError`, `DecidedError` or
    `SamePersonError`.
    """
    table = tables.cost
    query = select(table).where(table.c.id == cost_id).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise UnknownCostError(f"there is no cost {cost_id}")
    if row.decision is not None:
        raise DecidedError(f"{row.decided_by} has {row.decision} cost {cost_id} already")
    if decision == "approved" and actor == row.entered_by:
        raise SamePersonError(
            f"{actor} entered cost {cost_id}, so somebody else has to approve it (four eyes)"
        )
    connection.execute(
        table.update()
        .where(table.c.id == cost_id)
        .values(decision=decision, decided_by=actor, decided_at=now)
    )
    audit.append(
        connection,
        at=now,
        actor=actor,
        action=f"cost.{decision}",
        subject=f"cost:{cost_id}",
        communities=[row.community_id],
    )


def approve_loss(
    connection: Connection,
    *,
    community_id: int,
    pool: str,
    period: str,
    lost: int,
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    """Let a loss of exactly `lost`, 10⁻⁴ units, pass although it is outside its band."""
    table = tables.loss_approval
    where = {"community_id": community_id, "pool": pool, "period": period, "lost": lost}
    if connection.scalar(select(table.c.id).filter_by(**where)) is not None:
        raise DecidedError(f"this loss of pool {pool} in {period} was let pass already")
    insert(connection, table, **where, reason=reason, approved_by=actor, approved_at=now)
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="loss.approve",
        subject=f"pool:{pool}",
        communities=[community_id],
        detail={**where, "lost": quantity_text(lost), "reason": reason},
    )


def costs(connection: Connection, community_id: int, period: str) -> dict[str, tuple[Cost, ...]]:
    """Return the costs entered for `period` by pool, in their order, but those rejected."""
    table = tables.cost
    rows = connection.execute(
        select(table)
        .where(table.c.community_id == community_id, table.c.period == period)
        .order_by(table.c.id)
    )
    found: dict[str, tuple[Cost, ...]] = defaultdict(tuple)
    for row in rows:
        if row.decision != "rejected":
            cost = Cost(row.id, row.document, row.amount, row.entered_by, row.decided_by)
            found[row.pool] += (cost,)
    return found


def losses_approved(
    connection: Connection, community_id: int, period: str
) -> dict[str, tuple[LossApproval, ...]]:
    """Return the losses that may pass in `period`, by pool."""
    table = tables.loss_approval
    rows = connection.execute(
        select(table)
        .where(table.c.community_id == community_id, table.c.period == period)
        .order_by(table.c.id)
    )
    found: dict[str, tuple[LossApproval, ...]] = defaultdict(tuple)
    for row in rows:
        found[row.pool] += (LossApproval(row.lost, row.reason, row.approved_by),)
    return found


def carried(
    connection: Connection, community_id: int, period: str
) -> dict[str, dict[str | None, int]]:
    """Return what rounding owes each unit, and the company (None), before `period`, by pool.

    It is in 10⁻⁶ fen, as the statements of the last month say that was issued before.
    """
    months = runs.counting(connection, community_id, before=period)
    return carried_on(connection, months[max(months)].id) if months else defaultdict(dict)


def carried_on(connection: Connection, part_id: int) -> dict[str, dict[str | None, int]]:
    """Return what the statements of one month of a community carry on, as `carried` does."""
    found: dict[str, dict[str | None, int]] = defaultdict(dict)
    statement, share, unit = tables.statement, tables.share, tables.unit
    rows = connection.execute(
        select(tables.pool_version.c.code.label("pool"), unit.c.code, share.c.carried)
        .join(statement, statement.c.pool_version_id == tables.pool_version.c.id)
        .join(share, share.c.statement_id == statement.c.id)
        .outerjoin(unit, unit.c.id == share.c.unit_id)
        .where(statement.c.community_run_id == part_id, share.c.carried != 0)
    )
    for pool, code, owed in rows:
        found[pool][code] = found[pool].get(code, 0) + owed
    return found
