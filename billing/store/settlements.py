"""What a channel has taken reaches the bank: net of its fee, once for each document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables
from billing.money import from_fen
from billing.payments import entries
from billing.store import audit, ledger, registry

if TYPE_CHECKING:
    from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """That `gross` fen of a channel's takings, less what it has `kept`, are in the bank on `day`.

    Below zero where refunds are more than takings. `document` names the bank's line.
    """

    channel: str
    document: str
    gross: int
    kept: int
    day: date


class SettlementError(ValueError):
    """A settlement cannot be posted; the message says why."""


def settle(
    connection: Connection, community: str, settled: Settlement, *, actor: str, now: datetime
) -> date:
    """Post a settlement and return the day that it counts on: its own, or the next open one.

    Raises `SettlementError`, and `UnknownCommunityError`.
    """
    known = registry.community_ids(connection)
    if community not in known:
        raise registry.UnknownCommunityError(f"there is no community {community!r}")
    channel, document = settled.channel, settled.document
    if not settled.gross and not settled.kept:
        raise SettlementError("a settlement of nothing is no settlement")
    entry = entries.settlement(community, channel, document, gross=settled.gross, kept=settled.kept)
    table = tables.journal_entry
    query = select(table.c.day).where(table.c.reference == entry.reference)
    if (before := connection.scalar(query)) is not None:
        raise SettlementError(f"{document} of {channel} was settled on {before}; it is posted once")
    counts_on = ledger.post(connection, known[community], [entry], at=now, day=settled.day)
    audit.append(
        connection,
        at=now,
        actor=actor,
        action="settlement.post",
        subject=f"settlement:{community}/{channel}/{document}",
        communities=[known[community]],
        detail={
            "gross": str(from_fen(settled.gross)),
            "kept": str(from_fen(settled.kept)),
            "day": counts_on.isoformat(),
        },
    )
    return counts_on
