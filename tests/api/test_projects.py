"""Two property companies in one installation: who belongs where, and names that are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from api.permission import Role
from api.store import keys, logins
from billing.commands.projects import project

if TYPE_CHECKING:
    from conftest import Caller, House


@pytest.fixture
def root(strangers: House) -> Caller:
    """An administrator of the installation."""
    with strangers.database.transaction() as connection:
        known = logins.find_login(connection, "li")
        assert known is not None
        logins.add_login(
            connection,
            name="root",
            password_hash=known.password_hash,
            role=Role.ADMIN,
            now=strangers.now,
            project=None,
        )
    return strangers.caller("root")


def test_the_installations_administrator_says_whose_a_login_is(
    strangers: House, root: Caller
) -> None:
    listed = root.get("/v1/logins").json()["items"]
    assert {each["project"] for each in listed} == {"default", "other", None}
    new = {"name": "zhou", "role": "clerk"}
    refused = root.post("/v1/logins", json=new).json()
    assert refused["detail"] == "there are several projects; say which: default, other"
    added = root.post("/v1/logins", json=new | {"project": "other"}).json()
    headers = {"Authorization": f"Bearer {strangers.token('zhou', added['password'])}"}
    assert strangers.call("GET", "/v1/bills", headers=headers).json()["items"] == []
    assert strangers.caller("clerk").get("/v1/bills").json()["items"] != []


def test_a_projects_administrator_manages_that_project_only(strangers: House) -> None:
    admin = strangers.caller("admin elsewhere")
    assert {each["project"] for each in admin.get("/v1/logins").json()["items"]} == {"other"}
    for path, body in (
        ("/v1/logins", {"name": "zhou", "role": "clerk", "project": "default"}),
        ("/v1/keys", {"name": "k", "scopes": ["bills:read"], "project": "default"}),
    ):
        refused = admin.post(path, json=body).json()
        assert refused["type"] == "/problems/access-refused"
        assert refused["detail"] == "there is no project 'default'; there is: other"
    with strangers.database.snapshot() as connection:
        theirs = next(each.id for each in keys.listed(connection) if each.project == 1)
    assert admin.call("DELETE", f"/v1/keys/{theirs}").status_code == 404


def test_names_are_the_whole_installations(strangers: House) -> None:
    admin = strangers.caller("admin elsewhere")
    taken = admin.post("/v1/logins", json={"name": "li", "role": "clerk"})
    assert taken.json()["type"] == "/problems/login-exists"
    assert strangers.change("POST", "/v1/gateways", gateway="north").status_code == 201
    engineer = strangers.caller("engineer elsewhere")
    again = engineer.post("/v1/gateways", key="north-again", json={"gateway": "north"})
    assert again.status_code == 409
    key = admin.post("/v1/keys", json={"name": "north", "scopes": ["gateway:report"]}).json()
    assert key["detail"] == "gateway 'north' is of another project; choose another name"


def test_nobody_reports_as_a_gateway_of_another_project(strangers: House) -> None:
    admin = strangers.caller("admin elsewhere")
    body = {"name": "west", "scopes": ["gateway:report"], "gateway": "west"}
    token = admin.post("/v1/keys", json=body).json()["key"]
    assert strangers.change("POST", "/v1/gateways", gateway="west").status_code == 201
    answer = strangers.call(
        "POST",
        "/v1/gateway/report",
        headers={"Authorization": f"Bearer {token}"},
        json={
            "gateway": "west",
            "sent_at": "2026-11-15T07:59:00Z",
            "version": "0.1.0",
            "tally": {"received": 0, "stored": 0, "duplicate": 0, "quarantined": 0, "spooled": 0},
        },
    )
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/wrong-gateway")


def test_projects_are_added_and_listed_on_the_server(strangers: House) -> None:
    where = ["--database", strangers.database.url]
    run = CliRunner().invoke
    assert run(project, ["add", *where, "--by", "a", "north", "North"]).output == "added north\n"
    again = run(project, ["add", *where, "--by", "a", "north", "North"])
    assert (again.exit_code, "is there already" in again.output) == (1, True)
    listed = run(project, ["list", *where]).output
    assert listed == "default  default\nnorth  North\nother  Other\n"
