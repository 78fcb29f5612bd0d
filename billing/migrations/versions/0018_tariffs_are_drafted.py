"""Tariffs are drafted by one person and published by another."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.columns import Identifier, Instant

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tariff_draft",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("document", "state")),
        sa.Column("drafted_by", sa.Text, nullable=False),
        sa.Column("drafted_at", Instant, nullable=False),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_at", Instant),
        sa.CheckConstraint(
            "state IN ('open', 'published', 'dropped')",
            name=op.f("ck_tariff_draft_known_state"),
        ),
        sa.CheckConstraint(
            "state <> 'published' OR decided_by <> drafted_by",
            name=op.f("ck_tariff_draft_four_eyes"),
        ),
        sa.Column("project_id", Identifier, nullable=False, server_default="1"),
        sa.PrimaryKeyConstraint("id", name="pk_tariff_draft"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_tariff_draft_project_id"),
    )
    op.create_index("ix_tariff_draft_project_id", "tariff_draft", ["project_id"])
