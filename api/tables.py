"""The tables of identities, of calls that must happen once, of gateways and what they read.

They stand beside billing's in one database, so that a call and its effect share a transaction.
Secrets are never kept: passwords as Argon2 hashes, tokens and keys as SHA-256 digests; that of a
second factor, which must be read again, is sealed (`billing/sealing.py`).
A login or key without a project is of the installation as a whole.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from billing.columns import of_project
from billing.scoping import Reach, Through
from billing.tables import Identifier, Instant, metadata

login = Table(
    "login",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    of_project(nullable=True),
    CheckConstraint(
        "role IN ('owner', 'tenant', 'committee', 'clerk', 'approver', 'engineer', 'auditor',"
        " 'admin')",
        name="known_role",
    ),
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
    info={"project": Reach.INSTALLATION},
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

login_second_factor = Table(
    "login_second_factor",
    metadata,
    Column("login_id", Identifier, ForeignKey("login.id"), primary_key=True),
    Column("secret", Text, nullable=False),  # sealed for this login
    Column("created_at", Instant, nullable=False),
    Column("confirmed_at", Instant),  # none until a first code has proven the authenticator
    Column("last_step", Identifier),  # the newest step that was used; none before it counts again
)

login_recovery_code = Table(
    "login_recovery_code",
    metadata,
    Column("login_id", Identifier, ForeignKey("login.id"), primary_key=True),
    Column("code_digest", Text, primary_key=True),
    Column("used_at", Instant),
)

login_pending = Table(
    "login_pending",  # the password was right; no session before the second factor is
    metadata,
    Column("token_digest", Text, primary_key=True),
    Column("login_id", Identifier, ForeignKey("login.id"), nullable=False, index=True),
    Column("expires_at", Instant, nullable=False),
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
    Column("last_used_at", Instant),  # to the hour: a read is not to write each time
    of_project(nullable=True),
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
    info={"project": Reach.EVERYBODY},  # the principal says whose a call is
)

OF_GATEWAY = {"project": Through("gateway", "gateway", "name")}
"""Rows of the project whose gateway they name."""

gateway_report = Table(
    "gateway_report",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("sent_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("version", Text, nullable=False),
    Column("tally", Text, nullable=False),  # JSON: received, stored, duplicate, …
    Column("condition", Text, nullable=False, server_default="{}"),  # JSON: clock, spool, alarms
    info=OF_GATEWAY,
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
    Column("reason", Text, nullable=False, index=True),
    Column("detail", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    # The digest belongs to the identity: a gateway that lost its disk counts from 1 again.
    UniqueConstraint("gateway", "entry", "digest"),
    info=OF_GATEWAY,
)

# --- what engineers tell gateways -----------------------------------------------------------------

gateway = Table(
    "gateway",
    metadata,
    Column("name", Text, primary_key=True),
    Column("digest", Text, nullable=False),  # of its device list, which is its ETag
    Column("created_at", Instant, nullable=False),
    of_project(),
)

gateway_enrolment = Table(
    "gateway_enrolment",
    metadata,
    Column("token_digest", Text, primary_key=True),
    Column("gateway", Text, ForeignKey("gateway.name"), nullable=False, index=True),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
)

gateway_bus = Table(
    "gateway_bus",
    metadata,
    Column("gateway", Text, ForeignKey("gateway.name"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("settings", Text, nullable=False),  # JSON: the keys of [[bus]] but its name and devices
)

gateway_meter = Table(
    "gateway_meter",
    metadata,
    Column("meter", Text, primary_key=True),  # one meter, one way in
    Column("gateway", Text, ForeignKey("gateway.name"), nullable=False, index=True),
    Column("bus", Text),  # none for a meter that reports through the broker
    Column("settings", Text, nullable=False),  # JSON: the keys of its table but the meter
    ForeignKeyConstraint(
        ["gateway", "bus"],
        ["gateway_bus.gateway", "gateway_bus.name"],
        name="fk_gateway_meter_gateway_bus",
    ),
)

meter_type = Table(
    "meter_type",
    metadata,
    Column("id", Text, primary_key=True),
    Column("document", Text, nullable=False),  # the TOML file, as it was given
    Column("digest", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    of_project(),
)

gateway_request = Table(
    "gateway_request",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("gateway", Text, ForeignKey("gateway.name"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("meter", Text, nullable=False, index=True),
    Column("detail", Text, nullable=False),  # JSON
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("expires_at", Instant),  # none for what must be done whenever the gateway comes back
    Column("taken_at", Instant),
    Column("answered_at", Instant),
    Column("answer", Text),  # JSON
    CheckConstraint("kind IN ('read', 'rebase')", name="known_kind"),
)

gateway_question = Table(
    "gateway_question",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("meter", Text, primary_key=True),
    Column("register", Text, primary_key=True),
    Column("document", Text, nullable=False),  # JSON: what the gateway saw
    info=OF_GATEWAY,
)

question_answer = Table(
    "question_answer",
    metadata,
    Column("id", Identifier, primary_key=True),
    Column("gateway", Text, nullable=False),
    Column("meter", Text, nullable=False, index=True),
    Column("register", Text, nullable=False),
    Column("question", Text, nullable=False),  # JSON: as it stood when it was answered
    Column("cause", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("answered_by", Text, nullable=False),
    Column("answered_at", Instant, nullable=False),
    Column("request_id", Identifier, ForeignKey("gateway_request.id")),
    CheckConstraint("cause IN ('reset', 'exchange', 'map', 'glitch')", name="known_cause"),
    info=OF_GATEWAY,
)
