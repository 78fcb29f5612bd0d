"""Pools share losses and costs by document, by hybrid keys, and carry odd cents on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

IDENTIFIER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
INSTANT = sa.DateTime(timezone=True)
FOR_EVER = ("pool_retirement", "loss_approval")

STATED = ("community_id", "pool", "period", "document", "amount", "entered_by", "entered_at")
"""What is entered of a cost; only the decision on it comes later."""


def upgrade() -> None:
    op.add_column("pool_version", sa.Column("valid_from", sa.Date(), nullable=True))
    op.add_column("share", sa.Column("rest_key", sa.BigInteger(), nullable=True))
    for table, column in (
        ("share", sa.Column("carried", sa.BigInteger(), nullable=False, server_default="0")),
        ("statement", sa.Column("keys", sa.Text(), nullable=False, server_default="[]")),
    ):
        op.add_column(table, column)
    _statements_need_no_tariff()
    _make_tables()
    for table in FOR_EVER:
        for event in ("UPDATE", "DELETE"):
            _refuse(table, event, "TRUE", "is kept for ever")
    _refuse("cost", "DELETE", "TRUE", "is kept for ever")
    changed = " OR ".join(f"OLD.{column} <> NEW.{column}" for column in STATED)
    _refuse("cost", "UPDATE", f"OLD.decision IS NOT NULL OR {changed}", "is entered and stays")
    if op.get_bind().dialect.name == "postgresql":
        for table in ("cost", *FOR_EVER):
            _refuse_to_empty(table)


def _statements_need_no_tariff() -> None:
    """Let a statement name no tariff, as one of a cost by document.

    SQLite drops no constraint by command. Its documentation says to change the stored text where,
    as here, no row is stored otherwise than before; to copy the table would drop its triggers.
    """
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        op.alter_column("statement", "tariff_version_id", nullable=True)
        return
    text = connection.scalar(sa.text("SELECT sql FROM sqlite_schema WHERE name = 'statement'"))
    changed = text.replace("tariff_version_id INTEGER NOT NULL", "tariff_version_id INTEGER")
    if changed == text:
        raise RuntimeError(f"the table of statements is not as it was made: {text}")
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.execute(
        sa.text("UPDATE sqlite_schema SET sql = :sql WHERE type = 'table' AND name = 'statement'"),
        {"sql": changed},
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")


def _make_tables() -> None:
    op.create_table(
        "pool_retirement",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("community_id", IDENTIFIER, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("retired_by", sa.Text(), nullable=False),
        sa.Column("retired_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_pool_retirement_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pool_retirement")),
        sa.UniqueConstraint(
            "community_id", "code", "from_day", name=op.f("uq_pool_retirement_community_id")
        ),
    )
    op.create_table(
        "cost",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("community_id", IDENTIFIER, nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=False),
        sa.Column("entered_at", INSTANT, nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "decision IN ('approved', 'rejected')", name=op.f("ck_cost_known_decision")
        ),
        sa.CheckConstraint(
            "(decision IS NULL) = (decided_by IS NULL)"
            " AND (decision IS NULL) = (decided_at IS NULL)",
            name=op.f("ck_cost_decided_by_somebody"),
        ),
        sa.CheckConstraint(
            "decision <> 'approved' OR decided_by <> entered_by", name=op.f("ck_cost_four_eyes")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_cost_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cost")),
        sa.UniqueConstraint(
            "community_id", "pool", "period", "document", name=op.f("uq_cost_community_id")
        ),
    )
    op.create_index(op.f("ix_cost_community_id"), "cost", ["community_id"])
    op.create_table(
        "loss_approval",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("community_id", IDENTIFIER, nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("approved_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_loss_approval_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loss_approval")),
        sa.UniqueConstraint(
            "community_id", "pool", "period", "lost", name=op.f("uq_loss_approval_community_id")
        ),
    )
    op.create_index(op.f("ix_loss_approval_community_id"), "loss_approval", ["community_id"])


def _refuse(table: str, event: str, condition: str, why: str) -> None:
    """Make `table` refuse what `event` does to the rows for which `condition` holds."""
    message = f"{table}: this row {why}; add another instead"
    name = f"{table}_stays_on_{event.lower()}"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} "
            f"WHEN {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    row = "OLD" if event == "DELETE" else "NEW"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {condition} THEN RAISE EXCEPTION '{message}'; END IF; RETURN {row}; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )


def _refuse_to_empty(table: str) -> None:
    """Make `table` refuse TRUNCATE, which asks no trigger of a row."""
    name = f"{table}_stays_on_truncate"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{table}: holds rows that stay; it cannot be emptied'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )
