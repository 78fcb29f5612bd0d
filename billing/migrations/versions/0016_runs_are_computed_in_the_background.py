"""Runs that somebody asked to have computed in the background."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.columns import Identifier, Instant

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('waiting', 'working')")


def upgrade() -> None:
    op.create_table(
        "run_job",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("bill_run_id", Identifier, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("asked_at", Instant, nullable=False),
        *(sa.Column(name, Instant) for name in ("begun_at", "seen_at", "ended_at")),
        sa.Column("problem", sa.Text),
        sa.CheckConstraint(
            "state IN ('waiting', 'working', 'done', 'failed')",
            name=op.f("ck_run_job_known_state"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_run_job"),
        sa.ForeignKeyConstraint(["bill_run_id"], ["bill_run.id"], name="fk_run_job_bill_run_id"),
    )
    op.create_index("ix_run_job_bill_run_id", "run_job", ["bill_run_id"])
    op.create_index(
        "ix_run_job_open",
        "run_job",
        ["bill_run_id"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
