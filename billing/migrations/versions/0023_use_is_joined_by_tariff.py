"""Use is stored as each tariff counts it: in parts, and joined where another alone divides it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.migrations.rebuilding import dropped_triggers, rebuild

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

UNIQUE = "uq_usage_community_run_id"
BEFORE = ("community_run_id", "point_id", "register", "start")


def upgrade() -> None:
    op.add_column(
        "usage", sa.Column("joined", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    if op.get_bind().dialect.name == "sqlite":
        triggers = dropped_triggers()
        old, new = (
            f"CONSTRAINT {UNIQUE} UNIQUE ({', '.join(columns)})"
            for columns in (BEFORE, (*BEFORE, '"end"'))
        )
        rebuild("usage", {old: new})
        for sql in triggers:
            op.execute(sql)
        return
    op.drop_constraint(op.f(UNIQUE), "usage", type_="unique")
    op.create_unique_constraint(op.f(UNIQUE), "usage", [*BEFORE, "end"])
