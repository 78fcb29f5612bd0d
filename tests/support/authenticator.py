"""An authenticator at hand: second factors are set up and signed in with, as people do."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from api import tables, totp
from billing.sealing import Seal

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

    from billing.database import Database

PASSWORD = "correct-horse-battery"  # noqa: S105  a password of the tests' own databases
KEY = "k" * 40
PAGE = "/settings/second-factor"
PENDING = "tallygate-pending"


class House(Protocol):
    """What is used of the app under test."""

    now: datetime

    @property
    def database(self) -> Database: ...

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response: ...

    def reader(self, name: str) -> Any: ...


def secret_of(house: House, name: str, key: str = KEY) -> bytes:
    table, login = tables.login_second_factor, tables.login
    with house.database.snapshot() as connection:
        row = connection.execute(
            table.select().join(login, login.c.id == table.c.login_id).where(login.c.name == name)
        ).one()
    return Seal([key]).open(row.secret, f"login {row.login_id}")


def code_of(house: House, name: str, *, late_steps: int = 0) -> str:
    """Return what the authenticator of `name` shows, whose clock is late by so many steps."""
    return totp.hotp(secret_of(house, name), totp.step_at(house.now) - late_steps)


def enrolled(house: House, name: str) -> list[str]:
    """Set the second factor of `name` up; return its recovery codes. The next step begins."""
    reader = house.reader(name)
    csrf = reader.csrf(PAGE)
    assert reader.post(PAGE, csrf=csrf).headers["Location"] == PAGE
    answer = reader.post(f"{PAGE}/confirm", csrf=csrf, code=code_of(house, name))
    assert answer.status_code == 200, answer.text
    house.now += timedelta(seconds=30)
    return re.findall(r"<li><code>([^<]+)</code></li>", answer.text)


def by_api(house: House, name: str, code: str | None = None, path: str = "sessions") -> str:
    """Return the problem that a sign-in by the API ends in, "" for none."""
    body = {"name": name, "password": PASSWORD} | ({} if code is None else {"code": code})
    answer = house.call("POST", f"/v1/{path}", json=body)
    return "" if answer.is_success else str(answer.json()["type"]).removeprefix("/problems/")


def waiting(house: House, name: str, **more: str) -> str:
    """Give the password of `name` on the pages; return the cookie of the sign-in that waits."""
    answer = house.call("POST", "/login", data={"name": name, "password": PASSWORD, **more})
    assert answer.status_code == 303, answer.text
    assert "tallygate" not in answer.cookies
    return answer.cookies[PENDING]


def finish(house: House, pending: str, code: str, **more: str) -> httpx.Response:
    headers = {"Cookie": f"{PENDING}={pending}", "Accept": "text/html"}
    return house.call("POST", "/login/code", data={"code": code, **more}, headers=headers)


def as_reader(house: House, cookie: str) -> Any:
    """Return a browser that holds `cookie`."""
    return replace(house.reader("li"), cookie=cookie)
