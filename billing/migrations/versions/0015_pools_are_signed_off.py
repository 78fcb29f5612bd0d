"""What staff say of a pool's apportionment in a run: that stays for ever."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.columns import Identifier, Instant

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pool_check",
        sa.Column("id", Identifier, nullable=False),
        sa.Column("community_run_id", Identifier, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("pool", "word", "reason")),
        sa.Column("digest", sa.Text),
        sa.Column("said_by", sa.Text, nullable=False),
        sa.Column("said_at", Instant, nullable=False),
        sa.CheckConstraint(
            "word = 'signed-off' OR (word = 'held' AND length(reason) > 0)",
            name=op.f("ck_pool_check_says_what"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pool_check"),
        sa.ForeignKeyConstraint(
            ["community_run_id"], ["community_run.id"], name="fk_pool_check_community_run_id"
        ),
    )
    op.create_index("ix_pool_check_community_run_id", "pool_check", ["community_run_id"])
    for event in ("UPDATE", "DELETE"):
        _refuse(event)


def _refuse(event: str) -> None:
    """Let no word be changed or deleted."""
    message = "pool_check: what was said is kept for ever; say it anew instead"
    name = f"pool_check_stays_on_{event.lower()}"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON pool_check "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {event} ON pool_check FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
