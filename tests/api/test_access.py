"""Giving and taking access: logins and keys, by the API, the page and the command line."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from api import access
from api.access import UnknownKeyError
from api.commands import key
from billing.store import audit

if TYPE_CHECKING:
    from conftest import House


def status(house: House, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return house.call("GET", "/v1/bills", headers=headers).status_code


def told(house: House, action: str) -> list[tuple[str, str]]:
    """Return actor and subject of the entries of the audit log about `action`."""
    with house.database.snapshot() as connection:
        audit.verify(connection)
        query = text("SELECT actor, subject FROM audit WHERE action = :action ORDER BY position")
        return [(row.actor, row.subject) for row in connection.execute(query, {"action": action})]


def rotated(house: House, name: str) -> str:
    with house.database.transaction() as connection:
        return access.rotate_key(
            connection, name, overlap=timedelta(days=7), days=None, actor="a", now=house.now
        )


def test_an_administrator_adds_a_login_that_works(house: House) -> None:
    body = {"name": "zhou", "role": "tenant", "accounts": ["A-2-101"]}
    added = house.caller("admin").post("/v1/logins", json=body).json()
    token = house.token("zhou", added["password"])
    bills = house.call("GET", "/v1/bills", headers={"Authorization": f"Bearer {token}"})
    assert {each["unit"] for each in bills.json()["items"]} == {"2-101"}
    listed = house.caller("admin").get("/v1/logins").json()["items"]
    assert [each["accounts"] for each in listed if each["name"] == "zhou"] == [["A-2-101"]]
    assert told(house, "login.add") == [("admin", "zhou")]


@pytest.mark.parametrize(
    ("body", "kind", "detail"),
    [
        ({"name": "li", "role": "clerk"}, "login-exists", "'li' exists already"),
        ({"name": "x", "role": "owner"}, "access-refused", "needs an account"),
        ({"name": "x", "role": "admin", "accounts": ["A-1-101"]}, "access-refused", "leave them"),
        ({"name": "x", "role": "owner", "accounts": ["A-9"]}, "access-refused", "no account has"),
    ],
)
def test_a_login_that_makes_no_sense_is_told(
    house: House, body: dict[str, object], kind: str, detail: str
) -> None:
    problem = house.caller("admin").post("/v1/logins", json=body).json()
    assert problem["type"] == f"/problems/{kind}"
    assert detail in problem["detail"]


def test_a_key_opens_until_it_ends(house: House) -> None:
    admin = house.caller("admin")
    body = {"name": "reports", "scopes": ["bills:read"], "days": 1}
    token = admin.post("/v1/keys", json=body).json()["key"]
    assert status(house, token) == 200
    number = next(
        each["id"] for each in admin.get("/v1/keys").json()["items"] if each["name"] == "reports"
    )
    assert admin.call("DELETE", f"/v1/keys/{number}").status_code == 204
    assert status(house, token) == 401
    assert admin.call("DELETE", f"/v1/keys/{number}").status_code == 404
    assert told(house, "key.add") == told(house, "key.revoke") == [("admin", "reports")]


def test_the_list_of_keys_shows_no_secret_and_when_each_was_used(house: House) -> None:
    admin = house.caller("admin")

    def used() -> str | None:
        answer = admin.get("/v1/keys")
        assert house.keys["payments"] not in answer.text
        found = {each["name"]: each["last_used_at"] for each in answer.json()["items"]}
        last: str | None = found["payments"]
        return last

    assert used() is None
    first = house.now
    assert status(house, house.keys["payments"]) == 200
    assert used() == first.isoformat().replace("+00:00", "Z")
    house.now += timedelta(minutes=59)
    assert status(house, house.keys["payments"]) == 200
    assert used() == first.isoformat().replace("+00:00", "Z")
    house.now += timedelta(minutes=1)
    assert status(house, house.keys["payments"]) == 200
    assert used() == house.now.isoformat().replace("+00:00", "Z")


def test_a_rotated_key_works_beside_the_one_before_for_a_while(house: House) -> None:
    old = house.keys["payments"]
    new = rotated(house, "payments")
    assert [status(house, each) for each in (old, new)] == [200, 200]
    newest = rotated(house, "payments")
    assert [status(house, each) for each in (old, new, newest)] == [401, 200, 200]
    house.now += timedelta(days=7)
    assert [status(house, each) for each in (old, new, newest)] == [401, 401, 200]


def test_a_key_that_ends_soon_does_not_live_longer_by_its_replacement(house: House) -> None:
    with house.database.transaction() as connection:
        token = access.add_key(
            connection,
            name="short",
            scopes=[],
            gateway=None,
            days=1,
            actor="a",
            now=house.now,
        )
    rotated(house, "short")
    house.now += timedelta(days=1)
    assert status(house, token) == 401


def test_no_key_is_rotated_that_has_ended(house: House) -> None:
    with pytest.raises(UnknownKeyError, match="no live key called 'nobody'"):
        rotated(house, "nobody")


def test_keys_are_managed_by_commands(house: House) -> None:
    settings = house.app.state.resources.settings
    environment = {
        "TALLYGATE_DATABASE_URL": settings.database_url,
        "TALLYGATE_ARCHIVE_URL": settings.archive_url,
    }

    def run(*arguments: str) -> str:
        answer = CliRunner().invoke(key, arguments, env=environment)
        return f"{answer.exit_code} {answer.output}"

    token = run("rotate", "payments", "--overlap-days", "3").partition("key: ")[2].strip()
    assert token.startswith("tg_key_")
    lines = [line for line in run("list").splitlines() if "payments" in line]
    assert ["  without end  never used" in line for line in lines] == [True, False]
    assert run("revoke", "payments") == "0 ended 2\n"
    assert run("revoke", "payments") == "1 Error: there is no live key called 'payments'\n"
    assert run("rotate", "payments").startswith("1 Error: there is no live key")
    assert told(house, "key.rotate") == [("command line", "payments")]


def test_the_page_shows_logins_and_keys(house: House) -> None:
    page = house.reader("admin").get("/access").text
    assert "second-approver" in page
    assert "gateway:report" in page
    assert "A-1-202, A-2-101" in page
