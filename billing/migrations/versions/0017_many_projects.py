"""Many property companies in one installation: whose each community, run, login, … is.

What there is becomes the project `default`; administrators become those of the installation.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

ALWAYS = ("community", "bill_run", "gateway", "meter_type", "webhook")
"""Tables whose rows belong to a project."""
MAYBE = ("login", "api_key", "audit")
"""Tables whose rows belong to one, or to the installation."""


def upgrade() -> None:
    op.create_table(
        "project",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_project"),
        sa.UniqueConstraint("code", name="uq_project_code"),
    )
    op.execute("INSERT INTO project (code, name) VALUES ('default', 'default')")
    number = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    for table in (*ALWAYS, *MAYBE):
        never_empty = "NOT NULL" if table in ALWAYS else ""
        # as text: SQLite takes a column with its reference, and then the triggers may stay
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN project_id {number} DEFAULT 1 {never_empty} "
            f"CONSTRAINT fk_{table}_project_id REFERENCES project (id)"
        )
        op.create_index(f"ix_{table}_project_id", table, ["project_id"])
    op.execute("UPDATE login SET project_id = NULL WHERE role = 'admin'")
    # keys of two projects may have one name; what they called before is still answered once
    op.execute(
        "UPDATE idempotency SET principal = 'project 1 ' || principal WHERE principal LIKE 'key:%'"
    )
