"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", identifier, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_digest", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("key_digest", name=op.f("uq_api_key_key_digest")),
    )
    op.create_table(
        "audit",
        sa.Column("position", identifier, autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit")),
    )
    op.create_table(
        "bill_run",
        sa.Column("id", identifier, nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("computed_by", sa.Text(), nullable=True),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issued_by", sa.Text(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'computed', 'blocked', 'approved', 'issued')",
            name=op.f("ck_bill_run_known_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'issued')"
            " OR (computed_by IS NOT NULL AND approved_by IS NOT NULL)",
            name=op.f("ck_bill_run_approved_first"),
        ),
        sa.CheckConstraint(
            "approved_by IS NULL OR (approved_by <> created_by AND approved_by <> computed_by)",
            name=op.f("ck_bill_run_four_eyes"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill_run")),
    )
    op.create_table(
        "community",
        sa.Column("id", identifier, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("due_days", sa.Integer(), nullable=False),
        sa.Column("tariffs", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_community")),
        sa.UniqueConstraint("code", name=op.f("uq_community_code")),
    )
    op.create_table(
        "gateway_report",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("tally", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", name=op.f("pk_gateway_report")),
    )
    op.create_table(
        "idempotency",
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_created_at"), "idempotency", ["created_at"], unique=False)
    op.create_table(
        "login",
        sa.Column("id", identifier, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('owner', 'clerk', 'approver', 'engineer')", name=op.f("ck_login_known_role")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login")),
        sa.UniqueConstraint("name", name=op.f("uq_login_name")),
    )
    op.create_table(
        "login_failure",
        sa.Column("id", identifier, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_failure")),
    )
    op.create_index(op.f("ix_login_failure_subject"), "login_failure", ["subject"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("id", identifier, nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("entry", identifier, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("gateway", "entry", "digest", name=op.f("uq_quarantine_gateway")),
    )
    op.create_table(
        "tariff_version",
        sa.Column("id", identifier, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tariff_version")),
        sa.UniqueConstraint("code", "version", name=op.f("uq_tariff_version_code")),
    )
    op.create_table(
        "building",
        sa.Column("id", identifier, nullable=False),
        sa.Column("community_id", identifier, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_building_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_building")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_building_community_id")),
    )
    op.create_table(
        "community_run",
        sa.Column("id", identifier, nullable=False),
        sa.Column("bill_run_id", identifier, nullable=False),
        sa.Column("community_id", identifier, nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.Column("bills", sa.Integer(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["bill_run_id"], ["bill_run.id"], name=op.f("fk_community_run_bill_run_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_community_run_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_community_run")),
        sa.UniqueConstraint("community_id", "period", name=op.f("uq_community_run_community_id")),
    )
    op.create_index(
        op.f("ix_community_run_bill_run_id"), "community_run", ["bill_run_id"], unique=False
    )
    op.create_index(
        op.f("ix_community_run_community_id"), "community_run", ["community_id"], unique=False
    )
    op.create_table(
        "gateway_device",
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("meter_type", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("last_answer", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["gateway"], ["gateway_report.gateway"], name=op.f("fk_gateway_device_gateway")
        ),
        sa.PrimaryKeyConstraint("gateway", "meter", name=op.f("pk_gateway_device")),
    )
    op.create_table(
        "journal_entry",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("community_id", identifier, nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_journal_entry_community_id")
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_journal_entry")),
    )
    op.create_index(
        op.f("ix_journal_entry_community_id"), "journal_entry", ["community_id"], unique=False
    )
    op.create_table(
        "pool_version",
        sa.Column("id", identifier, nullable=False),
        sa.Column("community_id", identifier, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_pool_version_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pool_version")),
        sa.UniqueConstraint(
            "community_id", "code", "version", name=op.f("uq_pool_version_community_id")
        ),
    )
    op.create_table(
        "session",
        sa.Column("token_digest", sa.Text(), nullable=False),
        sa.Column("login_id", identifier, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('page', 'api')", name=op.f("ck_session_known_kind")),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name=op.f("fk_session_login_id")),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_login_id"), "session", ["login_id"], unique=False)
    op.create_table(
        "statement",
        sa.Column("id", identifier, autoincrement=False, nullable=False),
        sa.Column("community_run_id", identifier, nullable=False),
        sa.Column("pool_version_id", identifier, nullable=False),
        sa.Column("tariff_version_id", identifier, nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_run_id"], ["community_run.id"], name=op.f("fk_statement_community_run_id")
        ),
        sa.ForeignKeyConstraint(
            ["pool_version_id"], ["pool_version.id"], name=op.f("fk_statement_pool_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["tariff_version_id"],
            ["tariff_version.id"],
            name=op.f("fk_statement_tariff_version_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement")),
    )
    op.create_index(
        op.f("ix_statement_community_run_id"), "statement", ["community_run_id"], unique=False
    )
    op.create_table(
        "unit",
        sa.Column("id", identifier, nullable=False),
        sa.Column("community_id", identifier, nullable=False),
        sa.Column("building_id", identifier, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("floor", sa.Integer(), nullable=False),
        sa.Column("area", sa.BigInteger(), nullable=True),
        sa.Column("customer_class", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["building_id"], ["building.id"], name=op.f("fk_unit_building_id")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_unit_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_unit_community_id")),
    )
    op.create_index(op.f("ix_unit_building_id"), "unit", ["building_id"], unique=False)
    op.create_table(
        "account",
        sa.Column("id", identifier, nullable=False),
        sa.Column("community_id", identifier, nullable=False),
        sa.Column("unit_id", identifier, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("after_day", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_account_community_id")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_account_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_account_community_id")),
    )
    op.create_index(op.f("ix_account_unit_id"), "account", ["unit_id"], unique=False)
    op.create_table(
        "point",
        sa.Column("id", identifier, nullable=False),
        sa.Column("community_id", identifier, nullable=False),
        sa.Column("unit_id", identifier, nullable=True),
        sa.Column("building_id", identifier, nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("medium", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(role = 'unit') = (unit_id IS NOT NULL)", name=op.f("ck_point_unit_points_have_units")
        ),
        sa.ForeignKeyConstraint(
            ["building_id"], ["building.id"], name=op.f("fk_point_building_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_point_community_id")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_point_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_point")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_point_community_id")),
    )
    op.create_index(op.f("ix_point_building_id"), "point", ["building_id"], unique=False)
    op.create_index(op.f("ix_point_unit_id"), "point", ["unit_id"], unique=False)
    op.create_table(
        "share",
        sa.Column("statement_id", identifier, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("unit_id", identifier, nullable=True),
        sa.Column("payer", sa.Text(), nullable=False),
        sa.Column("vacant", sa.Boolean(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("odd_quantity", sa.Integer(), nullable=False),
        sa.Column("odd_amount", sa.Integer(), nullable=False),
        sa.CheckConstraint("payer IN ('owner', 'company')", name=op.f("ck_share_known_payer")),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["statement.id"], name=op.f("fk_share_statement_id")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_share_unit_id")),
        sa.PrimaryKeyConstraint("statement_id", "position", name=op.f("pk_share")),
    )
    op.create_table(
        "vacancy",
        sa.Column("id", identifier, nullable=False),
        sa.Column("unit_id", identifier, nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("after_day", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_vacancy_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vacancy")),
    )
    op.create_index(op.f("ix_vacancy_unit_id"), "vacancy", ["unit_id"], unique=False)
    op.create_table(
        "bill",
        sa.Column("id", identifier, autoincrement=False, nullable=False),
        sa.Column("community_run_id", identifier, nullable=False),
        sa.Column("account_id", identifier, nullable=False),
        sa.Column("unit_id", identifier, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_bill_account_id")),
        sa.ForeignKeyConstraint(
            ["community_run_id"], ["community_run.id"], name=op.f("fk_bill_community_run_id")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_bill_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill")),
        sa.UniqueConstraint("number", name=op.f("uq_bill_number")),
    )
    op.create_index(op.f("ix_bill_account_id"), "bill", ["account_id"], unique=False)
    op.create_index(op.f("ix_bill_community_run_id"), "bill", ["community_run_id"], unique=False)
    op.create_table(
        "installation",
        sa.Column("id", identifier, nullable=False),
        sa.Column("point_id", identifier, nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("meter_type", sa.Text(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("multiplier", sa.Text(), nullable=False),
        sa.Column("first", sa.Text(), nullable=False),
        sa.Column("last", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["point_id"], ["point.id"], name=op.f("fk_installation_point_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_index(op.f("ix_installation_meter"), "installation", ["meter"], unique=False)
    op.create_index(op.f("ix_installation_point_id"), "installation", ["point_id"], unique=False)
    op.create_table(
        "login_account",
        sa.Column("login_id", identifier, nullable=False),
        sa.Column("account_id", identifier, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_login_account_account_id")
        ),
        sa.ForeignKeyConstraint(["login_id"], ["login.id"], name=op.f("fk_login_account_login_id")),
        sa.PrimaryKeyConstraint("login_id", "account_id", name=op.f("pk_login_account")),
    )
    op.create_table(
        "posting",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ledger_account", sa.Text(), nullable=False),
        sa.Column("account_id", identifier, nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_posting_account_id")),
        sa.ForeignKeyConstraint(
            ["reference"], ["journal_entry.reference"], name=op.f("fk_posting_reference")
        ),
        sa.PrimaryKeyConstraint("reference", "position", name=op.f("pk_posting")),
    )
    op.create_index(op.f("ix_posting_account_id"), "posting", ["account_id"], unique=False)
    op.create_table(
        "usage",
        sa.Column("id", identifier, autoincrement=False, nullable=False),
        sa.Column("community_run_id", identifier, nullable=False),
        sa.Column("point_id", identifier, nullable=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_run_id"], ["community_run.id"], name=op.f("fk_usage_community_run_id")
        ),
        sa.ForeignKeyConstraint(["point_id"], ["point.id"], name=op.f("fk_usage_point_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage")),
        sa.UniqueConstraint("point_id", "register", "start", name=op.f("uq_usage_point_id")),
    )
    op.create_index(op.f("ix_usage_community_run_id"), "usage", ["community_run_id"], unique=False)
    op.create_table(
        "bill_line",
        sa.Column("bill_id", identifier, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("charge", sa.Text(), nullable=False),
        sa.Column("revenue", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("tariff_version_id", identifier, nullable=True),
        sa.Column("usage_id", identifier, nullable=True),
        sa.Column("statement_id", identifier, nullable=True),
        sa.Column("share", sa.Integer(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(statement_id IS NULL) = (share IS NULL)",
            name=op.f("ck_bill_line_shares_have_statements"),
        ),
        sa.ForeignKeyConstraint(["bill_id"], ["bill.id"], name=op.f("fk_bill_line_bill_id")),
        sa.ForeignKeyConstraint(
            ["statement_id", "share"],
            ["share.statement_id", "share.position"],
            name="fk_bill_line_share",
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["statement.id"], name=op.f("fk_bill_line_statement_id")
        ),
        sa.ForeignKeyConstraint(
            ["tariff_version_id"],
            ["tariff_version.id"],
            name=op.f("fk_bill_line_tariff_version_id"),
        ),
        sa.ForeignKeyConstraint(["usage_id"], ["usage.id"], name=op.f("fk_bill_line_usage_id")),
        sa.PrimaryKeyConstraint("bill_id", "position", name=op.f("pk_bill_line")),
    )
    op.create_index("ix_bill_line_share", "bill_line", ["statement_id", "share"], unique=False)
    op.create_index(op.f("ix_bill_line_usage_id"), "bill_line", ["usage_id"], unique=False)
