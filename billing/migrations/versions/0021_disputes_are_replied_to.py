"""Who pays replies to an answer: a dispute that has not ended comes into any state again."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

NAME = "dispute_steps_on_update"
CONDITION = "OLD.state NOT IN ('open', 'answered')"
WHY = "dispute: it has ended"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {NAME}")
        op.execute(
            f"CREATE TRIGGER {NAME} BEFORE UPDATE ON dispute "
            f"WHEN {CONDITION} BEGIN SELECT RAISE(ABORT, '{WHY}'); END"
        )
        return
    op.execute(
        f"CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {CONDITION} THEN RAISE EXCEPTION '{WHY}'; END IF; RETURN NEW; END $$"
    )
