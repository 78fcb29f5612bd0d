"""What staff say of a pool's apportionment in a run: signed off, or held with a reason.

What was said stays for ever; the last word counts. Signing off is about the figures that were seen:
it names the digest of the computed month, and counts while that is the same. A hold counts until
somebody signs off.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from billing import tables
from billing.store import audit, runs
from billing.store.ids import insert
from meters.told import joined, told

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

CHECKABLE = ("computed", "reviewed")
"""The states of a run whose pools are checked."""


class PoolHeldError(ValueError):
    """A run cannot go on: the apportionment of a pool is held."""


class UnknownStatementError(LookupError):
    """No statement has this id."""


class Word(StrEnum):
    """What is said of a pool's apportionment."""

    SIGNED_OFF = "signed-off"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class PoolCheck:
    """The last word about the pool `pool` of a community in a run."""

    statement_id: int | None
    """Its statement as it is computed now, if there is one."""
    community: str
    pool: str
    word: Word
    reason: str
    said_by: str
    said_at: datetime
    current: bool
    """Whether it is about what is computed now; a hold always is."""


def say(
    connection: Connection, statement_id: int, word: Word, *, reason: str, actor: str, now: datetime
) -> int:
    """Store what `actor` says of a statement, told to the audit log, and return its run.

    Raises `UnknownStatementError`, and `StateError` where its run is not to be checked.
    """
    row = _pool_of(connection, statement_id)
    run = runs.read(connection, row.bill_run_id, lock=True)
    runs.assert_state(run.id, run.state, *CHECKABLE)
    insert(
        connection,
        tables.pool_check,
        community_run_id=row.id,
        pool=row.code,
        word=str(word),
        reason=reason,
        digest=row.digest,
        said_by=actor,
        said_at=now,
    )
    audit.append(
        connection,
        at=now,
        actor=actor,
        action=f"pool.{word}",
        subject=f"run:{run.id}",
        project=runs.project_of(connection, run.id),
        detail={
            "community": row.community,
            "period": row.period,
            "pool": row.code,
            "reason": reason,
            "digest": row.digest,
        },
    )
    return run.id


def _pool_of(connection: Connection, statement_id: int) -> Row[*tuple[Any, ...]]:
    """Return the pool of a statement, and the month of the run that it is of."""
    statement, part, version = tables.statement, tables.community_run, tables.pool_version
    row = connection.execute(
        select(
            part.c.id,
            part.c.bill_run_id,
            part.c.digest,
            part.c.period,
            version.c.code,
            tables.community.c.code.label("community"),
        )
        .join(part, part.c.id == statement.c.community_run_id)
        .join(version, version.c.id == statement.c.pool_version_id)
        .join(tables.community, tables.community.c.id == part.c.community_id)
        .where(statement.c.id == statement_id)
    ).one_or_none()
    if row is None:
        raise UnknownStatementError(
            told("there is no statement {statement}", statement=statement_id)
        )
    return row


def of_run(connection: Connection, run_id: int) -> list[PoolCheck]:
    """Return the last word about each pool of a run, by community and pool."""
    check, part, community = tables.pool_check, tables.community_run, tables.community
    last = (
        select(func.max(check.c.id))
        .join(part, part.c.id == check.c.community_run_id)
        .where(part.c.bill_run_id == run_id, part.c.state.not_in(runs.LEFT))
        .group_by(check.c.community_run_id, check.c.pool)
    )
    statement, version = tables.statement, tables.pool_version
    statements = {
        (part_id, code): statement_id
        for statement_id, part_id, code in connection.execute(
            select(statement.c.id, part.c.id, version.c.code)
            .join(part, part.c.id == statement.c.community_run_id)
            .join(version, version.c.id == statement.c.pool_version_id)
            .where(part.c.bill_run_id == run_id)
        )
    }
    rows = connection.execute(
        select(check, part.c.digest.label("now"), community.c.code.label("community"))
        .join(part, part.c.id == check.c.community_run_id)
        .join(community, community.c.id == part.c.community_id)
        .where(check.c.id.in_(last))
        .order_by(community.c.code, check.c.pool)
    )
    return [
        PoolCheck(
            statements.get((row.community_run_id, row.pool)),
            row.community,
            row.pool,
            Word(row.word),
            row.reason,
            row.said_by,
            row.said_at,
            row.word == Word.HELD or row.digest == row.now,
        )
        for row in rows
    ]


def of_statement(connection: Connection, run_id: int, statement_id: int) -> PoolCheck | None:
    """Return the last word about the pool of a statement of a run; None where nobody said one."""
    said = of_run(connection, run_id)
    return next((each for each in said if each.statement_id == statement_id), None)


def assert_none_held(connection: Connection, run_id: int) -> None:
    """Raise `PoolHeldError` where the apportionment of a pool of a run is held."""
    held = [each for each in of_run(connection, run_id) if each.word is Word.HELD]
    if held:
        what = joined(
            (
                told(
                    "pool {pool} of {community} by {person}: {reason}",
                    pool=each.pool,
                    community=each.community,
                    person=each.said_by,
                    reason=each.reason,
                )
                for each in held
            ),
            by="; ",
        )
        raise PoolHeldError(
            told(
                "run {run} has pools that are held: {what}; sign them off first",
                run=run_id,
                what=what,
            )
        )
