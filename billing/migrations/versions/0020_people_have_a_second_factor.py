"""People sign in with a second factor beside the password."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "login_second_factor",
        sa.Column("login_id", IDENTIFIER, nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("confirmed_at", INSTANT, nullable=True),
        sa.Column("last_step", IDENTIFIER, nullable=True),
        sa.ForeignKeyConstraint(
            ["login_id"], ["login.id"], name=op.f("fk_login_second_factor_login_id")
        ),
        sa.PrimaryKeyConstraint("login_id", name=op.f("pk_login_second_factor")),
    )
    op.create_table(
        "login_recovery_code",
        sa.Column("login_id", IDENTIFIER, nullable=False),
        sa.Column("code_digest", sa.Text(), nullable=False),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["login_id"], ["login.id"], name=op.f("fk_login_recovery_code_login_id")
        ),
        sa.PrimaryKeyConstraint("login_id", "code_digest", name=op.f("pk_login_recovery_code")),
    )
    op.create_table(
        "login_pending",
        sa.Column("token_digest", sa.Text(), nullable=False),
        sa.Column("login_id", IDENTIFIER, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name=op.f("fk_login_pending_login_id")),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_login_pending")),
    )
    op.create_index(op.f("ix_login_pending_login_id"), "login_pending", ["login_id"], unique=False)
