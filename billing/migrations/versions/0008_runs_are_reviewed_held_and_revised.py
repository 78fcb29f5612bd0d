"""Runs are reviewed, approved by digest, held in part, withdrawn; issued months are revised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op

from billing.migrations.rebuilding import dropped_triggers, rebuild

if TYPE_CHECKING:
    from collections.abc import Iterable

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
instant = sa.DateTime(timezone=True)

CHECKS = {
    "known_state": (
        "state IN ('draft', 'computed', 'blocked', 'reviewed', 'approved', 'issued', 'withdrawn')"
    ),
    "known_kind": "kind IN ('ordinary', 'correction')",
    "approved_first": (
        "state NOT IN ('approved', 'issued') OR (computed_by IS NOT NULL AND reviewed_by IS NOT "
        "NULL AND approved_by IS NOT NULL AND digest IS NOT NULL AND approved_digest IS NOT NULL "
        "AND approved_digest = digest)"
    ),
    "four_eyes": (
        "approved_by IS NULL OR (approved_by <> created_by AND approved_by <> computed_by)"
    ),
    "withdrawn_for_a_reason": (
        "(state = 'withdrawn') = (withdrawn_by IS NOT NULL AND reason IS NOT NULL)"
    ),
}
"""What must hold of a run."""

STEPS = (
    *("draft>draft", "draft>computed", "draft>blocked", "draft>withdrawn"),
    *("computed>draft", "computed>computed", "computed>blocked"),
    *("computed>reviewed", "computed>withdrawn"),
    *("blocked>draft", "blocked>computed", "blocked>blocked", "blocked>withdrawn"),
    *("reviewed>draft", "reviewed>computed", "reviewed>blocked"),
    *("reviewed>approved", "reviewed>withdrawn"),
    *("approved>issued", "approved>withdrawn"),
)
"""From which state a run comes into which."""

ISSUED_RUN = "EXISTS (SELECT 1 FROM bill_run WHERE state = 'issued' AND id = {row}.bill_run_id)"
ISSUED_BILL = """EXISTS (
    SELECT 1 FROM bill JOIN community_run ON community_run.id = bill.community_run_id
    JOIN bill_run ON bill_run.id = community_run.bill_run_id
    WHERE bill_run.state = 'issued' AND bill.id = {row}.bill_id
)"""


def upgrade() -> None:
    triggers = dropped_triggers()
    _change_runs()
    _change_communities()
    _change_usage()
    _create_hold()
    _create_correction()
    for sql in triggers:
        op.execute(sql)
    _keep_what_is_issued()
    _keep_the_steps()


def _sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")


def _change_runs() -> None:
    op.add_column("bill_run", sa.Column("kind", sa.Text(), nullable=True))
    for name, kind in (
        *(("reviewed_by", sa.Text()), ("reviewed_at", instant), ("approved_digest", sa.Text())),
        *(("withdrawn_by", sa.Text()), ("withdrawn_at", instant), ("reason", sa.Text())),
    ):
        op.add_column("bill_run", sa.Column(name, kind, nullable=True))
    if not _sqlite():
        op.execute("ALTER TABLE bill_run DISABLE TRIGGER bill_run_stays_on_update")
    op.execute("UPDATE bill_run SET kind = 'ordinary'")
    op.execute(
        "UPDATE bill_run SET reviewed_by = approved_by, reviewed_at = approved_at,"
        " approved_digest = digest WHERE state IN ('approved', 'issued')"
    )
    if _sqlite():
        checks = ", ".join(
            f"CONSTRAINT ck_bill_run_{name} CHECK ({text})"
            for name, text in CHECKS.items()
            if name in ("known_kind", "withdrawn_for_a_reason")
        )
        rebuild(
            "bill_run",
            {
                "kind TEXT": "kind TEXT NOT NULL",
                "state IN ('draft', 'computed', 'blocked', 'approved', 'issued')": CHECKS[
                    "known_state"
                ],
                "state NOT IN ('approved', 'issued')"
                " OR (computed_by IS NOT NULL AND approved_by IS NOT NULL)": CHECKS[
                    "approved_first"
                ],
                "CONSTRAINT ck_bill_run_four_eyes": f"{checks}, CONSTRAINT ck_bill_run_four_eyes",
            },
        )
        return
    op.execute("ALTER TABLE bill_run ENABLE TRIGGER bill_run_stays_on_update")
    op.alter_column("bill_run", "kind", nullable=False)
    for name, text in CHECKS.items():
        if name in ("known_state", "approved_first", "four_eyes"):
            op.drop_constraint(op.f(f"ck_bill_run_{name}"), "bill_run", type_="check")
        op.create_check_constraint(op.f(f"ck_bill_run_{name}"), "bill_run", text)


def _change_communities() -> None:
    op.add_column(
        "community",
        sa.Column(
            "corrections", sa.Text(), nullable=False, server_default=sa.text("'correction bill'")
        ),
    )
    for name, kind, default in (("revision", sa.Integer(), "0"), ("anomalies", sa.Text(), "'[]'")):
        column = sa.Column(name, kind, nullable=False, server_default=sa.text(default))
        op.add_column("community_run", column)
    unique = "CONSTRAINT uq_community_run_community_id UNIQUE (community_id, period)"
    if _sqlite():
        rebuild("community_run", {f", \n\t{unique}": ""})
    else:
        op.drop_constraint(op.f("uq_community_run_community_id"), "community_run", type_="unique")
    open_or_issued = sa.text("state NOT IN ('held', 'withdrawn')")
    op.create_index(
        op.f("uq_community_run_revision"),
        "community_run",
        ["community_id", "period", "revision"],
        unique=True,
        sqlite_where=open_or_issued,
        postgresql_where=open_or_issued,
    )


def _change_usage() -> None:
    """Let every revision of a month have its own usage of a register."""
    if _sqlite():
        old, new = ("point_id, register, start", "community_run_id, point_id, register, start")
        rebuild(
            "usage",
            {
                f"CONSTRAINT uq_usage_point_id UNIQUE ({old})": (
                    f"CONSTRAINT uq_usage_community_run_id UNIQUE ({new})"
                )
            },
        )
    else:
        op.drop_constraint(op.f("uq_usage_point_id"), "usage", type_="unique")
        op.create_unique_constraint(
            op.f("uq_usage_community_run_id"),
            "usage",
            ["community_run_id", "point_id", "register", "start"],
        )
    op.drop_index(op.f("ix_usage_community_run_id"), "usage")


def _create_hold() -> None:
    op.create_table(
        "hold",
        sa.Column("id", identifier, nullable=False),
        sa.Column("bill_run_id", identifier, nullable=False),
        sa.Column("community_id", identifier, nullable=False),
        sa.Column("building_id", identifier, nullable=True),
        sa.Column("unit_id", identifier, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("held_by", sa.Text(), nullable=False),
        sa.Column("held_at", instant, nullable=False),
        sa.CheckConstraint(
            "(building_id IS NULL) <> (unit_id IS NULL)", name=op.f("ck_hold_building_or_unit")
        ),
        *(
            sa.ForeignKeyConstraint([f"{name}_id"], [f"{name}.id"], name=op.f(f"fk_hold_{name}_id"))
            for name in ("bill_run", "building", "community", "unit")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
        sa.UniqueConstraint("bill_run_id", "building_id", name="uq_hold_building_once"),
        sa.UniqueConstraint("bill_run_id", "unit_id", name="uq_hold_unit_once"),
    )


def _create_correction() -> None:
    op.create_table(
        "correction",
        sa.Column("bill_id", identifier, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("reversal", sa.Boolean(), nullable=False),
        sa.Column("of_bill_id", identifier, nullable=True),
        sa.Column("of_position", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(of_bill_id IS NULL) = (of_position IS NULL)", name=op.f("ck_correction_of_a_line")
        ),
        sa.CheckConstraint(
            "NOT reversal OR of_bill_id IS NOT NULL", name=op.f("ck_correction_reverses_a_line")
        ),
        sa.ForeignKeyConstraint(
            ["bill_id", "position"],
            ["bill_line.bill_id", "bill_line.position"],
            name="fk_correction_line",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["of_bill_id", "of_position"],
            ["bill_line.bill_id", "bill_line.position"],
            name="fk_correction_of_line",
        ),
        sa.PrimaryKeyConstraint("bill_id", "position", name=op.f("pk_correction")),
    )
    op.create_index("ix_correction_of_line", "correction", ["of_bill_id", "of_position"])
    op.create_index(
        "uq_correction_reversed_once",
        "correction",
        ["of_bill_id", "of_position"],
        unique=True,
        sqlite_where=sa.text("reversal"),
        postgresql_where=sa.text("reversal"),
    )


def _keep_what_is_issued() -> None:
    for table, issued in {"hold": ISSUED_RUN, "correction": ISSUED_BILL}.items():
        why = "this row belongs to an issued run; add a correction instead"
        old, new = issued.format(row="OLD"), issued.format(row="NEW")
        _refuse(table, "stays", "INSERT", [(new, why)])
        _refuse(table, "stays", "UPDATE", [(f"{old} OR {new}", why)])
        _refuse(table, "stays", "DELETE", [(old, why)])
        if not _sqlite():
            _refuse_to_empty(table)


def _keep_the_steps() -> None:
    """Let runs go from state to state as they may, and nobody rewrite who made one (four eyes)."""
    steps = ", ".join(f"'{step}'" for step in STEPS)
    remade = " OR ".join(f"OLD.{name} <> NEW.{name}" for name in ("created_by", "kind", "period"))
    rewritten = " OR ".join(
        f"(coalesce(OLD.{name}, '') <> coalesce(NEW.{name}, '') AND NEW.state IN ({states}))"
        for name, states in {
            "computed_by": "'reviewed', 'approved', 'issued', 'withdrawn'",
            "digest": "'reviewed', 'approved', 'issued'",
            "reviewed_by": "'approved', 'issued', 'withdrawn'",
            "approved_by": "'issued', 'withdrawn'",
            "approved_digest": "'issued', 'withdrawn'",
        }.items()
    )
    _refuse(
        "bill_run",
        "steps",
        "UPDATE",
        [
            (
                f"OLD.state <> 'issued' AND (OLD.state || '>' || NEW.state) NOT IN ({steps})",
                "a run does not come from that state into this one",
            ),
            (
                f"{remade} OR {rewritten}",
                "who made a run, and of what, is not rewritten",
            ),
        ],
    )
    _refuse("bill_run", "steps", "INSERT", [("NEW.state <> 'draft'", "a run begins as a draft")])


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
