"""The tables of what people and programs are told: events, who hears of them, and each try."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from billing.columns import Identifier, Instant, metadata, of_project
from billing.columns import own_id as _id
from billing.columns import refers_to as _to

event = Table(
    "event",
    metadata,
    _id(),
    Column("key", Text, nullable=False, unique=True),  # what has happened happens once
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    _to("community"),
    _to("account", nullable=True),
    Column("at", Instant, nullable=False, index=True),
    Column("data", Text, nullable=False),  # JSON: what is told of it
    Column("spread_at", Instant),  # when its deliveries were made
    Index(
        "ix_event_not_spread",
        "id",
        sqlite_where=text("spread_at IS NULL"),
        postgresql_where=text("spread_at IS NULL"),
    ),
)

webhook = Table(
    "webhook",
    metadata,
    _id(),
    of_project(),
    Column("url", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("kinds", Text, nullable=False),  # JSON list of kinds of events
    Column("secret", Text, nullable=False),  # it signs, so it is kept
    Column("secret_before", Text),
    Column("secret_before_until", Instant),
    Column("state", Text, nullable=False),
    Column("failing_since", Instant),  # since the last success
    Column("created_by", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("state IN ('on', 'off', 'disabled', 'ended')", name="known_state"),
    CheckConstraint(
        "(secret_before IS NULL) = (secret_before_until IS NULL)", name="old_secrets_end"
    ),
)

delivery = Table(
    "delivery",
    metadata,
    _id(),
    _to("event"),
    Column("channel", Text, nullable=False),
    Column("target", Text, nullable=False),  # whom: webhook:3, contact:7, group:office
    _to("webhook", nullable=True),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("leased_until", Instant),  # whoever sends it has it until then
    Column("done_at", Instant),
    UniqueConstraint("event_id", "channel", "target"),
    CheckConstraint("channel IN ('webhook', 'email', 'sms', 'wecom')", name="known_channel"),
    CheckConstraint(
        "state IN ('waiting', 'sending', 'sent', 'failed', 'unsure')", name="known_state"
    ),
    CheckConstraint("(state = 'sending') = (leased_until IS NOT NULL)", name="leased_to_send"),
    CheckConstraint("(channel = 'webhook') = (webhook_id IS NOT NULL)", name="of_a_webhook"),
    Index("ix_delivery_webhook", "webhook_id", "id"),
    Index("ix_delivery_target", "target", "state"),
    Index(
        "ix_delivery_open",
        "next_at",
        sqlite_where=text("state IN ('waiting', 'sending')"),
        postgresql_where=text("state IN ('waiting', 'sending')"),
    ),
)

delivery_attempt = Table(
    "delivery_attempt",
    metadata,
    _id(),
    Column("delivery_id", Identifier, ForeignKey("delivery.id"), nullable=False, index=True),
    Column("begun_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=False),
    Column("said", Text, nullable=False),
    Column("status", Integer),
    Column("detail", Text, nullable=False),
    CheckConstraint(
        "said IN ('sent', 'failed', 'refused', 'unsure', 'gone')", name="known_outcome"
    ),
)


contact = Table(
    "contact",
    metadata,
    _id(),
    of_project(),
    Column("person", Text, nullable=False),  # the name of a login
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("kinds", Text, nullable=False),  # JSON list of kinds of events
    Column("stated_at", Instant, nullable=False),
    Column(
        "confirmed_at", Instant
    ),  # nothing but the question whether it is right goes there before
    Column("code_digest", Text, index=True),
    Column("code_until", Instant),
    UniqueConstraint("person", "channel"),
    CheckConstraint("channel IN ('email', 'sms')", name="known_channel"),
    CheckConstraint("(code_digest IS NULL) = (code_until IS NULL)", name="codes_end"),
)

contact_account = Table(
    "contact_account",
    metadata,
    Column("contact_id", Identifier, ForeignKey("contact.id"), primary_key=True),
    Column("account_id", Identifier, ForeignKey("account.id"), primary_key=True, index=True),
)

delivery_texts = Table(
    "delivery_texts",
    metadata,
    _id(),
    of_project(),
    Column("kind", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("texts", Text),  # JSON: subject, text, html, short; null for those that Tallygate brings
    Column("changed_by", Text, nullable=False),
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("project_id", "kind", "language", "version"),
)
