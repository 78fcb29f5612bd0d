"""One code, many at once: it signs in once, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING

import osmanthus_court as court
import pytest

from api import second_factor, totp
from api.permission import Role
from api.store import logins, second_factors
from billing.database import Database
from billing.sealing import Seal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from api.store.logins import Login

SEAL = Seal(["k" * 40])
AT_ONCE = 8


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = (
        f"sqlite:///{tmp_path}/billing.sqlite"
        if request.param == "sqlite"
        else request.getfixturevalue("fresh_postgresql_url")
    )
    with Database(url) as opened:
        opened.migrate()
        yield opened


def enrolled(database: Database) -> tuple[Login, bytes, list[str]]:
    """Return a login with a second factor, its secret and its recovery codes."""
    with database.transaction() as connection:
        logins.add_login(
            connection, name="wu", password_hash="-" * 8, role=Role.CLERK, now=court.NOW
        )
        login = logins.find_login(connection, "wu")
        assert login is not None
        second_factor.begin(connection, SEAL, login, now=court.NOW)
        factor = second_factors.find(connection, login.id)
        assert factor is not None
        secret = second_factor.opened(SEAL, login, factor)
        first = totp.hotp(secret, totp.step_at(court.NOW))
        codes = second_factor.confirm(connection, SEAL, login, first, session="-", now=court.NOW)
    return login, secret, codes


def taken(database: Database, login: Login, code: str) -> int:
    """Return how many of those who send `code` at the same time are let in."""
    together = Barrier(AT_ONCE)
    now = court.NOW + timedelta(minutes=2)

    def one(_: int) -> bool:
        together.wait(20)
        with database.transaction() as connection:
            return second_factor.takes(connection, SEAL, login, code, now=now)

    with ThreadPoolExecutor(AT_ONCE) as people:
        return sum(people.map(one, range(AT_ONCE)))


def test_a_code_lets_one_in(database: Database) -> None:
    login, secret, codes = enrolled(database)
    shown = totp.hotp(secret, totp.step_at(court.NOW + timedelta(minutes=2)))
    assert taken(database, login, "000000") == 0
    assert taken(database, login, shown) == 1
    assert taken(database, login, codes[0]) == 1
    with database.snapshot() as connection:
        assert second_factors.codes_left(connection, login.id) == 9
