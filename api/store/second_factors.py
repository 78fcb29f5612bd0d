"""Second factors of logins, their recovery codes, and sign-ins that wait for a code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from api import tables
from api.store.logins import Login, login_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Factor:
    """A second factor as stored. It counts from `confirmed_at` on, None: it is being set up."""

    secret: str
    confirmed_at: datetime | None
    last_step: int | None


def find(connection: Connection, login_id: int, *, locked: bool = False) -> Factor | None:
    """Return the second factor of a login.

    `locked`: others who look so wait for this transaction; where the database knows no such lock,
    its transactions that write come one after the other.
    """
    table = tables.login_second_factor
    query = select(table).where(table.c.login_id == login_id)
    row = connection.execute(query.with_for_update() if locked else query).one_or_none()
    return None if row is None else Factor(row.secret, row.confirmed_at, row.last_step)


def is_confirmed(connection: Connection, login_id: int) -> bool:
    """Return whether the login needs a code."""
    found = find(connection, login_id)
    return found is not None and found.confirmed_at is not None


def begin(connection: Connection, login_id: int, sealed: str, *, now: datetime) -> None:
    """Keep a new secret that is to be confirmed, in place of one that was."""
    drop(connection, login_id)
    connection.execute(
        insert(tables.login_second_factor).values(
            login_id=login_id, secret=sealed, created_at=now, confirmed_at=None, last_step=None
        )
    )


def confirm(
    connection: Connection,
    login_id: int,
    *,
    step: int,
    codes: Sequence[str],
    now: datetime,
) -> None:
    """Let the factor count, whose first code was of `step`; `codes`: digests to recover by."""
    table = tables.login_second_factor
    connection.execute(
        update(table).where(table.c.login_id == login_id).values(confirmed_at=now, last_step=step)
    )
    rows = [{"login_id": login_id, "code_digest": each, "used_at": None} for each in codes]
    connection.execute(insert(tables.login_recovery_code), rows)


def take_step(connection: Connection, login_id: int, step: int) -> bool:
    """Use `step` up, and those before it; return whether it was still to be used."""
    table = tables.login_second_factor
    done = connection.execute(
        update(table)
        .where(
            table.c.login_id == login_id,
            or_(table.c.last_step.is_(None), table.c.last_step < step),
        )
        .values(last_step=step)
    )
    return done.rowcount == 1


def keep_sealed(connection: Connection, login_id: int, sealed: str) -> None:
    """Keep the same secret under a newer key."""
    table = tables.login_second_factor
    connection.execute(update(table).where(table.c.login_id == login_id).values(secret=sealed))


def take_recovery_code(
    connection: Connection, login_id: int, code_digest: str, *, now: datetime
) -> bool:
    """Use a recovery code up; return whether there was one that nobody had used."""
    table = tables.login_recovery_code
    done = connection.execute(
        update(table)
        .where(
            table.c.login_id == login_id,
            table.c.code_digest == code_digest,
            table.c.used_at.is_(None),
        )
        .values(used_at=now)
    )
    return done.rowcount == 1


def codes_left(connection: Connection, login_id: int) -> int:
    """Return how many recovery codes nobody has used."""
    table = tables.login_recovery_code
    query = select(func.count()).where(table.c.login_id == login_id, table.c.used_at.is_(None))
    return int(connection.scalar(query) or 0)


def drop(connection: Connection, login_id: int) -> bool:
    """Drop the second factor of a login with its codes; return whether there was one."""
    codes, table = tables.login_recovery_code, tables.login_second_factor
    connection.execute(delete(codes).where(codes.c.login_id == login_id))
    return connection.execute(delete(table).where(table.c.login_id == login_id)).rowcount == 1


# --- sign-ins that wait for a code ----------------------------------------------------------------


def open_pending(
    connection: Connection,
    *,
    token_digest: str,
    login_id: int,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Remember that the password of a login was right, and drop what nobody went on with."""
    table = tables.login_pending
    connection.execute(delete(table).where(table.c.expires_at <= now))
    connection.execute(
        insert(table).values(token_digest=token_digest, login_id=login_id, expires_at=expires_at)
    )


def find_pending(connection: Connection, token_digest: str, *, now: datetime) -> Login | None:
    """Return whose sign-in waits for a code, None where it is over."""
    table = tables.login_pending
    found = connection.scalar(
        select(table.c.login_id).where(
            table.c.token_digest == token_digest, table.c.expires_at > now
        )
    )
    return None if found is None else login_of(connection, found)


def close_pending(connection: Connection, login_id: int) -> None:
    """End every sign-in of a login that waits."""
    table = tables.login_pending
    connection.execute(delete(table).where(table.c.login_id == login_id))
