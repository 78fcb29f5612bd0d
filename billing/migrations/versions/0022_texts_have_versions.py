"""What messages say is kept version by version; one without texts goes back to Tallygate's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

OF_ONE = ["project_id", "kind", "language"]


def upgrade() -> None:
    with op.batch_alter_table("delivery_texts") as batch:
        batch.add_column(sa.Column("version", sa.Integer(), server_default="1", nullable=False))
        batch.alter_column("texts", existing_type=sa.Text(), nullable=True)
        batch.drop_constraint(op.f("uq_delivery_texts_project_id"), type_="unique")
        batch.create_unique_constraint(op.f("uq_delivery_texts_project_id"), [*OF_ONE, "version"])
