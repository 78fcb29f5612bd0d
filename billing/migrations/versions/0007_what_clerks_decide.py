"""What usage is held against, what was found, and what clerks decided: that stays for ever."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.columns import Identifier, Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

DECISION = (
    "(decision = 'accept' AND finding IS NOT NULL AND method IS NULL AND value IS NULL"
    " AND use IS NULL)"
    " OR (decision = 'estimate' AND method IS NOT NULL AND value IS NULL AND use IS NULL)"
    " OR (decision = 'override' AND method IS NULL"
    " AND (value IS NULL) = (at IS NULL) AND (value IS NULL) <> (use IS NULL))"
    " OR (decision = 'withdraw' AND method IS NULL AND value IS NULL AND use IS NULL)"
)


def upgrade() -> None:
    op.create_table(
        "validation",
        sa.Column("community_id", Identifier, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("community_id", name="pk_validation"),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name="fk_validation_community_id"
        ),
    )
    op.create_table(
        "review_item",
        sa.Column("community_run_id", Identifier, nullable=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("point_id", Identifier, nullable=False),
        sa.Column("register", sa.Text, nullable=False),
        sa.Column("finding", sa.Text, nullable=False),
        sa.Column("blocks", sa.Boolean, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("community_run_id", "position", name="pk_review_item"),
        sa.ForeignKeyConstraint(
            ["community_run_id"], ["community_run.id"], name="fk_review_item_community_run_id"
        ),
        sa.ForeignKeyConstraint(["point_id"], ["point.id"], name="fk_review_item_point_id"),
    )
    op.create_index("ix_review_item_point_id", "review_item", ["point_id"])
    op.create_table(
        "review",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("point_id", Identifier, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("register", "period", "decision")),
        sa.Column("finding", sa.Text),
        sa.Column("method", sa.Text),
        sa.Column("at", Instant),
        sa.Column("value", sa.Text),
        sa.Column("use", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.CheckConstraint(DECISION, name=op.f("ck_review_says_what_is_decided")),
        sa.CheckConstraint("length(reason) > 0", name=op.f("ck_review_has_a_reason")),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
        sa.ForeignKeyConstraint(["point_id"], ["point.id"], name="fk_review_point_id"),
    )
    op.create_index("ix_review_point_period", "review", ["point_id", "period"])
    for event in ("UPDATE", "DELETE"):
        _refuse(event)


def _refuse(event: str) -> None:
    """Let no decision be changed or deleted."""
    message = "review: a decision is kept for ever; take another one instead"
    name = f"review_stays_on_{event.lower()}"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON review "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {event} ON review FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
