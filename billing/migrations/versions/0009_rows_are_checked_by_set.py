"""On PostgreSQL, the rows that a run makes are held to the rules by the set, not one by one.

Millions of rows come in one COPY each. A trigger for each row, and a look for each reference of
each row, took twenty times as long as the writing. Here each statement is checked once, over all
the rows that it brought, changed or took away: what is issued stays (I5), what a row refers to is
there, and what others refer to does not go. SQLite keeps its triggers and references: it makes them
in the same process, at little cost.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PLACES = 10**6
"""The id of a bill, usage or statement is its community run's × this + its place."""

OWNERS = {
    "usage": "community_run_id",
    "bill": "community_run_id",
    "share": f"statement_id / {PLACES}",
    "bill_line": f"bill_id / {PLACES}",
}
"""Table → the community run that a row of it belongs to."""

NUMBERED = ("usage", "bill")
"""Tables whose ids are made of their community run's."""

REFERENCES: dict[str, dict[tuple[str, ...], tuple[str, tuple[str, ...]]]] = {
    "usage": {
        ("community_run_id",): ("community_run", ("id",)),
        ("point_id",): ("point", ("id",)),
    },
    "bill": {
        ("community_run_id",): ("community_run", ("id",)),
        ("account_id",): ("account", ("id",)),
        ("unit_id",): ("unit", ("id",)),
    },
    "share": {
        ("statement_id",): ("statement", ("id",)),
        ("unit_id",): ("unit", ("id",)),
    },
    "bill_line": {
        ("bill_id",): ("bill", ("id",)),
        ("tariff_version_id",): ("tariff_version", ("id",)),
        ("usage_id",): ("usage", ("id",)),
        ("statement_id",): ("statement", ("id",)),
        ("statement_id", "share"): ("share", ("statement_id", "position")),
    },
}
"""Table → its columns → the table and columns that they refer to."""

EVENTS = {
    "insert": "NEW TABLE AS added",
    "update": "OLD TABLE AS gone NEW TABLE AS added",
    "delete": "OLD TABLE AS gone",
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, references in REFERENCES.items():
        for columns in references:
            name = "share" if len(columns) > 1 else columns[0]
            op.drop_constraint(f"fk_{table}_{name}", table, type_="foreignkey")
        for event, seen in EVENTS.items():
            name = f"{table}_stays_on_{event}"
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}")
            rules = [_issued(table, rows) for rows in ("gone", "added") if f"AS {rows}" in seen]
            if "AS added" in seen:
                rules += [_numbered(table)] if table in NUMBERED else []
                rules += [_there(table, *each) for each in references.items()]
            if "AS gone" in seen:
                rules += _still_referred_to(table)
            op.execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"{' '.join(rules)} RETURN NULL; END $$"
            )
            op.execute(
                f"CREATE TRIGGER {name} AFTER {event.upper()} ON {table} REFERENCING {seen} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
            )
    for table in ("community_run", "point", "unit", "account", "statement"):
        name = f"{table}_is_referred_to"
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"{' '.join(_still_referred_to(table))} RETURN NULL; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {name} AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )


def _issued(table: str, rows: str) -> str:
    """Return what refuses `rows` of which one belongs to an issued run."""
    return f"""IF EXISTS (
        SELECT FROM (SELECT DISTINCT {OWNERS[table]} AS id FROM {rows}) AS part
        JOIN community_run ON community_run.id = part.id
        JOIN bill_run ON bill_run.id = community_run.bill_run_id
        WHERE bill_run.state = 'issued'
    ) THEN RAISE EXCEPTION
        '{table}: this row belongs to an issued run; add a correction instead';
    END IF;"""  # noqa: S608  names of ours


def _numbered(table: str) -> str:
    return f"""IF EXISTS (
        SELECT FROM added WHERE id / {PLACES} <> community_run_id
    ) THEN RAISE EXCEPTION '{table}: the id of a row is not of its community run' USING
        ERRCODE = 'check_violation';
    END IF;"""


def _there(table: str, columns: tuple[str, ...], parent: tuple[str, tuple[str, ...]]) -> str:
    """Return what refuses rows whose `columns` refer to nothing.

    A difference of sets takes the same time whatever the planner believes of tables that are new.
    """
    other, keys = parent
    named = ", ".join(columns)
    return f"""IF EXISTS (
        SELECT {named} FROM added WHERE {columns[-1]} IS NOT NULL
        EXCEPT {_near(other, keys, "added", columns[0])}
    ) THEN RAISE EXCEPTION '{table}: a row refers to no {other} that is there ({named})' USING
        ERRCODE = 'foreign_key_violation';
    END IF;"""  # noqa: S608  names of ours


def _near(table: str, columns: tuple[str, ...], rows: str, like: str) -> str:
    """Return what selects `columns` of a table where the first is in the range of `rows`' `like`.

    The range keeps millions of rows of other runs from being read.
    """
    return (
        f"SELECT {', '.join(columns)} FROM {table} WHERE {columns[0]} BETWEEN "  # noqa: S608  names of ours
        f"(SELECT min({like}) FROM {rows}) AND (SELECT max({like}) FROM {rows})"
    )


def _still_referred_to(parent: str) -> list[str]:
    """Return what refuses that rows of `parent` go, or get other keys, while others need them."""
    return [
        _needed(parent, table, dict(zip(columns, keys, strict=True)))
        for table, references in REFERENCES.items()
        for columns, (other, keys) in references.items()
        if other == parent
    ]


def _needed(parent: str, table: str, references: dict[str, str]) -> str:
    columns, keys = tuple(references), tuple(references.values())
    return f"""IF EXISTS (
        (SELECT {", ".join(keys)} FROM gone EXCEPT {_near(parent, keys, "gone", keys[0])})
        INTERSECT {_near(table, columns, "gone", keys[0])}
    ) THEN RAISE EXCEPTION '{parent}: a row of {table} refers to what goes' USING
        ERRCODE = 'foreign_key_violation';
    END IF;"""  # noqa: S608  names of ours
