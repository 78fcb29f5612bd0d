"""The tables of identities, of calls that must happen once, and of what gateways report.

They stand beside billing's in one database, so that a call and its effect share a transaction.
Secrets are never kept: passwords as Argon2 hashes, tokens and keys as SHA-256 digests.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from billing.tables import Identifier, Instant, metadata

login = Table(
    "login",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("role IN ('owner', 'clerk', 'approver', 'engineer')", name="known_role"),
)

login_account = Table(
    "login_account",
    metadata,
    Column("login_id", Identifier, ForeignKey("login.id"), primary_key=True),
    Column("account_id", Identifier, ForeignKey("account.id"), primary_key=True),
)

login_failure = Table(
    "login_failure",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("subject", Text, nullable=False, index=True),  # digest of a name or an address
    Column("at", Instant, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("token_digest", Text, primary_key=True),
    Column("login_id", Identifier, ForeignKey("login.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    CheckConstraint("kind IN ('page', 'api')", name="known_kind"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("name", Text, nullable=False),  # two keys of one name live while one is rotated
    Column("key_digest", Text, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),  # JSON list
    Column("gateway", Text),  # the one gateway that it may report as
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", Instant, nullable=False, index=True),
)

gateway_report = Table(
    "gateway_report",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("sent_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("version", Text, nullable=False),
    Column("tally", Text, nullable=False),  # JSON: received, stored, duplicate, …
)

gateway_device = Table(
    "gateway_device",
    metadata,
    Column("gateway", Text, ForeignKey("gateway_report.gateway"), primary_key=True),
    Column("meter", Text, primary_key=True),
    Column("meter_type", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("last_answer", Instant),
    Column("failures", Integer, nullable=False),
    Column("error", Text),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("gateway", Text, nullable=False),
    Column("entry", Identifier, nullable=False),  # the gateway's own number
    Column("digest", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    # The digest belongs to the identity: a gateway that lost its disk counts from 1 again.
    UniqueConstraint("gateway", "entry", "digest"),
)
