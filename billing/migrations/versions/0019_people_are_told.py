"""Where people are told of what, and texts in place of those that Tallygate brings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "contact",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("project_id", IDENTIFIER, server_default="1", nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("stated_at", INSTANT, nullable=False),
        sa.Column("confirmed_at", INSTANT, nullable=True),
        sa.Column("code_digest", sa.Text(), nullable=True),
        sa.Column("code_until", INSTANT, nullable=True),
        sa.CheckConstraint("channel IN ('email', 'sms')", name=op.f("ck_contact_known_channel")),
        sa.CheckConstraint(
            "(code_digest IS NULL) = (code_until IS NULL)", name=op.f("ck_contact_codes_end")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_contact_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sa.UniqueConstraint("person", "channel", name=op.f("uq_contact_person")),
    )
    op.create_index(op.f("ix_contact_code_digest"), "contact", ["code_digest"], unique=False)
    op.create_index(op.f("ix_contact_project_id"), "contact", ["project_id"], unique=False)
    op.create_table(
        "delivery_texts",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("project_id", IDENTIFIER, server_default="1", nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("texts", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_delivery_texts_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_texts")),
        sa.UniqueConstraint(
            "project_id", "kind", "language", name=op.f("uq_delivery_texts_project_id")
        ),
    )
    op.create_index(
        op.f("ix_delivery_texts_project_id"), "delivery_texts", ["project_id"], unique=False
    )
    op.create_table(
        "contact_account",
        sa.Column("contact_id", IDENTIFIER, nullable=False),
        sa.Column("account_id", IDENTIFIER, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_contact_account_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_contact_account_contact_id")
        ),
        sa.PrimaryKeyConstraint("contact_id", "account_id", name=op.f("pk_contact_account")),
    )
    op.create_index(
        op.f("ix_contact_account_account_id"), "contact_account", ["account_id"], unique=False
    )
