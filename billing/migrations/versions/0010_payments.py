"""Payments: orders, what comes in and goes back, what it pays, and days that are closed.

Every entry of the journal counts on a local day; a day that is closed takes no entry any more. What
has happened is never rewritten, a claim is never paid by more than it is, nobody approves or
reverses what they entered: triggers and checks of the database, on SQLite and PostgreSQL.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

from billing.migrations.rebuilding import dropped_triggers, rebuild

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)

FOUR_EYES_ABOVE = 500000
"""Fen that one person may enter of a payment in a community that states no other limit."""

FOR_EVER = (*("payment_order_claim", "application", "payment_callback", "receipt", "day_close"),)
"""Tables whose rows never change, whatever happens."""

STATED = {
    "payment_order": (
        *("community_id", "account_id", "number", "channel", "merchant", "amount", "currency"),
        *("created_by", "created_at", "expires_at"),
    ),
    "payment": (
        *("community_id", "account_id", "payment_order_id", "channel", "transaction_id"),
        *("merchant", "amount", "rounding", "currency", "paid_at", "named", "note"),
        *("needs_approval", "entered_by", "entered_at"),
    ),
    "refund": (
        *("community_id", "account_id", "payment_id", "number", "amount", "reason"),
        *("requested_by", "requested_at"),
    ),
}
"""Table → what is said of a row once, and stays."""

STEPS = {
    "payment_order": (
        *("open>open", "open>paid", "open>closed", "open>expired"),
        *("closed>closed", "closed>paid", "expired>expired", "expired>paid"),
    ),
    "payment": ("entered>posted", "entered>rejected", "posted>reversed"),
    "refund": (
        *("requested>approved", "requested>rejected"),
        *("approved>executed", "approved>failed"),
    ),
}
"""Table → from which state a row comes into which; money that arrives late is taken too."""

FIRST = {
    "payment_order": ("open",),
    "payment": ("entered", "posted"),
    "refund": ("requested",),
}
"""Table → the states that a row begins in."""

DUE = """(SELECT coalesce(sum(posting.amount), 0) FROM posting
    WHERE posting.reference = NEW.claim AND posting.ledger_account = 'receivable'
    AND posting.account_id = NEW.account_id)"""
APPLIED = """(SELECT coalesce(sum(a.amount), 0) FROM application a WHERE a.claim = NEW.claim)
    + NEW.amount"""
GIVEN_BACK = """(SELECT coalesce(sum(r.amount), 0) FROM refund r
    WHERE r.payment_id = NEW.payment_id AND r.state NOT IN ('rejected', 'failed')) + NEW.amount"""
NEXT_RECEIPT = """(SELECT coalesce(max(r.number), 0) + 1 FROM receipt r
    WHERE r.community_id = NEW.community_id)"""

OVERPAID = (
    f"(CASE WHEN {DUE} >= 0 THEN {APPLIED} NOT BETWEEN 0 AND {DUE}"
    f" ELSE {APPLIED} NOT BETWEEN {DUE} AND 0 END)"
)
ALONE = f"""NEW.entered_by IS NOT NULL AND NOT NEW.needs_approval AND NEW.amount > coalesce(
    (SELECT p.four_eyes_above FROM payment_policy p WHERE p.community_id = NEW.community_id),
    {FOUR_EYES_ABOVE})"""  # noqa: S608  names of ours
CAME_IN = """(SELECT coalesce(sum(p.amount), 0) FROM payment p WHERE p.id = NEW.payment_id
    AND p.account_id = NEW.account_id AND p.state = 'posted')"""
CLOSED = """EXISTS (SELECT 1 FROM day_close d
    WHERE d.community_id = NEW.community_id AND d.day >= NEW.day)"""

ON_INSERT = {
    "application": (OVERPAID, "a claim is not paid by more than it is, nor by less than nothing"),
    "payment": (ALONE, "somebody else has to approve so large an amount"),
    "refund": (f"{GIVEN_BACK} > {CAME_IN}", "not more goes back than came in"),
    "receipt": (f"NEW.number <> {NEXT_RECEIPT}", "receipts are numbered without a gap"),
    "day_close": (CLOSED, "this day is closed already"),
}
"""Table → what refuses a new row, and why."""


def upgrade() -> None:
    _date_the_journal()
    _make_tables()
    for table in FOR_EVER:
        for event in ("UPDATE", "DELETE"):
            _refuse(table, "stays", event, [("TRUE", "this row is kept for ever")])
    for table, (condition, why) in ON_INSERT.items():
        _refuse(table, "fits", "INSERT", [(condition, why)])
    for table, steps in STEPS.items():
        _keep_the_steps(table, steps)
    _close_days()
    if not _sqlite():
        for table in (*FOR_EVER, *STEPS):
            _refuse_to_empty(table)


def _sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")


def _date_the_journal() -> None:
    """Give each entry the local day on which it was posted, and make that a must."""
    op.add_column("journal_entry", sa.Column("day", sa.Date(), nullable=True))
    if _sqlite():
        triggers = dropped_triggers()
        _write_days()
        rebuild("journal_entry", {"day DATE": "day DATE NOT NULL"})
        for sql in triggers:
            op.execute(sql)
    else:
        op.execute("ALTER TABLE journal_entry DISABLE TRIGGER journal_entry_stays_on_update")
        _write_days()
        op.execute("ALTER TABLE journal_entry ENABLE TRIGGER journal_entry_stays_on_update")
        op.alter_column("journal_entry", "day", nullable=False)
    op.create_index("ix_journal_entry_day", "journal_entry", ["community_id", "day"])
    of_credit = sa.text("ledger_account = 'credit'")
    op.create_index(
        "ix_posting_credit",
        "posting",
        ["account_id"],
        sqlite_where=of_credit,
        postgresql_where=of_credit,
    )


def _write_days() -> None:
    bind = op.get_bind()
    entry = sa.table(
        "journal_entry",
        sa.column("community_id", IDENTIFIER),
        sa.column("posted_at", INSTANT),
        sa.column("day", sa.Date()),
    )
    community = sa.table("community", sa.column("id", IDENTIFIER), sa.column("zone", sa.Text()))
    posted = bind.execute(
        sa.select(entry.c.community_id, entry.c.posted_at, community.c.zone)
        .join(community, community.c.id == entry.c.community_id)
        .distinct()
    )
    for community_id, posted_at, zone in posted.all():
        bind.execute(
            entry.update()
            .where(entry.c.community_id == community_id, entry.c.posted_at == posted_at)
            .values(day=_aware(posted_at).astimezone(ZoneInfo(zone)).date())
        )


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _make_tables() -> None:
    op.create_table(
        "day_close",
        sa.Column("community_id", IDENTIFIER, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("balance", sa.Text(), nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.Column("closed_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_day_close_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", "day", name=op.f("pk_day_close")),
    )
    op.create_table(
        "payment_policy",
        sa.Column("community_id", IDENTIFIER, nullable=False),
        sa.Column("first", sa.Text(), nullable=False),
        sa.Column("charges", sa.Text(), nullable=False),
        sa.Column("four_eyes_above", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "first IN ('oldest', 'charge')", name=op.f("ck_payment_policy_known_first")
        ),
        sa.CheckConstraint(
            "four_eyes_above >= 0", name=op.f("ck_payment_policy_limit_is_an_amount")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_payment_policy_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", name=op.f("pk_payment_policy")),
    )
    op.create_table(
        "receipt_book",
        sa.Column("community_id", IDENTIFIER, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_receipt_book_community_id")
        ),
        sa.PrimaryKeyConstraint("community_id", name=op.f("pk_receipt_book")),
    )
    op.create_table(
        "application",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("account_id", IDENTIFIER, nullable=False),
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "claim LIKE 'bill:%' OR claim LIKE 'opening:%' OR claim LIKE 'owed:%'",
            name=op.f("ck_application_to_a_claim"),
        ),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_application_of_an_amount")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_application_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["claim"], ["journal_entry.reference"], name=op.f("fk_application_claim")
        ),
        sa.ForeignKeyConstraint(
            ["reference"], ["journal_entry.reference"], name=op.f("fk_application_reference")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application")),
    )
    op.create_index(op.f("ix_application_account_id"), "application", ["account_id"], unique=False)
    op.create_index(op.f("ix_application_claim"), "application", ["claim"], unique=False)
    op.create_index(op.f("ix_application_reference"), "application", ["reference"], unique=False)
    op.create_table(
        "payment_order",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("community_id", IDENTIFIER, nullable=False),
        sa.Column("account_id", IDENTIFIER, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("asked_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "(state = 'open') = (ended_at IS NULL)", name=op.f("ck_payment_order_ends_once")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'paid', 'closed', 'expired')",
            name=op.f("ck_payment_order_known_state"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payment_order_of_an_amount")),
        sa.CheckConstraint(
            "length(number) BETWEEN 6 AND 32", name=op.f("ck_payment_order_number_suits_providers")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_payment_order_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_payment_order_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_order")),
        sa.UniqueConstraint("number", name=op.f("uq_payment_order_number")),
    )
    op.create_index(
        op.f("ix_payment_order_account_id"), "payment_order", ["account_id"], unique=False
    )
    op.create_index(
        op.f("ix_payment_order_community_id"), "payment_order", ["community_id"], unique=False
    )
    op.create_index(
        "ix_payment_order_state_expires_at", "payment_order", ["state", "expires_at"], unique=False
    )
    op.create_table(
        "payment",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("community_id", IDENTIFIER, nullable=False),
        sa.Column("account_id", IDENTIFIER, nullable=False),
        sa.Column("payment_order_id", IDENTIFIER, nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("rounding", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("paid_at", INSTANT, nullable=False),
        sa.Column("named", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("entered_by", sa.Text(), nullable=True),
        sa.Column("entered_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("reversed_by", sa.Text(), nullable=True),
        sa.Column("reversed_at", INSTANT, nullable=True),
        sa.Column("reversal", sa.Text(), nullable=True),
        sa.Column("reversal_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state = 'reversed') = (reversed_by IS NOT NULL AND reversed_at IS NOT NULL"
            " AND reversal_reason IS NOT NULL AND reversal IS NOT NULL)",
            name=op.f("ck_payment_reversed_for_a_reason"),
        ),
        sa.CheckConstraint(
            "reversal IN ('bounced', 'mistaken')", name=op.f("ck_payment_known_reversal")
        ),
        sa.CheckConstraint(
            "state IN ('entered', 'posted', 'rejected', 'reversed')",
            name=op.f("ck_payment_known_state"),
        ),
        sa.CheckConstraint(
            "state IN ('entered', 'rejected') OR NOT needs_approval OR decided_by IS NOT NULL",
            name=op.f("ck_payment_approved_first"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payment_of_an_amount")),
        sa.CheckConstraint(
            "decided_by IS NULL OR (entered_by IS NOT NULL AND decided_by <> entered_by)",
            name=op.f("ck_payment_four_eyes"),
        ),
        sa.CheckConstraint(
            "reversed_by IS NULL OR entered_by IS NULL OR reversed_by <> entered_by",
            name=op.f("ck_payment_reversed_by_another"),
        ),
        sa.CheckConstraint(
            "rounding BETWEEN -99 AND 99", name=op.f("ck_payment_rounds_by_less_than_one")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_payment_account_id")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_payment_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["payment_order_id"], ["payment_order.id"], name=op.f("fk_payment_payment_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("channel", "transaction_id", name=op.f("uq_payment_channel")),
    )
    op.create_index(op.f("ix_payment_account_id"), "payment", ["account_id"], unique=False)
    op.create_index(op.f("ix_payment_community_id"), "payment", ["community_id"], unique=False)
    op.create_index(
        op.f("ix_payment_payment_order_id"), "payment", ["payment_order_id"], unique=False
    )
    op.create_table(
        "payment_order_claim",
        sa.Column("payment_order_id", IDENTIFIER, nullable=False),
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payment_order_claim_of_an_amount")),
        sa.ForeignKeyConstraint(
            ["claim"], ["journal_entry.reference"], name=op.f("fk_payment_order_claim_claim")
        ),
        sa.ForeignKeyConstraint(
            ["payment_order_id"],
            ["payment_order.id"],
            name=op.f("fk_payment_order_claim_payment_order_id"),
        ),
        sa.PrimaryKeyConstraint(
            "payment_order_id", "position", name=op.f("pk_payment_order_claim")
        ),
        sa.UniqueConstraint(
            "payment_order_id", "claim", name=op.f("uq_payment_order_claim_payment_order_id")
        ),
    )
    op.create_index(
        op.f("ix_payment_order_claim_claim"), "payment_order_claim", ["claim"], unique=False
    )
    op.create_table(
        "receipt",
        sa.Column("community_id", IDENTIFIER, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("payment_id", IDENTIFIER, nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_receipt_community_id")
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_receipt_payment_id")),
        sa.PrimaryKeyConstraint("community_id", "number", name=op.f("pk_receipt")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_receipt_payment_id")),
    )
    op.create_table(
        "refund",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("community_id", IDENTIFIER, nullable=False),
        sa.Column("account_id", IDENTIFIER, nullable=False),
        sa.Column("payment_id", IDENTIFIER, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("refund_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state = 'requested') = (decided_by IS NULL)"
            " AND (decided_by IS NULL) = (decided_at IS NULL)",
            name=op.f("ck_refund_decided_by_somebody"),
        ),
        sa.CheckConstraint(
            "(state IN ('executed', 'failed')) = (ended_at IS NOT NULL)",
            name=op.f("ck_refund_ends_once"),
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'rejected', 'executed', 'failed')",
            name=op.f("ck_refund_known_state"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refund_of_an_amount")),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> requested_by", name=op.f("ck_refund_four_eyes")
        ),
        sa.CheckConstraint("length(reason) > 0", name=op.f("ck_refund_has_a_reason")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_refund_account_id")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_refund_community_id")
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_refund_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        sa.UniqueConstraint("number", name=op.f("uq_refund_number")),
    )
    op.create_index(op.f("ix_refund_account_id"), "refund", ["account_id"], unique=False)
    op.create_index(op.f("ix_refund_community_id"), "refund", ["community_id"], unique=False)
    op.create_index(op.f("ix_refund_payment_id"), "refund", ["payment_id"], unique=False)
    op.create_table(
        "payment_callback",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("payment_id", IDENTIFIER, nullable=True),
        sa.Column("refund_id", IDENTIFIER, nullable=True),
        sa.CheckConstraint(
            "source IN ('callback', 'query')", name=op.f("ck_payment_callback_known_source")
        ),
        sa.CheckConstraint(
            "verdict <> 'refused' OR reason IS NOT NULL",
            name=op.f("ck_payment_callback_refused_for_a_reason"),
        ),
        sa.CheckConstraint(
            "verdict IN ('posted', 'known', 'noted', 'refused')",
            name=op.f("ck_payment_callback_known_verdict"),
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.id"], name=op.f("fk_payment_callback_payment_id")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund.id"], name=op.f("fk_payment_callback_refund_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_callback")),
    )
    op.create_index(
        op.f("ix_payment_callback_payment_id"), "payment_callback", ["payment_id"], unique=False
    )
    op.create_index(
        op.f("ix_payment_callback_received_at"), "payment_callback", ["received_at"], unique=False
    )
    op.create_index(
        op.f("ix_payment_callback_refund_id"), "payment_callback", ["refund_id"], unique=False
    )


def _keep_the_steps(table: str, steps: Iterable[str]) -> None:
    """Let the rows of `table` go from state to state as they may, and nobody rewrite the rest."""
    known = ", ".join(f"'{step}'" for step in steps)
    first = ", ".join(f"'{state}'" for state in FIRST[table])
    rewritten = " OR ".join(_changes(name) for name in STATED[table])
    if table != "payment_order":
        decided = " OR ".join(_changes(name) for name in ("decided_by", "decided_at"))
        rewritten += f" OR (OLD.decided_by IS NOT NULL AND ({decided}))"
    _refuse(
        table, "begins", "INSERT", [(f"NEW.state NOT IN ({first})", "it begins at its first step")]
    )
    _refuse(
        table,
        "steps",
        "UPDATE",
        [
            (
                f"(OLD.state || '>' || NEW.state) NOT IN ({known})",
                "it does not come from that state into this one",
            ),
            (rewritten, "what was said is not rewritten"),
        ],
    )
    _refuse(table, "stays", "DELETE", [("TRUE", "this row is kept for ever")])


def _changes(name: str) -> str:
    return f"(OLD.{name} IS NULL) <> (NEW.{name} IS NULL) OR OLD.{name} <> NEW.{name}"


def _close_days() -> None:
    """Refuse what is dated in a closed day: by the row on SQLite, by the set on PostgreSQL."""
    why = {
        "journal_entry": "this day is closed; date it to the next open one",
        "posting": "the day of this entry is closed; add another entry instead",
    }
    if _sqlite():
        entry_of_posting = """EXISTS (SELECT 1 FROM journal_entry e
            JOIN day_close d ON d.community_id = e.community_id
            WHERE e.reference = NEW.reference AND d.day >= e.day)"""
        for table, closed in (("journal_entry", CLOSED), ("posting", entry_of_posting)):
            _refuse(table, "is_open", "INSERT", [(closed, why[table])])
        return
    for table, entries in (
        ("journal_entry", "added e"),
        ("posting", "added a JOIN journal_entry e ON e.reference = a.reference"),
    ):
        name = f"{table}_is_open_on_insert"
        closed = f"{entries} JOIN day_close d ON d.community_id = e.community_id AND d.day >= e.day"
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF EXISTS (SELECT FROM {closed}) THEN RAISE EXCEPTION '{table}: {why[table]}'; "
            "END IF; RETURN NULL; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {name} AFTER INSERT ON {table} REFERENCING NEW TABLE AS added "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )


def _refuse(table: str, name: str, event: str, refusals: Iterable[tuple[str, str]]) -> None:
    """Make `table` refuse what `event` does to the rows for which a condition holds."""
    name = f"{table}_{name}_on_{event.lower()}"
    if _sqlite():
        for number, (condition, why) in enumerate(refusals):
            op.execute(
                f"CREATE TRIGGER {name}{number or ''} BEFORE {event} ON {table} "
                f"WHEN {condition} BEGIN SELECT RAISE(ABORT, '{table}: {why}'); END"
            )
        return
    row = "OLD" if event == "DELETE" else "NEW"
    checks = " ".join(
        f"IF {condition} THEN RAISE EXCEPTION '{table}: {why}'; END IF;"
        for condition, why in refusals
    )
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"{checks} RETURN {row}; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )


def _refuse_to_empty(table: str) -> None:
    """Make `table` refuse TRUNCATE, which asks no trigger of a row."""
    name = f"{table}_stays_on_truncate"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{table}: holds rows that stay; it cannot be emptied'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )
