"""The tables of disputes: what was asked of a bill line, and every word about it, for ever."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from billing.columns import Identifier, Instant, metadata
from billing.columns import own_id as _id
from billing.columns import refers_to as _to

dispute = Table(
    "dispute",
    metadata,
    _id(),
    _to("account", index=True),
    Column("bill_id", Identifier, nullable=False),
    Column("position", Integer, nullable=False),
    Column("state", Text, nullable=False),
    _to("bill_run", nullable=True),  # named to correct the line
    ForeignKeyConstraint(
        ["bill_id", "position"],
        ["bill_line.bill_id", "bill_line.position"],
        name="fk_dispute_line",
    ),
    CheckConstraint(
        "state IN ('open', 'answered', 'accepted', 'rejected', 'withdrawn')", name="known_state"
    ),
    CheckConstraint("bill_run_id IS NULL OR state = 'accepted'", name="corrected_if_accepted"),
    Index("ix_dispute_line", "bill_id", "position"),
    Index(
        "uq_dispute_pending_once",
        *("bill_id", "position"),
        unique=True,
        sqlite_where=text("state IN ('open', 'answered')"),
        postgresql_where=text("state IN ('open', 'answered')"),
    ),
)

dispute_word = Table(
    "dispute_word",
    metadata,
    Column("dispute_id", Identifier, ForeignKey("dispute.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),  # that the dispute came into with it
    Column("text", Text, nullable=False),  # empty for what was withdrawn without a word
    Column("said_by", Text, nullable=False),
    Column("said_at", Instant, nullable=False),
    CheckConstraint("length(text) > 0 OR state = 'withdrawn'", name="says_something"),
)
