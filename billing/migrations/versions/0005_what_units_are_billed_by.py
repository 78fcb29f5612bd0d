"""What a unit is billed by is dated: its attributes, customer class and own tariffs.

A person's reading of a meter between two others is kept too: it divides a month between holders.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

IDENTIFIER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("unit", sa.Column("entrance", sa.Text(), nullable=True))
    _dated("unit_attribute", sa.Column("name", sa.Text(), nullable=False), _value("value"))
    _dated("unit_class", sa.Column("customer_class", sa.Text(), nullable=False))
    _dated("unit_tariffs", sa.Column("tariffs", sa.Text(), nullable=True))
    op.execute(
        "INSERT INTO unit_attribute (unit_id, since, name, value)"
        " SELECT id, '1900-01-01', 'area', area FROM unit WHERE area IS NOT NULL"
    )
    op.execute(
        "INSERT INTO unit_class (unit_id, since, customer_class)"
        " SELECT id, '1900-01-01', customer_class FROM unit"
    )
    op.drop_column("unit", "area")
    op.drop_column("unit", "customer_class")
    op.create_table(
        "interim_register",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("point_id", IDENTIFIER, nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("registers", sa.Text(), nullable=False),
        sa.Column("photo", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_interim_register"),
        sa.ForeignKeyConstraint(["point_id"], ["point.id"], name="fk_interim_register_point_id"),
        sa.UniqueConstraint("point_id", "meter", "at", name="uq_interim_register_point_id"),
    )


def _value(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=True)


def _dated(table: str, *columns: sa.Column[str] | sa.Column[int]) -> None:
    """Make a table of what holds of a unit from a day on."""
    named = [each.name for each in columns if each.name == "name"]
    op.create_table(
        table,
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("unit_id", IDENTIFIER, nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=f"fk_{table}_unit_id"),
        sa.UniqueConstraint("unit_id", *named, "since", name=f"uq_{table}_unit_id"),
    )
