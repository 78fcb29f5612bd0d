"""The tables of billing, as SQLAlchemy knows them; `migrations/` makes them.

Quantities are integers of 10⁻⁴ of their unit, money is in minor units, times are UTC. What a bill
rests on is kept as JSON text beside it. A bill's and a usage's id is its community run's id × 10⁶
plus its place in it, so that a run's rows can be written in bulk and are the same each time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Identifier = BigInteger().with_variant(Integer, "sqlite")
"""64 bits everywhere; SQLite numbers rows by itself only under the name INTEGER."""


class Instant(TypeDecorator[datetime]):
    """An aware UTC time, also on databases that drop the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _id() -> Column[int]:
    return Column("id", Identifier, primary_key=True)


def _to(table: str, *, nullable: bool = False, index: bool = False) -> Column[int]:
    return Column(
        f"{table}_id", Identifier, ForeignKey(f"{table}.id"), nullable=nullable, index=index
    )


# --- the registry: who and what is billed ---------------------------------------------------------

community = Table(
    "community",
    metadata,
    _id(),
    Column("code", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),  # JSON: language → text
    Column("zone", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("due_days", Integer, nullable=False),
    Column("tariffs", Text, nullable=False),  # JSON: customer class → tariff ids
)

building = Table(
    "building",
    metadata,
    _id(),
    _to("community"),
    Column("code", Text, nullable=False),
    Column("title", Text, nullable=False),
    UniqueConstraint("community_id", "code"),
)

unit = Table(
    "unit",
    metadata,
    _id(),
    _to("community"),
    _to("building", index=True),
    Column("code", Text, nullable=False),
    Column("floor", Integer, nullable=False),
    Column("area", BigInteger),  # 10⁻⁴ m²
    Column("customer_class", Text, nullable=False),
    UniqueConstraint("community_id", "code"),
)

vacancy = Table(
    "vacancy",
    metadata,
    _id(),
    _to("unit", index=True),
    Column("first_day", Date, nullable=False),
    Column("after_day", Date),
)

account = Table(
    "account",
    metadata,
    _id(),
    _to("community"),
    _to("unit", index=True),
    Column("code", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("first_day", Date, nullable=False),
    Column("after_day", Date),
    UniqueConstraint("community_id", "code"),
)

point = Table(
    "point",
    metadata,
    _id(),
    _to("community"),
    _to("unit", nullable=True, index=True),
    _to("building", nullable=True, index=True),
    Column("code", Text, nullable=False),
    Column("medium", Text, nullable=False),
    Column("role", Text, nullable=False),
    UniqueConstraint("community_id", "code"),
    CheckConstraint("(role = 'unit') = (unit_id IS NOT NULL)", name="unit_points_have_units"),
)

installation = Table(
    "installation",
    metadata,
    _id(),
    _to("point", index=True),
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

# --- definitions: immutable versions --------------------------------------------------------------

tariff_version = Table(
    "tariff_version",
    metadata,
    _id(),
    Column("code", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("digest", Text, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("code", "version"),
)

pool_version = Table(
    "pool_version",
    metadata,
    _id(),
    _to("community"),
    Column("code", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("community_id", "code", "version"),
)

# --- runs, and what they make ---------------------------------------------------------------------

bill_run = Table(
    "bill_run",
    metadata,
    _id(),
    Column("period", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("computed_by", Text),
    Column("computed_at", Instant),
    Column("approved_by", Text),
    Column("approved_at", Instant),
    Column("issued_by", Text),
    Column("issued_at", Instant),
    Column("digest", Text),
    CheckConstraint(
        "state IN ('draft', 'computed', 'blocked', 'approved', 'issued')", name="known_state"
    ),
    CheckConstraint(
        "approved_by IS NULL OR (approved_by <> created_by AND approved_by <> computed_by)",
        name="four_eyes",
    ),
    CheckConstraint(
        "state NOT IN ('approved', 'issued')"
        " OR (computed_by IS NOT NULL AND approved_by IS NOT NULL)",
        name="approved_first",
    ),
)

community_run = Table(
    "community_run",
    metadata,
    _id(),
    Column("bill_run_id", Identifier, ForeignKey("bill_run.id"), nullable=False, index=True),
    _to("community", index=True),
    Column("period", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("problems", Text, nullable=False),  # JSON list of texts
    Column("bills", Integer, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("digest", Text),
    UniqueConstraint("community_id", "period"),
)

usage = Table(
    "usage",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=False),
    _to("community_run", index=True),
    _to("point"),
    Column("register", Text, nullable=False),
    Column("start", Instant, nullable=False),
    Column("end", Instant, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("evidence", Text, nullable=False),  # JSON: segments, readings, findings
    UniqueConstraint("point_id", "register", "start"),
)

statement = Table(
    "statement",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=False),
    _to("community_run", index=True),
    _to("pool_version"),
    _to("tariff_version"),
    Column("quantity", BigInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("evidence", Text, nullable=False),  # JSON: sources, participants, exclusions
)

share = Table(
    "share",
    metadata,
    Column("statement_id", Identifier, ForeignKey("statement.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _to("unit", nullable=True),
    Column("payer", Text, nullable=False),
    Column("vacant", Boolean, nullable=False),
    Column("key", BigInteger),  # 10⁻⁴ of the statement's key unit; null for an agreed share
    Column("quantity", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("odd_quantity", Integer, nullable=False),
    Column("odd_amount", Integer, nullable=False),
    CheckConstraint("payer IN ('owner', 'company')", name="known_payer"),
)

bill = Table(
    "bill",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=False),
    _to("community_run", index=True),
    _to("account", index=True),
    _to("unit"),
    Column("number", Text, nullable=False, unique=True),
    Column("period", Text, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("issued_on", Date),
    Column("due_on", Date),
)

bill_line = Table(
    "bill_line",
    metadata,
    Column("bill_id", Identifier, ForeignKey("bill.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("charge", Text, nullable=False),
    Column("revenue", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    _to("tariff_version", nullable=True),
    _to("usage", nullable=True, index=True),
    _to("statement", nullable=True),
    Column("share", Integer),
    Column("evidence", Text, nullable=False),  # JSON: inputs and parts
    ForeignKeyConstraint(
        ["statement_id", "share"],
        ["share.statement_id", "share.position"],
        name="fk_bill_line_share",
    ),
    CheckConstraint("(statement_id IS NULL) = (share IS NULL)", name="shares_have_statements"),
    # Whoever deletes a share looks for its lines, in every month that was ever billed.
    Index("ix_bill_line_share", "statement_id", "share"),
)

# --- the ledger and the log -----------------------------------------------------------------------

journal_entry = Table(
    "journal_entry",
    metadata,
    Column("reference", Text, primary_key=True),  # such as bill:XY-2026-10-0001
    _to("community", index=True),
    Column("posted_at", Instant, nullable=False),
)

posting = Table(
    "posting",
    metadata,
    Column("reference", Text, ForeignKey("journal_entry.reference"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("ledger_account", Text, nullable=False),
    _to("account", nullable=True, index=True),
    Column("amount", BigInteger, nullable=False),  # debit above zero, credit below
)

audit = Table(
    "audit",
    metadata,
    Column("position", Identifier, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
    Column("previous", Text, nullable=False),
    Column("digest", Text, nullable=False),
)
