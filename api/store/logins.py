"""Logins: people, the accounts that owners hold, and failed attempts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from api import tables
from api.permission import Role
from billing.columns import FIRST
from billing.scoping import is_taken
from billing.tables import account, community, project
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Sequence


class LoginExistsError(ValueError):
    """A login of this name exists."""


class UnknownAccountError(LookupError):
    """No account has this code, or several communities use it."""


@dataclass(frozen=True, slots=True)
class Login:
    """A person as stored. `project`: its id, None for the installation's own staff."""

    id: int
    name: str
    password_hash: str
    role: Role
    project: int | None


@dataclass(frozen=True, slots=True)
class LoginHead:
    """What a list shows of a login. `accounts`: the codes of those that it is bound to.

    `project`: the code of its project, None for the installation's own staff.
    """

    name: str
    role: Role
    created_at: datetime
    accounts: tuple[str, ...]
    project: str | None


def heads(connection: Connection) -> list[LoginHead]:
    """Return every login by name."""
    table, linked = tables.login, tables.login_account
    held: dict[int, list[str]] = {}
    bound = (
        select(linked.c.login_id, account.c.code)
        .join(account, account.c.id == linked.c.account_id)
        .order_by(account.c.code)
    )
    for row in connection.execute(bound):
        held.setdefault(row.login_id, []).append(row.code)
    query = (
        select(table, project.c.code.label("project"))
        .outerjoin(project, project.c.id == table.c.project_id)
        .order_by(table.c.name)
    )
    return [
        LoginHead(
            row.name, Role(row.role), row.created_at, tuple(held.get(row.id, ())), row.project
        )
        for row in connection.execute(query)
    ]


def add_login(
    connection: Connection,
    *,
    name: str,
    password_hash: str,
    role: Role,
    accounts: Sequence[int] = (),
    now: datetime,
    project: int | None = FIRST,
) -> int:
    """Store a login and return its id; raise `LoginExistsError` if the name is taken.

    Names are the whole installation's: who signs in says no project.
    """
    table = tables.login
    if is_taken(connection, table.c.name, name):
        raise LoginExistsError(
            told("a login '{name}' exists already; choose another name", name=name)
        )
    values = {
        "name": name,
        "password_hash": password_hash,
        "role": str(role),
        "created_at": now,
        "project_id": project,
    }
    login_id = connection.execute(insert(table).values(**values).returning(table.c.id)).scalar_one()
    for account_id in dict.fromkeys(accounts):
        connection.execute(
            insert(tables.login_account).values(login_id=login_id, account_id=account_id)
        )
    return int(login_id)


def account_id(connection: Connection, code: str, *, project: int | None = FIRST) -> int:
    """Return the id of the account `code`, or `community/code` where several have the code.

    Accounts of other projects than `project` do not count.

    Raises `UnknownAccountError`, which lists the choices.
    """
    rows = connection.execute(
        select(account.c.id, community.c.code.label("community"), account.c.code)
        .join(community, community.c.id == account.c.community_id)
        .where(
            community.c.project_id == project,
            or_(
                account.c.code == code,
                community.c.code + "/" + account.c.code == code,
            ),
        )
        .order_by(community.c.code)
    ).all()
    if len(rows) == 1:
        return int(rows[0].id)
    if not rows:
        raise UnknownAccountError(
            told("no account has the code '{code}'; import its community first", code=code)
        )
    choices = ", ".join(f"{row.community}/{row.code}" for row in rows)
    raise UnknownAccountError(
        told(
            "several accounts have the code '{code}'; say which: {choices}",
            code=code,
            choices=choices,
        )
    )


def find_login(connection: Connection, name: str) -> Login | None:
    """Return the login `name`."""
    row = connection.execute(select(tables.login).where(tables.login.c.name == name)).one_or_none()
    return None if row is None else _login(row)


def login_of(connection: Connection, login_id: int) -> Login:
    """Return the login of this id, which there is."""
    table = tables.login
    return _login(connection.execute(select(table).where(table.c.id == login_id)).one())


def _login(row: Row[Any]) -> Login:
    return Login(row.id, row.name, row.password_hash, Role(row.role), row.project_id)


def change_hash(connection: Connection, login_id: int, password_hash: str) -> None:
    """Keep a newer hash of the same password."""
    table = tables.login
    connection.execute(
        update(table).where(table.c.id == login_id).values(password_hash=password_hash)
    )


def record_failures(connection: Connection, subjects: Sequence[str], *, now: datetime) -> None:
    """Remember a failed attempt for each of `subjects`."""
    rows = [{"subject": subject, "at": now} for subject in subjects]
    connection.execute(insert(tables.login_failure), rows)


def failures_since(connection: Connection, subject: str, since: datetime) -> int:
    """Return how many attempts failed for `subject` at or after `since`."""
    table = tables.login_failure
    query = select(func.count()).where(and_(table.c.subject == subject, table.c.at >= since))
    return int(connection.scalar(query) or 0)


def forget_failures(connection: Connection, *, subject: str, before: datetime) -> None:
    """Drop what `subject` failed, and everybody's failures before `before`."""
    table = tables.login_failure
    connection.execute(delete(table).where(or_(table.c.subject == subject, table.c.at < before)))
