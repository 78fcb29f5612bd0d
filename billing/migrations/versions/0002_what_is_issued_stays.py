"""What is issued stays: the database itself refuses to change or delete it (I5, I9)."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ISSUED = """
    SELECT 1 FROM community_run JOIN bill_run ON bill_run.id = community_run.bill_run_id
    WHERE bill_run.state = 'issued' AND community_run.id = {owner}
"""
OWNERS = {
    "bill": "OLD.community_run_id",
    "usage": "OLD.community_run_id",
    "statement": "OLD.community_run_id",
    "bill_line": "(SELECT community_run_id FROM bill WHERE bill.id = OLD.bill_id)",
    "share": "(SELECT community_run_id FROM statement WHERE statement.id = OLD.statement_id)",
}
"""Table → the community run that a row of it belongs to."""

FOR_EVER = ("audit", "journal_entry", "posting", "tariff_version", "pool_version")
"""Tables whose rows never change, whatever happens."""


def upgrade() -> None:
    for table, owner in OWNERS.items():
        _refuse(table, f"EXISTS ({ISSUED.format(owner=owner)})", "belongs to an issued run")
    _refuse("bill_run", "OLD.state = 'issued'", "is issued")
    for table in FOR_EVER:
        _refuse(table, "TRUE", "is kept for ever")


def _refuse(table: str, condition: str, why: str) -> None:
    """Make `table` refuse changes of the rows for which `condition` holds."""
    message = f"{table}: this row {why}; add a correction instead"
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_stays_on_{event.lower()} BEFORE {event} ON {table} "
                f"WHEN {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {condition} THEN RAISE EXCEPTION '{message}'; END IF; "
        "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_stays()"
    )
