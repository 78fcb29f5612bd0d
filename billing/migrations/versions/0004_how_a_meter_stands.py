"""Installations tell more: dated ratios, until when a meter is verified, pictures of registers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("ratios", "first_photo", "last_photo"):
        op.add_column("installation", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("installation", sa.Column("verified_until", sa.Date(), nullable=True))
