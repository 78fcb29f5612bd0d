"""Gateways with their device lists, enrolment, requests, questions, and uploaded meter types."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "gateway_report",
        sa.Column("condition", sa.Text(), nullable=False, server_default="{}"),
    )
    op.create_table(
        "gateway",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gateway")),
    )
    op.create_table(
        "gateway_enrolment",
        sa.Column("token_digest", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", instant, nullable=False),
        sa.Column("used_at", instant, nullable=True),
        sa.ForeignKeyConstraint(
            ["gateway"], ["gateway.name"], name=op.f("fk_gateway_enrolment_gateway")
        ),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_gateway_enrolment")),
    )
    op.create_index(op.f("ix_gateway_enrolment_gateway"), "gateway_enrolment", ["gateway"])
    op.create_table(
        "gateway_bus",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["gateway"], ["gateway.name"], name=op.f("fk_gateway_bus_gateway")),
        sa.PrimaryKeyConstraint("gateway", "name", name=op.f("pk_gateway_bus")),
    )
    op.create_table(
        "gateway_meter",
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("bus", sa.Text(), nullable=True),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["gateway"], ["gateway.name"], name=op.f("fk_gateway_meter_gateway")
        ),
        sa.ForeignKeyConstraint(
            ["gateway", "bus"],
            ["gateway_bus.gateway", "gateway_bus.name"],
            name=op.f("fk_gateway_meter_gateway_bus"),
        ),
        sa.PrimaryKeyConstraint("meter", name=op.f("pk_gateway_meter")),
    )
    op.create_index(op.f("ix_gateway_meter_gateway"), "gateway_meter", ["gateway"])
    op.create_table(
        "meter_type",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meter_type")),
    )
    op.create_table(
        "gateway_request",
        sa.Column("id", identifier, nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", instant, nullable=False),
        sa.Column("expires_at", instant, nullable=True),
        sa.Column("taken_at", instant, nullable=True),
        sa.Column("answered_at", instant, nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('read', 'rebase')", name=op.f("ck_gateway_request_known_kind")
        ),
        sa.ForeignKeyConstraint(
            ["gateway"], ["gateway.name"], name=op.f("fk_gateway_request_gateway")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_request")),
    )
    op.create_index(op.f("ix_gateway_request_gateway"), "gateway_request", ["gateway"])
    op.create_index(op.f("ix_gateway_request_meter"), "gateway_request", ["meter"])
    op.create_table(
        "gateway_question",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "meter", "register", name=op.f("pk_gateway_question")),
    )
    op.create_table(
        "question_answer",
        sa.Column("id", identifier, nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=False),
        sa.Column("answered_at", instant, nullable=False),
        sa.Column("request_id", identifier, nullable=True),
        sa.CheckConstraint(
            "cause IN ('reset', 'exchange', 'map', 'glitch')",
            name=op.f("ck_question_answer_known_cause"),
        ),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["gateway_request.id"],
            name=op.f("fk_question_answer_request_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_question_answer")),
    )
    op.create_index(op.f("ix_question_answer_meter"), "question_answer", ["meter"])
    op.create_index(op.f("ix_quarantine_reason"), "quarantine", ["reason"])
