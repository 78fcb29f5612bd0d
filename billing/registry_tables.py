"""The tables of the registry: who and what is billed, and where which meter stands."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from billing.columns import Instant, metadata, of_project, own_id, refers_to
from billing.scoping import Own

project = Table(
    "project",
    metadata,
    own_id(),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    info={"project": Own("id")},
)

community = Table(
    "community",
    metadata,
    own_id(),
    of_project(),
    Column("code", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),  # JSON: language → text
    Column("zone", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("due_days", Integer, nullable=False),
    Column("tariffs", Text, nullable=False),  # JSON: customer class → tariff ids
    Column("corrections", Text, nullable=False, server_default=text("'correction bill'")),
)

building = Table(
    "building",
    metadata,
    own_id(),
    refers_to("community"),
    Column("code", Text, nullable=False),
    Column("title", Text, nullable=False),
    UniqueConstraint("community_id", "code"),
)

unit = Table(
    "unit",
    metadata,
    own_id(),
    refers_to("community"),
    refers_to("building", index=True),
    Column("code", Text, nullable=False),
    Column("entrance", Text),
    Column("floor", Integer, nullable=False),
    UniqueConstraint("community_id", "code"),
)

# What a unit is billed by, each from a day on until the next of its kind.

unit_attribute = Table(
    "unit_attribute",
    metadata,
    own_id(),
    refers_to("unit"),
    Column("since", Date, nullable=False),
    Column("name", Text, nullable=False),
    Column("value", BigInteger),  # 10⁻⁴ of its unit; null: not known any more
    UniqueConstraint("unit_id", "name", "since"),
)

unit_class = Table(
    "unit_class",
    metadata,
    own_id(),
    refers_to("unit"),
    Column("since", Date, nullable=False),
    Column("customer_class", Text, nullable=False),
    UniqueConstraint("unit_id", "since"),
)

unit_tariffs = Table(
    "unit_tariffs",
    metadata,
    own_id(),
    refers_to("unit"),
    Column("since", Date, nullable=False),
    Column("tariffs", Text),  # JSON list of tariff ids; null: those of its class
    UniqueConstraint("unit_id", "since"),
)

vacancy = Table(
    "vacancy",
    metadata,
    own_id(),
    refers_to("unit", index=True),
    Column("first_day", Date, nullable=False),
    Column("after_day", Date),
)

account = Table(
    "account",
    metadata,
    own_id(),
    refers_to("community"),
    refers_to("unit", index=True),
    Column("code", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("first_day", Date, nullable=False),
    Column("after_day", Date),
    UniqueConstraint("community_id", "code"),
)

point = Table(
    "point",
    metadata,
    own_id(),
    refers_to("community"),
    refers_to("unit", nullable=True, index=True),
    refers_to("building", nullable=True, index=True),
    Column("code", Text, nullable=False),
    Column("medium", Text, nullable=False),
    Column("role", Text, nullable=False),
    UniqueConstraint("community_id", "code"),
    CheckConstraint("(role = 'unit') = (unit_id IS NOT NULL)", name="unit_points_have_units"),
)

installation = Table(
    "installation",
    metadata,
    own_id(),
    refers_to("point", index=True),
    Column("meter", Text, nullable=False, index=True),
    Column("meter_type", Text, nullable=False),
    Column("start", Instant, nullable=False),
    Column("end", Instant),
    Column("multiplier", Text, nullable=False),
    Column("first", Text, nullable=False),  # JSON: register → value
    Column("last", Text, nullable=False),
    Column("ratios", Text),  # JSON list: later multipliers, each since an instant
    Column("first_photo", Text),
    Column("last_photo", Text),
    Column("verified_until", Date),  # the last day
)

interim_register = Table(
    "interim_register",
    metadata,
    own_id(),
    refers_to("point"),
    Column("meter", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("registers", Text, nullable=False),  # JSON: register → value
    Column("photo", Text),
    UniqueConstraint("point_id", "meter", "at"),
)
