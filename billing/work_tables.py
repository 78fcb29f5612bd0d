"""The tables of work under way: runs that are computed by themselves, drafts of tariffs.

And what is worked out beforehand, which is dropped and worked out again as it pleases.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, text

from billing.columns import Identifier, Instant, metadata, of_project
from billing.columns import own_id as _id
from billing.columns import refers_to as _to

run_job = Table(
    "run_job",
    metadata,
    _id(),
    _to("bill_run", index=True),
    Column("state", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("begun_at", Instant),
    Column("seen_at", Instant),  # when its worker was last heard of
    Column("ended_at", Instant),
    Column("problem", Text),
    CheckConstraint("state IN ('waiting', 'working', 'done', 'failed')", name="known_state"),
    Index(
        "ix_run_job_open",
        "bill_run_id",
        unique=True,
        sqlite_where=text("state IN ('waiting', 'working')"),
        postgresql_where=text("state IN ('waiting', 'working')"),
    ),
)

tariff_draft = Table(
    "tariff_draft",
    metadata,
    _id(),
    of_project(),
    Column("code", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("document", Text, nullable=False),  # the file as it was uploaded
    Column("state", Text, nullable=False),
    Column("drafted_by", Text, nullable=False),
    Column("drafted_at", Instant, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", Instant),
    CheckConstraint("state IN ('open', 'published', 'dropped')", name="known_state"),
    CheckConstraint("state <> 'published' OR decided_by <> drafted_by", name="four_eyes"),
)

similar_use = Table(
    "similar_use",
    metadata,
    Column("community_run_id", Identifier, ForeignKey("community_run.id"), primary_key=True),
    Column("medians", Text, nullable=False),  # JSON: of each medium, by class and by area
)
