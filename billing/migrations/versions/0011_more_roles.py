"""Tenants, the owners' committee, auditors and administrators; when a key was used last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KNOWN = (
    "role IN ('owner', 'tenant', 'committee', 'clerk', 'approver', 'engineer', 'auditor', 'admin')"
)


def upgrade() -> None:
    name = op.f("ck_login_known_role")
    # SQLite makes the table anew, and its checks are not found in the old one.
    with op.batch_alter_table("login") as login:
        if op.get_bind().dialect.name == "postgresql":
            login.drop_constraint(name, type_="check")
        login.create_check_constraint(name, KNOWN)
    op.add_column("api_key", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
