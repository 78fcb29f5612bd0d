"""The tables of payments: what is asked for, what comes in, what it pays, what goes back.

Money is in fen. A *claim* is a journal entry that an account owes: a bill, an opening balance, or
what is owed again after a payment has bounced; `claim` columns hold its reference.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from billing.columns import Identifier, Instant, metadata
from billing.columns import own_id as _id
from billing.columns import refers_to as _to
from billing.scoping import Reach


def _to_entry(name: str, *, index: bool = False) -> Column[str]:
    return Column(name, Text, ForeignKey("journal_entry.reference"), nullable=False, index=index)


payment_policy = Table(
    "payment_policy",
    metadata,
    Column("community_id", Identifier, ForeignKey("community.id"), primary_key=True),
    Column("first", Text, nullable=False),
    Column("charges", Text, nullable=False),  # JSON list of revenue categories, in their order
    Column("four_eyes_above", BigInteger, nullable=False),
    CheckConstraint("first IN ('oldest', 'charge')", name="known_first"),
    CheckConstraint("four_eyes_above >= 0", name="limit_is_an_amount"),
)

payment_order = Table(
    "payment_order",
    metadata,
    _id(),
    _to("community", index=True),
    _to("account", index=True),
    Column("number", Text, nullable=False, unique=True),  # out_trade_no
    Column("channel", Text, nullable=False),
    Column("merchant", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("asked_at", Instant),  # when the provider was last asked what became of it
    Column("scene", Text, nullable=False),
    Column("payer", Text),  # who pays, in the provider's words: an openid
    CheckConstraint("state IN ('open', 'paid', 'closed', 'expired')", name="known_state"),
    CheckConstraint("(state = 'open') = (ended_at IS NULL)", name="ends_once"),
    CheckConstraint("amount > 0", name="of_an_amount"),
    CheckConstraint("length(number) BETWEEN 6 AND 32", name="number_suits_providers"),
    CheckConstraint("scene IN ('code', 'in-app', 'browser')", name="known_scene"),
    CheckConstraint("(scene = 'in-app') = (payer IS NOT NULL)", name="payer_in_app"),
    Index("ix_payment_order_state_expires_at", "state", "expires_at"),
)

payment_order_claim = Table(
    "payment_order_claim",
    metadata,
    Column("payment_order_id", Identifier, ForeignKey("payment_order.id"), primary_key=True),
    _to_entry("claim", index=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
    UniqueConstraint("payment_order_id", "claim"),
    CheckConstraint("amount > 0", name="of_an_amount"),
)

payment = Table(
    "payment",
    metadata,
    _id(),
    _to("community", index=True),
    _to("account", index=True),
    _to("payment_order", nullable=True, index=True),
    Column("channel", Text, nullable=False),
    Column("transaction_id", Text, nullable=False),  # the provider's
    Column("merchant", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("rounding", BigInteger, nullable=False),  # let go of beside the amount, in cash
    Column("currency", Text, nullable=False),
    Column("paid_at", Instant, nullable=False),
    Column("named", Text, nullable=False),  # JSON: claim → how much of it is meant; {}: by policy
    Column("note", Text),
    Column("needs_approval", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("entered_by", Text),  # null: a provider said so
    Column("entered_at", Instant, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", Instant),
    Column("reversed_by", Text),
    Column("reversed_at", Instant),
    Column("reversal", Text),
    Column("reversal_reason", Text),
    UniqueConstraint("channel", "transaction_id"),
    CheckConstraint("state IN ('entered', 'posted', 'rejected', 'reversed')", name="known_state"),
    CheckConstraint("amount > 0", name="of_an_amount"),
    CheckConstraint("rounding BETWEEN -99 AND 99", name="rounds_by_less_than_one"),
    CheckConstraint(
        "decided_by IS NULL OR (entered_by IS NOT NULL AND decided_by <> entered_by)",
        name="four_eyes",
    ),
    CheckConstraint(
        "state IN ('entered', 'rejected') OR NOT needs_approval OR decided_by IS NOT NULL",
        name="approved_first",
    ),
    CheckConstraint(
        "(state = 'reversed') = (reversed_by IS NOT NULL AND reversed_at IS NOT NULL"
        " AND reversal_reason IS NOT NULL AND reversal IS NOT NULL)",
        name="reversed_for_a_reason",
    ),
    CheckConstraint("reversal IN ('bounced', 'mistaken')", name="known_reversal"),
    CheckConstraint(
        "reversed_by IS NULL OR entered_by IS NULL OR reversed_by <> entered_by",
        name="reversed_by_another",
    ),
)

application = Table(
    "application",
    metadata,
    _id(),
    _to("account", index=True),
    _to_entry("claim", index=True),
    Column("category", Text, nullable=False),  # which part of the claim: a revenue category
    Column("amount", BigInteger, nullable=False),  # below zero: taken back, or a claim below zero
    _to_entry("reference", index=True),  # the entry that posted it
    CheckConstraint("amount <> 0", name="of_an_amount"),
    CheckConstraint(
        "claim LIKE 'bill:%' OR claim LIKE 'opening:%' OR claim LIKE 'owed:%'", name="to_a_claim"
    ),
)

refund = Table(
    "refund",
    metadata,
    _id(),
    _to("community", index=True),
    _to("account", index=True),
    _to("payment", index=True),
    Column("number", Text, nullable=False, unique=True),  # out_refund_no
    Column("amount", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", Instant),
    Column("ended_by", Text),  # null: the provider said so
    Column("ended_at", Instant),
    Column("refund_id", Text),  # the provider's
    CheckConstraint(
        "state IN ('requested', 'approved', 'rejected', 'executed', 'failed')", name="known_state"
    ),
    CheckConstraint("amount > 0", name="of_an_amount"),
    CheckConstraint("length(reason) > 0", name="has_a_reason"),
    CheckConstraint(
        "(state = 'requested') = (decided_by IS NULL) AND (decided_by IS NULL) = "
        "(decided_at IS NULL)",
        name="decided_by_somebody",
    ),
    CheckConstraint("decided_by IS NULL OR decided_by <> requested_by", name="four_eyes"),
    CheckConstraint("(state IN ('executed', 'failed')) = (ended_at IS NOT NULL)", name="ends_once"),
)

payment_callback = Table(
    "payment_callback",
    metadata,
    _id(),
    Column("provider", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("received_at", Instant, nullable=False, index=True),
    Column("headers", Text, nullable=False),  # JSON
    Column("body", LargeBinary, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text),
    _to("payment", nullable=True, index=True),
    _to("refund", nullable=True, index=True),
    CheckConstraint("source IN ('callback', 'query')", name="known_source"),
    CheckConstraint("verdict IN ('posted', 'known', 'noted', 'refused')", name="known_verdict"),
    CheckConstraint("verdict <> 'refused' OR reason IS NOT NULL", name="refused_for_a_reason"),
    info={"project": Reach.INSTALLATION},  # much of it fits nobody's order
)

receipt_book = Table(
    "receipt_book",
    metadata,
    Column("community_id", Identifier, ForeignKey("community.id"), primary_key=True),
    Column("last", Integer, nullable=False),
)

receipt = Table(
    "receipt",
    metadata,
    Column("community_id", Identifier, ForeignKey("community.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("payment_id", Identifier, ForeignKey("payment.id"), nullable=False, unique=True),
    Column("issued_at", Instant, nullable=False),
    Column("document", Text, nullable=False),  # JSON: who paid what, and what it paid
)

day_close = Table(
    "day_close",
    metadata,
    Column("community_id", Identifier, ForeignKey("community.id"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("entries", Integer, nullable=False),  # that were dated since the close before
    Column("balance", Text, nullable=False),  # JSON: ledger account → fen, through that day
    Column("closed_by", Text, nullable=False),
    Column("closed_at", Instant, nullable=False),
)
