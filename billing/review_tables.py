"""The tables of validation: what a community holds usage against, what was found, what was decided.

What staff say of a pool's apportionment stands here too, and what they hold out of a run.

Findings are made anew by each computation; decisions are never changed.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from billing.columns import Identifier, Instant, metadata
from billing.columns import own_id as _id
from billing.columns import refers_to as _to

validation = Table(
    "validation",
    metadata,
    Column("community_id", Identifier, ForeignKey("community.id"), primary_key=True),
    Column("settings", Text, nullable=False),  # canonical JSON; no row: all defaults
)

review_item = Table(
    "review_item",
    metadata,
    Column("community_run_id", Identifier, ForeignKey("community_run.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _to("point", index=True),
    Column("register", Text, nullable=False),
    Column("finding", Text, nullable=False),
    Column("blocks", Boolean, nullable=False),
    Column("text", Text, nullable=False),
)

review = Table(
    "review",
    metadata,
    _id(),
    _to("point"),
    Column("register", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("finding", Text),
    Column("method", Text),
    Column("at", Instant),
    Column("value", Text),  # a register, in its canonical unit
    Column("use", Text),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    CheckConstraint(
        "(decision = 'accept' AND finding IS NOT NULL AND method IS NULL AND value IS NULL"
        " AND use IS NULL)"
        " OR (decision = 'estimate' AND method IS NOT NULL AND value IS NULL AND use IS NULL)"
        " OR (decision = 'override' AND method IS NULL"
        " AND (value IS NULL) = (at IS NULL) AND (value IS NULL) <> (use IS NULL))"
        " OR (decision = 'withdraw' AND method IS NULL AND value IS NULL AND use IS NULL)",
        name="says_what_is_decided",
    ),
    CheckConstraint("length(reason) > 0", name="has_a_reason"),
    Index("ix_review_point_period", "point_id", "period"),
)

pool_check = Table(
    "pool_check",
    metadata,
    _id(),
    _to("community_run", index=True),
    Column("pool", Text, nullable=False),
    Column("word", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("digest", Text),  # of the month as it was computed then
    Column("said_by", Text, nullable=False),
    Column("said_at", Instant, nullable=False),
    CheckConstraint(
        "word = 'signed-off' OR (word = 'held' AND length(reason) > 0)", name="says_what"
    ),
)

hold = Table(
    "hold",
    metadata,
    _id(),
    _to("bill_run"),
    _to("community"),
    _to("building", nullable=True),
    _to("unit", nullable=True),
    Column("reason", Text, nullable=False),
    Column("held_by", Text, nullable=False),
    Column("held_at", Instant, nullable=False),
    UniqueConstraint("bill_run_id", "building_id", name="uq_hold_building_once"),
    UniqueConstraint("bill_run_id", "unit_id", name="uq_hold_unit_once"),
    CheckConstraint("(building_id IS NULL) <> (unit_id IS NULL)", name="building_or_unit"),
)
