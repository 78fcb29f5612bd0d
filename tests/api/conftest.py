"""The API over real databases: Osmanthus Court with September issued and October to be billed."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import osmanthus_court as court
import pytest

from api.app import create_app
from api.credentials import Passwords, digest, new_token
from api.permission import Permission, Role
from api.resources import open_resources
from api.settings import ApiSettings
from api.store import keys, logins
from billing.database import Database
from billing.store import projects, runs
from meters.archive.open import open_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from fastapi import FastAPI

PASSWORD = "correct-horse-battery"  # noqa: S105  a password of this test's own database
ELSEWHERE = " elsewhere"
"""What the names of another project's people and programs end in."""
PEOPLE = {
    "li": (Role.OWNER, ("A-1-201",)),
    "chen": (Role.OWNER, ("A-1-101",)),
    "landlord": (Role.OWNER, ("A-1-202", "A-2-101")),
    "newcomer": (Role.OWNER, ("A-2-101",)),
    "clerk": (Role.CLERK, ()),
    "approver": (Role.APPROVER, ()),
    "second-approver": (Role.APPROVER, ()),
    "engineer": (Role.ENGINEER, ()),
    "tenant": (Role.TENANT, ("A-1-201",)),
    "committee": (Role.COMMITTEE, ()),
    "auditor": (Role.AUDITOR, ()),
    "admin": (Role.ADMIN, ()),
}


@dataclass(slots=True)
class House:
    """The app over its databases, and calls to it without a socket; its clock says `now`."""

    app: FastAPI
    runner: asyncio.Runner
    keys: dict[str, str]
    now: datetime = court.NOW
    tokens: dict[str, str] = field(default_factory=dict)
    changes: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))

    @property
    def database(self) -> Database:
        found: Database = self.app.state.resources.database
        return found

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Make one call as nobody, without following redirects."""

        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://court") as client:
                return await client.request(method, path, **arguments)

        return self.runner.run(one())

    def seen(self, run: int) -> dict[str, str]:
        """Return what an approver says who has seen `run` as it is now."""
        with self.database.snapshot() as connection:
            return {"digest": runs.read(connection, run).digest or ""}

    def token(self, name: str, password: str = PASSWORD) -> str:
        """Sign `name` in at the API and return the token."""
        answer = self.call("POST", "/v1/sessions", json={"name": name, "password": password})
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["token"]
        return token

    def caller(self, name: str) -> Caller:
        """Return calls with the token of a person, or with the key called `name`."""
        if name in self.keys:
            return Caller(self, self.keys[name])
        if name not in self.tokens:
            self.tokens[name] = self.token(name)
        return Caller(self, self.tokens[name])

    def change(self, method: str, path: str, **body: Any) -> httpx.Response:
        """Make a change as the engineer, under a key of its own."""
        headers = {"Idempotency-Key": f"change-{next(self.changes):04}"}
        return self.caller("engineer").call(method, path, json=body or None, headers=headers)

    def reader(self, name: str, language: str = "en") -> Reader:
        """Sign `name` in on the pages."""
        answer = self.call("POST", "/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return Reader(self, answer.cookies["tallygate"], language, answer.headers["location"])


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls of `/v1` with one token."""

    house: House
    token: str

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **arguments.pop("headers", {})}
        return self.house.call(method, path, headers=headers, **arguments)

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return self.call("GET", path, **arguments)

    def post(self, path: str, key: str | None = None, **arguments: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.call("POST", path, headers=headers, **arguments)


@dataclass(frozen=True, slots=True)
class Reader:
    """A browser that is signed in. `landed` is where the login led to."""

    house: House
    cookie: str
    language: str
    landed: str

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.house.call("GET", path, headers={**self._headers(), **headers})

    def post(self, path: str, **fields: Any) -> httpx.Response:
        return self.house.call("POST", path, headers=self._headers(), data=fields)

    def csrf(self, path: str = "/") -> str:
        """Return the secret that the forms of a page carry."""
        text = self.get(path).text
        return text.split('name="csrf" value="', 1)[1].split('"', 1)[0]

    def _headers(self) -> dict[str, str]:
        return {
            "Cookie": f"tallygate={self.cookie}",
            "Accept": "text/html",
            "Accept-Language": self.language,
        }


@dataclass(frozen=True, slots=True)
class Template:
    """A folder with both databases, and the keys by name. Every test works on a copy."""

    folder: Path
    keys: dict[str, str]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A folder with both databases, and the keys by name; every test works on a copy."""
    folder = tmp_path_factory.mktemp("court")
    made_keys: dict[str, str] = {}
    password_hash = Passwords().hash(PASSWORD)
    archive = open_archive(f"sqlite:///{folder}/archive.sqlite")
    with Database(f"sqlite:///{folder}/billing.sqlite") as database:
        database.migrate()
        court.fill(database, archive)
        court.bill_month(database, archive, court.MONTH_BEFORE)
        with database.transaction() as connection:
            for name, (role, accounts) in PEOPLE.items():
                logins.add_login(
                    connection,
                    name=name,
                    password_hash=password_hash,
                    role=role,
                    accounts=[logins.account_id(connection, code) for code in accounts],
                    now=court.NOW,
                )
            for name, scopes, gateway in (
                ("gw-1", [Permission.GATEWAY_REPORT], "gw-1"),
                (
                    "payments",
                    [
                        Permission.BILLS_READ,
                        Permission.PAYMENTS_READ,
                        Permission.PAYMENTS_ORDER,
                    ],
                    None,
                ),
            ):
                made_keys[name] = new_token("key")
                keys.add_key(
                    connection,
                    name=name,
                    key_digest=digest(made_keys[name]),
                    scopes=scopes,
                    gateway=gateway,
                    now=court.NOW,
                )
    archive.close()
    return Template(folder, made_keys)


@pytest.fixture(scope="session")
def billed_template(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template with October issued too."""
    folder = tmp_path_factory.mktemp("billed") / "court"
    settings = copied(template.folder, folder)
    archive = open_archive(settings.archive_url)
    with Database(settings.database_url) as database:
        court.bill_month(database, archive, court.MONTH)
    archive.close()
    return Template(folder, template.keys)


def copied(template: Path, folder: Path) -> ApiSettings:
    """Copy the databases of `template` to `folder` and return settings that name them."""
    shutil.copytree(template, folder)
    return ApiSettings(
        database_url=f"sqlite:///{folder}/billing.sqlite",
        archive_url=f"sqlite:///{folder}/archive.sqlite",
        secure_cookies=False,
        secret_keys=("c" * 40,),
    )


@pytest.fixture
def settings(template: Template, tmp_path: Path) -> ApiSettings:
    return copied(template.folder, tmp_path / "court")


@contextmanager
def opened(app: FastAPI, settings: ApiSettings, keys: dict[str, str]) -> Iterator[House]:
    """Give the house of `settings`: the routes of `app` over databases of its own."""
    app.state.resources = open_resources(settings, lambda: house.now)
    with asyncio.Runner() as runner:
        house = House(app, runner, keys)
        yield house
    app.state.resources.close()


@pytest.fixture(scope="session")
def app(template: Template, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The app, made once: only what it works on differs from test to test."""
    made = create_app(copied(template.folder, tmp_path_factory.mktemp("app") / "court"))
    made.state.resources.close()
    return made


@pytest.fixture
def house(app: FastAPI, settings: ApiSettings, template: Template) -> Iterator[House]:
    """September issued, October not yet begun."""
    with opened(app, settings, template.keys) as house:
        yield house


@pytest.fixture
def house_with(
    app: FastAPI, settings: ApiSettings, template: Template
) -> Callable[..., AbstractContextManager[House]]:
    """Opens the house with some settings changed, one after another over the same databases."""

    def opened_with(**changes: object) -> AbstractContextManager[House]:
        return opened(app, settings.model_copy(update=changes), template.keys)

    return opened_with


@pytest.fixture
def listed(house: House) -> House:
    """The house with a gateway that reads a meter on a bus and one through its broker."""
    list_meters(house)
    return house


@pytest.fixture
def another_listed(
    app: FastAPI, template: Template, tmp_path: Path
) -> Callable[[str], AbstractContextManager[House]]:
    """Opens a house as `listed` under a name, and again under another; one at a time."""

    @contextmanager
    def listed_as(name: str) -> Iterator[House]:
        with opened(app, copied(template.folder, tmp_path / name), template.keys) as house:
            list_meters(house)
            yield house

    return listed_as


def list_meters(house: House) -> None:
    for method, path, body in (
        ("POST", "", {"gateway": "gw-1"}),
        ("PUT", "/gw-1/buses/b1", {"host": "10.0.0.7", "timeout_s": "1.5"}),
        ("PUT", "/gw-1/meters/E-1-201", {"type": "eastron-sdm120", "bus": "b1", "unit": 1}),
        ("PUT", "/gw-1/meters/W-1-201", {"type": "wmbusmeters-water", "topic": "wm/kitchen"}),
    ):
        answer = house.change(method, f"/v1/gateways{path}", **body)
        assert answer.is_success, answer.text


@pytest.fixture
def secure_house(settings: ApiSettings, template: Template) -> Iterator[House]:
    """The same behind HTTPS."""
    secure = settings.model_copy(update={"secure_cookies": True})
    app = create_app(secure)
    app.state.resources.close()
    with opened(app, secure, template.keys) as house:
        yield house


@pytest.fixture
def billed(app: FastAPI, billed_template: Template, tmp_path: Path) -> Iterator[House]:
    """September and October issued."""
    settings = copied(billed_template.folder, tmp_path / "billed")
    with opened(app, settings, billed_template.keys) as house:
        yield house


@pytest.fixture
def patient(app: FastAPI, billed_template: Template, tmp_path: Path) -> Iterator[House]:
    """As `billed`, for whoever makes thousands of calls at one moment."""
    settings = copied(billed_template.folder, tmp_path / "patient").model_copy(
        update={
            "key_calls_per_minute": 10**9,
            "session_calls_per_minute": 10**9,
            "address_calls_per_minute": 10**9,
        }
    )
    with opened(app, settings, billed_template.keys) as house:
        yield house


@pytest.fixture
def strangers(billed: House) -> House:
    """The house, with people and programs of another project beside its own: `clerk elsewhere`."""
    with billed.database.transaction() as connection:
        other = projects.add(connection, "other", "Other", actor="a", now=billed.now)
        known = logins.find_login(connection, "li")
        assert known is not None
        for name, (role, _) in PEOPLE.items():
            logins.add_login(
                connection,
                name=name + ELSEWHERE,
                password_hash=known.password_hash,
                role=role,
                now=billed.now,
                project=other,
            )
        added = {}
        for key in keys.listed(connection):
            added[key.name + ELSEWHERE] = new_token("key")
            keys.add_key(
                connection,
                name=key.name,
                key_digest=digest(added[key.name + ELSEWHERE]),
                scopes=key.scopes,
                gateway=None if key.gateway is None else "hall",
                now=billed.now,
                project=other,
            )
    billed.keys = {**billed.keys, **added}
    return billed
