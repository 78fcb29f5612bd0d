"""What similar households used in an issued month is kept, for every process to find."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.columns import Identifier

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "similar_use",
        sa.Column("community_run_id", Identifier, nullable=False),
        sa.Column("medians", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_run_id"],
            ["community_run.id"],
            name=op.f("fk_similar_use_community_run_id"),
        ),
        sa.PrimaryKeyConstraint("community_run_id", name=op.f("pk_similar_use")),
    )
