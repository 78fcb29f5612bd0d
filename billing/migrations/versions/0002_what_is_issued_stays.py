"""What is issued stays: the database itself refuses to change or delete it (I5, I9)."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OF_ISSUED_RUN = """EXISTS (
    SELECT 1 FROM community_run JOIN bill_run ON bill_run.id = community_run.bill_run_id
    WHERE bill_run.state = 'issued' AND community_run.id = {owner}
)"""
OWNERS = {
    "bill": "{row}.community_run_id",
    "usage": "{row}.community_run_id",
    "statement": "{row}.community_run_id",
    "bill_line": "(SELECT community_run_id FROM bill WHERE bill.id = {row}.bill_id)",
    "share": "(SELECT community_run_id FROM statement WHERE statement.id = {row}.statement_id)",
}
"""Table → the community run that a row of it belongs to."""

ISSUED = {
    **{table: OF_ISSUED_RUN.replace("{owner}", owner) for table, owner in OWNERS.items()},
    "community_run": (
        "EXISTS (SELECT 1 FROM bill_run WHERE state = 'issued' AND id = {row}.bill_run_id)"
    ),
}
"""Table → when a row of it is issued: it then neither changes, nor goes, nor comes."""

COMES = {
    **ISSUED,
    # An issued bill is dated: one look instead of three, for most of the rows that a run makes.
    "bill_line": "(SELECT issued_on FROM bill WHERE bill.id = {row}.bill_id) IS NOT NULL",
}

FOR_EVER = ("audit", "journal_entry", "posting", "tariff_version", "pool_version")
"""Tables whose rows never change, whatever happens."""


def upgrade() -> None:
    for table, issued in ISSUED.items():
        why = "belongs to an issued run"
        old, new = issued.format(row="OLD"), issued.format(row="NEW")
        _refuse(table, "INSERT", COMES[table].format(row="NEW"), why)
        _refuse(table, "UPDATE", f"{old} OR {new}", why)
        _refuse(table, "DELETE", old, why)
    for event in ("UPDATE", "DELETE"):
        _refuse("bill_run", event, "OLD.state = 'issued'", "is issued")
        for table in FOR_EVER:
            _refuse(table, event, "TRUE", "is kept for ever")
    if op.get_bind().dialect.name == "postgresql":
        for table in ("bill_run", *ISSUED, *FOR_EVER):
            _refuse_to_empty(table)


def _refuse(table: str, event: str, condition: str, why: str) -> None:
    """Make `table` refuse what `event` does to the rows for which `condition` holds."""
    message = f"{table}: this row {why}; add a correction instead"
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
