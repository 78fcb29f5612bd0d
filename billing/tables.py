"""The tables of billing, as SQLAlchemy knows them; `migrations/` makes them.

Quantities are integers of 10⁻⁴ of their unit, money is in minor units, times are UTC. What a bill
rests on is kept as JSON text beside it. A bill's and a usage's id is its community run's id × 10⁶
plus its place in it, so that a run's rows can be written in bulk and are the same each time.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from billing import delivery_tables, dispute_tables, payment_tables, work_tables
from billing.columns import Identifier, Instant, metadata, of_project
from billing.columns import own_id as _id
from billing.columns import refers_to as _to
from billing.registry_tables import (
    account,
    building,
    community,
    installation,
    interim_register,
    point,
    project,
    unit,
    unit_attribute,
    unit_class,
    unit_tariffs,
    vacancy,
)
from billing.review_tables import hold, pool_check, review, review_item, validation
from billing.scoping import Reach, Through

__all__ = [
    "Identifier",
    "Instant",
    "account",
    "building",
    "community",
    "delivery_tables",
    "dispute_tables",
    "hold",
    "installation",
    "interim_register",
    "metadata",
    "payment_tables",
    "point",
    "pool_check",
    "project",
    "review",
    "review_item",
    "unit",
    "unit_attribute",
    "unit_class",
    "unit_tariffs",
    "vacancy",
    "validation",
    "work_tables",
]
"""What the registry's tables and the columns of all are known by here too."""


def _of_referring(name: str, *columns: str) -> Index:
    """Return an index of the rows that refer to something, by the columns that do."""
    there = text(f"{columns[0]} IS NOT NULL")
    return Index(name, *columns, sqlite_where=there, postgresql_where=there)


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
    info={"project": Reach.EVERYBODY},  # a tariff is published, and many companies charge it
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
    Column("valid_from", Date),  # null: from the beginning
    UniqueConstraint("community_id", "code", "version"),
)

pool_retirement = Table(
    "pool_retirement",
    metadata,
    _id(),
    _to("community"),
    Column("code", Text, nullable=False),
    Column("from_day", Date, nullable=False),
    Column("reason", Text, nullable=False),
    Column("retired_by", Text, nullable=False),
    Column("retired_at", Instant, nullable=False),
    UniqueConstraint("community_id", "code", "from_day"),
)

# --- what people enter for a pool and a period ----------------------------------------------------

cost = Table(
    "cost",
    metadata,
    _id(),
    _to("community", index=True),
    Column("pool", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("entered_by", Text, nullable=False),
    Column("entered_at", Instant, nullable=False),
    Column("decision", Text),
    Column("decided_by", Text),
    Column("decided_at", Instant),
    UniqueConstraint("community_id", "pool", "period", "document"),
    CheckConstraint("decision IN ('approved', 'rejected')", name="known_decision"),
    CheckConstraint(
        "(decision IS NULL) = (decided_by IS NULL) AND (decision IS NULL) = (decided_at IS NULL)",
        name="decided_by_somebody",
    ),
    CheckConstraint("decision <> 'approved' OR decided_by <> entered_by", name="four_eyes"),
)

loss_approval = Table(
    "loss_approval",
    metadata,
    _id(),
    _to("community", index=True),
    Column("pool", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("lost", BigInteger, nullable=False),  # 10⁻⁴ of the master's unit
    Column("reason", Text, nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("approved_at", Instant, nullable=False),
    UniqueConstraint("community_id", "pool", "period", "lost"),
)

# --- runs, and what they make ---------------------------------------------------------------------

bill_run = Table(
    "bill_run",
    metadata,
    _id(),
    of_project(),
    Column("kind", Text, nullable=False),
    Column("period", Text, nullable=False),  # the last that it bills
    Column("state", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("computed_by", Text),
    Column("computed_at", Instant),
    Column("reviewed_by", Text),
    Column("reviewed_at", Instant),
    Column("approved_by", Text),
    Column("approved_at", Instant),
    Column("approved_digest", Text),
    Column("issued_by", Text),
    Column("issued_at", Instant),
    Column("withdrawn_by", Text),
    Column("withdrawn_at", Instant),
    Column("reason", Text),  # why it was withdrawn
    Column("digest", Text),
    CheckConstraint(
        "state IN ('draft', 'computed', 'blocked', 'reviewed', 'approved', 'issued', 'withdrawn')",
        name="known_state",
    ),
    CheckConstraint("kind IN ('ordinary', 'correction')", name="known_kind"),
    CheckConstraint(
        "approved_by IS NULL OR (approved_by <> created_by AND approved_by <> computed_by)",
        name="four_eyes",
    ),
    CheckConstraint(
        "state NOT IN ('approved', 'issued') OR (computed_by IS NOT NULL AND reviewed_by IS NOT "
        "NULL AND approved_by IS NOT NULL AND digest IS NOT NULL AND approved_digest IS NOT NULL "
        "AND approved_digest = digest)",
        name="approved_first",
    ),
    CheckConstraint(
        "(state = 'withdrawn') = (withdrawn_by IS NOT NULL AND reason IS NOT NULL)",
        name="withdrawn_for_a_reason",
    ),
)

community_run = Table(
    "community_run",
    metadata,
    _id(),
    Column("bill_run_id", Identifier, ForeignKey("bill_run.id"), nullable=False, index=True),
    _to("community", index=True),
    Column("period", Text, nullable=False),
    Column("revision", Integer, nullable=False, server_default=text("0")),
    Column("state", Text, nullable=False),
    Column("problems", Text, nullable=False),  # JSON list of problems
    Column("anomalies", Text, nullable=False, server_default=text("'[]'")),  # JSON list of them
    Column("bills", Integer, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("digest", Text),
    Index(
        "uq_community_run_revision",
        *("community_id", "period", "revision"),
        unique=True,
        sqlite_where=text("state NOT IN ('held', 'withdrawn')"),
        postgresql_where=text("state NOT IN ('held', 'withdrawn')"),
    ),
)

usage = Table(
    "usage",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=False),
    _to("community_run"),
    _to("point"),
    Column("register", Text, nullable=False),
    Column("start", Instant, nullable=False),
    Column("end", Instant, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("evidence", Text, nullable=False),  # JSON: segments, readings, findings
    # Whether others count the same in parts; those tile the period, and only they are added up.
    Column("joined", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("community_run_id", "point_id", "register", "start", "end"),
)

statement = Table(
    "statement",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=False),
    _to("community_run", index=True),
    _to("pool_version"),
    _to("tariff_version", nullable=True),  # null: a cost by document
    Column("quantity", BigInteger, nullable=False),
    Column("unit", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("keys", Text, nullable=False),  # JSON: basis, unit, part and sum of each key
    Column("evidence", Text, nullable=False),  # JSON: sources, parts, participants
)

share = Table(
    "share",
    metadata,
    Column("statement_id", Identifier, ForeignKey("statement.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _to("unit", nullable=True),
    Column("payer", Text, nullable=False),
    Column("vacant", Boolean, nullable=False),
    Column("key", BigInteger),  # 10⁻⁴ of the first key's unit; null for the company's own share
    Column("rest_key", BigInteger),  # the same of a hybrid's other key
    Column("quantity", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("odd_quantity", Integer, nullable=False),
    Column("odd_amount", Integer, nullable=False),
    Column("carried", BigInteger, nullable=False),  # 10⁻⁶ fen that rounding owes or has given
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
    _to("usage", nullable=True),
    _to("statement", nullable=True),
    Column("share", Integer),
    Column("evidence", Text, nullable=False),  # JSON: inputs and parts
    ForeignKeyConstraint(
        ["statement_id", "share"],
        ["share.statement_id", "share.position"],
        name="fk_bill_line_share",
    ),
    CheckConstraint("(statement_id IS NULL) = (share IS NULL)", name="shares_have_statements"),
    # Whoever deletes a share or usage looks for its lines, in every month that was ever billed.
    _of_referring("ix_bill_line_share", "statement_id", "share"),
    _of_referring("ix_bill_line_usage_id", "usage_id"),
)

correction = Table(
    "correction",
    metadata,
    Column("bill_id", Identifier, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("period", Text, nullable=False),  # the month that the line corrects
    Column("reversal", Boolean, nullable=False),
    Column("of_bill_id", Identifier),  # the line that is reversed, or that this one replaces
    Column("of_position", Integer),
    ForeignKeyConstraint(
        ["bill_id", "position"],
        ["bill_line.bill_id", "bill_line.position"],
        name="fk_correction_line",
        ondelete="CASCADE",
    ),
    ForeignKeyConstraint(
        ["of_bill_id", "of_position"],
        ["bill_line.bill_id", "bill_line.position"],
        name="fk_correction_of_line",
    ),
    CheckConstraint("(of_bill_id IS NULL) = (of_position IS NULL)", name="of_a_line"),
    CheckConstraint("NOT reversal OR of_bill_id IS NOT NULL", name="reverses_a_line"),
    Index("ix_correction_of_line", "of_bill_id", "of_position"),
    Index(
        "uq_correction_reversed_once",
        *("of_bill_id", "of_position"),
        unique=True,
        sqlite_where=text("reversal"),
        postgresql_where=text("reversal"),
    ),
    info={"project": Through("bill_id", "bill", "id")},
)

# --- the ledger and the log -----------------------------------------------------------------------

journal_entry = Table(
    "journal_entry",
    metadata,
    Column("reference", Text, primary_key=True),  # such as bill:XY-2026-10-0001
    _to("community", index=True),
    Column("posted_at", Instant, nullable=False),
    Column("day", Date, nullable=False),  # the local day that it counts on
    Index("ix_journal_entry_day", "community_id", "day"),
)

posting = Table(
    "posting",
    metadata,
    Column("reference", Text, ForeignKey("journal_entry.reference"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("ledger_account", Text, nullable=False),
    _to("account", nullable=True, index=True),
    Column("amount", BigInteger, nullable=False),  # debit above zero, credit below
    Index(
        "ix_posting_credit",
        "account_id",
        sqlite_where=text("ledger_account = 'credit'"),
        postgresql_where=text("ledger_account = 'credit'"),
    ),
)

audit = Table(
    "audit",
    metadata,
    Column("position", Identifier, primary_key=True, autoincrement=False),
    of_project(nullable=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
    Column("previous", Text, nullable=False),
    Column("digest", Text, nullable=False),
)
