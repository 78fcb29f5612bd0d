"""Disputes of bill lines: one pending a line, steps that go forward, words that stay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)
PENDING = "state IN ('open', 'answered')"

STEPS = ", ".join(
    f"'{old}>{new}'"
    for old in ("open", "answered")
    for new in ("answered", "accepted", "rejected", "withdrawn")
)
REWRITTEN = " OR ".join(
    f"OLD.{name} <> NEW.{name}" for name in ("account_id", "bill_id", "position")
)
ISSUED = """EXISTS (SELECT 1 FROM bill b JOIN community_run c ON c.id = b.community_run_id
    JOIN bill_run r ON r.id = c.bill_run_id
    WHERE b.id = NEW.bill_id AND b.account_id = NEW.account_id AND r.state = 'issued')"""


def upgrade() -> None:
    _make_tables()
    for name, event, condition, why in (
        ("begins", "INSERT", "NEW.state <> 'open'", "it begins as open"),
        ("is_of_a_bill", "INSERT", f"NOT {ISSUED}", "it is of an issued bill of this account"),
        (
            "steps",
            "UPDATE",
            f"(OLD.state || '>' || NEW.state) NOT IN ({STEPS})",
            "it does not come from that state into this one",
        ),
        ("is_kept", "UPDATE", REWRITTEN, "what it is about is not rewritten"),
        ("stays", "DELETE", "TRUE", "this row is kept for ever"),
    ):
        _refuse("dispute", name, event, condition, why)
    for event in ("UPDATE", "DELETE"):
        _refuse("dispute_word", "stays", event, "TRUE", "this row is kept for ever")


def _make_tables() -> None:
    op.create_table(
        "dispute",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("account_id", IDENTIFIER, nullable=False),
        sa.Column("bill_id", IDENTIFIER, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("bill_run_id", IDENTIFIER, nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'answered', 'accepted', 'rejected', 'withdrawn')",
            name=op.f("ck_dispute_known_state"),
        ),
        sa.CheckConstraint(
            "bill_run_id IS NULL OR state = 'accepted'",
            name=op.f("ck_dispute_corrected_if_accepted"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_dispute_account_id"),
        sa.ForeignKeyConstraint(["bill_run_id"], ["bill_run.id"], name="fk_dispute_bill_run_id"),
        sa.ForeignKeyConstraint(
            ["bill_id", "position"],
            ["bill_line.bill_id", "bill_line.position"],
            name="fk_dispute_line",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_dispute"),
    )
    op.create_index("ix_dispute_account_id", "dispute", ["account_id"])
    op.create_index("ix_dispute_line", "dispute", ["bill_id", "position"])
    op.create_index(
        "uq_dispute_pending_once",
        "dispute",
        ["bill_id", "position"],
        unique=True,
        sqlite_where=sa.text(PENDING),
        postgresql_where=sa.text(PENDING),
    )
    op.create_table(
        "dispute_word",
        sa.Column("dispute_id", IDENTIFIER, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("said_by", sa.Text(), nullable=False),
        sa.Column("said_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "length(text) > 0 OR state = 'withdrawn'", name=op.f("ck_dispute_word_says_something")
        ),
        sa.ForeignKeyConstraint(["dispute_id"], ["dispute.id"], name="fk_dispute_word_dispute_id"),
        sa.PrimaryKeyConstraint("dispute_id", "position", name="pk_dispute_word"),
    )


def _refuse(table: str, name: str, event: str, condition: str, why: str) -> None:
    """Make `table` refuse what `event` does to the rows for which `condition` holds."""
    name = f"{table}_{name}_on_{event.lower()}"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
            f"WHEN {condition} BEGIN SELECT RAISE(ABORT, '{table}: {why}'); END"
        )
        return
    row = "OLD" if event == "DELETE" else "NEW"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {condition} THEN RAISE EXCEPTION '{table}: {why}'; END IF; RETURN {row}; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
