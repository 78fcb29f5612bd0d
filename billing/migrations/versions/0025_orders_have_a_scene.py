"""A payment order says how it is paid, by a code or inside an app, and who pays it there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.migrations.rebuilding import dropped_triggers, rebuild

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

CHECKS = {
    "ck_payment_order_known_scene": "scene IN ('code', 'in-app', 'browser')",
    "ck_payment_order_payer_in_app": "(scene = 'in-app') = (payer IS NOT NULL)",
}
TRIGGER = "payment_order_is_paid_so_on_update"
CHANGED = """OLD.scene <> NEW.scene OR (OLD.payer IS NULL) <> (NEW.payer IS NULL)
    OR OLD.payer <> NEW.payer"""
WHY = "payment_order: what was said is not rewritten"
LAST = "CONSTRAINT ck_payment_order_of_an_amount CHECK (amount > 0)"


def upgrade() -> None:
    scene = sa.Column("scene", sa.Text(), nullable=False, server_default="code")
    op.add_column("payment_order", scene)
    op.add_column("payment_order", sa.Column("payer", sa.Text()))
    if op.get_bind().dialect.name == "sqlite":
        triggers = dropped_triggers()
        made = [f"CONSTRAINT {name} CHECK ({holds})" for name, holds in CHECKS.items()]
        rebuild("payment_order", {LAST: ", ".join([LAST, *made])})
        for sql in triggers:
            op.execute(sql)
        op.execute(
            f"CREATE TRIGGER {TRIGGER} BEFORE UPDATE ON payment_order "
            f"WHEN {CHANGED} BEGIN SELECT RAISE(ABORT, '{WHY}'); END"
        )
        return
    for name, holds in CHECKS.items():
        op.create_check_constraint(op.f(name), "payment_order", holds)
    op.execute(
        f"CREATE FUNCTION {TRIGGER}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {CHANGED} THEN RAISE EXCEPTION '{WHY}'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {TRIGGER} BEFORE UPDATE ON payment_order "
        f"FOR EACH ROW EXECUTE FUNCTION {TRIGGER}()"
    )
