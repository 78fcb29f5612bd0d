"""Logins, sessions, forms and the brake on guessing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fastapi import APIRouter, FastAPI

from api import tables
from api.credentials import MIN_PASSWORD_LENGTH, Passwords, WeakPasswordError, new_password
from api.security import ANYONE, UnguardedRouteError, assert_guarded

if TYPE_CHECKING:
    from conftest import House

    from api.settings import ApiSettings

PASSWORD = "correct-horse-battery"  # noqa: S105  a password of this test's own database


def sign_in(house: House, name: str, password: str) -> int:
    answer = house.call("POST", "/v1/sessions", json={"name": name, "password": password})
    return answer.status_code


def test_a_wrong_password_and_an_unknown_name_look_alike(house: House) -> None:
    wrong, unknown = (
        house.call("POST", "/v1/sessions", json={"name": name, "password": "not the password"})
        for name in ("li", "nobody-at-all")
    )
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["type"] == "/problems/wrong-password"


def test_guessing_is_braked_and_says_for_how_long(house: House) -> None:
    assert [sign_in(house, "li", "guess") for _ in range(5)] == [401] * 5
    answer = house.call("POST", "/v1/sessions", json={"name": "li", "password": PASSWORD})
    assert answer.status_code == 429
    assert answer.json()["type"] == "/problems/too-many-attempts"
    assert answer.headers["Retry-After"] == "900"
    assert sign_in(house, "chen", PASSWORD) == 201, "another name is not kept out"


def test_the_brake_lets_go_after_a_while(house: House) -> None:
    for _ in range(6):
        sign_in(house, "li", "guess")
    house.now += timedelta(minutes=16)
    assert sign_in(house, "li", PASSWORD) == 201


def test_a_right_password_forgets_the_wrong_ones(house: House) -> None:
    for _ in range(4):
        sign_in(house, "li", "guess")
    assert sign_in(house, "li", PASSWORD) == 201
    assert sign_in(house, "li", "guess") == 401


def test_failures_are_kept_without_names_or_addresses(house: House) -> None:
    sign_in(house, "li", "guess")
    with house.database.snapshot() as connection:
        subjects = connection.scalars(tables.login_failure.select()).all()
        rows = connection.execute(tables.login_failure.select()).all()
    assert len(subjects) == 3
    assert all(len(row.subject) == 64 and row.subject != "li" for row in rows)


def test_a_session_ends_when_it_is_closed(house: House) -> None:
    caller = house.caller("li")
    assert caller.get("/v1/bills").status_code == 200
    assert caller.call("DELETE", "/v1/sessions/current").status_code == 204
    answer = caller.get("/v1/bills")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_session_ends_by_itself(house: House, settings: ApiSettings) -> None:
    caller = house.caller("li")
    house.now += timedelta(hours=settings.session_hours, seconds=-1)
    assert caller.get("/v1/bills").status_code == 200
    house.now += timedelta(seconds=1)
    assert caller.get("/v1/bills").status_code == 401


def test_tokens_are_kept_as_digests_only(house: House) -> None:
    token = house.token("li")
    with house.database.snapshot() as connection:
        kept = [
            str(row)
            for table in (tables.session, tables.api_key)
            for row in connection.execute(table.select())
        ]
    assert kept
    assert not any(secret in row for row in kept for secret in (token, *house.keys.values()))


@pytest.mark.parametrize("token", ["", "tg_key_", "tg_session_x", "Bearer", "x" * 5000, "你好"])
def test_a_made_up_token_opens_nothing(house: House, token: str) -> None:
    header = f"Bearer {token}".encode()
    answer = house.call("GET", "/v1/bills", headers={b"Authorization": header})
    assert answer.status_code == 401


def test_a_pages_cookie_is_no_api_token_nor_the_reverse(house: House) -> None:
    cookie = house.reader("li").cookie
    answer = house.call("GET", "/v1/bills", headers={"Authorization": f"Bearer {cookie}"})
    assert answer.status_code == 401
    page = house.call(
        "GET", "/", headers={"Cookie": f"tallygate={house.token('li')}", "Accept": "text/html"}
    )
    assert page.status_code == 303
    assert page.headers["Location"] == "/login"


def test_the_cookie_is_kept_from_scripts_and_other_sites(house: House) -> None:
    answer = house.call("POST", "/login", data={"name": "li", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_over_https_the_cookie_is_bound_to_the_host(secure_house: House) -> None:
    answer = secure_house.call("POST", "/login", data={"name": "li", "password": PASSWORD})
    assert answer.headers["set-cookie"].startswith("__Host-tallygate=")
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["Strict-Transport-Security"]


ROLES = ("li", "clerk", "approver", "engineer", "tenant", "committee", "auditor", "admin")


def test_each_role_lands_where_its_work_is(house: House) -> None:
    landed = {name: house.reader(name).landed for name in ROLES}
    assert landed == {
        "li": "/",
        "clerk": "/staff/runs",
        "approver": "/staff/runs",
        "engineer": "/engineering/meters",
        "tenant": "/",
        "committee": "/statements",
        "auditor": "/audit",
        "admin": "/access",
    }


def test_the_login_leads_back_to_the_page_that_was_wanted(house: House) -> None:
    wanted = house.call("GET", "/staff/runs/1", headers={"Accept": "text/html"})
    assert wanted.headers["Location"] == "/login?next=/staff/runs/1"
    fields = {"name": "clerk", "password": PASSWORD, "next": "/staff/runs/1"}
    assert house.call("POST", "/login", data=fields).headers["Location"] == "/staff/runs/1"


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil", "x\r\ny"])
def test_the_login_leads_to_no_other_site(house: House, target: str) -> None:
    fields = {"name": "li", "password": PASSWORD, "next": target}
    assert house.call("POST", "/login", data=fields).headers["Location"] == "/"


@pytest.mark.parametrize("csrf", ["", "made-up", "密码"])
def test_a_form_without_its_secret_changes_nothing(house: House, csrf: str) -> None:
    clerk = house.reader("clerk")
    answer = clerk.post("/staff/runs", csrf=csrf, period="2026-10", community="osmanthus")
    assert answer.status_code == 403
    assert "This form has expired" in answer.text
    assert len(house.caller("clerk").get("/v1/runs").json()["items"]) == 1


def test_signing_out_ends_the_session(house: House) -> None:
    reader = house.reader("li")
    answer = reader.post("/logout", csrf=reader.csrf())
    assert answer.status_code == 303
    assert reader.get("/").status_code == 303


def test_every_answer_says_what_a_browser_may_load(house: House) -> None:
    for path in ("/login", "/v1/bills", "/nowhere", "/static/style.css", "/health"):
        headers = house.call("GET", path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        kept = headers["Cache-Control"] != "no-store"
        assert kept == path.startswith("/static/")


def test_a_route_that_says_nothing_about_callers_stops_the_start() -> None:
    app, router = FastAPI(), APIRouter()

    @router.get("/open")
    async def forgotten() -> str:
        return "anybody reads this"

    app.include_router(router)
    with pytest.raises(UnguardedRouteError, match="/open declares no guard"):
        assert_guarded(app.routes)


def test_a_route_that_is_open_on_purpose_says_so() -> None:
    app, router = FastAPI(), APIRouter()

    @router.get("/open", dependencies=[ANYONE])
    async def meant() -> str:
        return "anybody may read this"

    app.include_router(router)
    assert_guarded(app.routes)


def test_a_short_password_is_refused() -> None:
    with pytest.raises(WeakPasswordError, match="has 5 characters"):
        Passwords().hash("short")


def test_made_passwords_are_long_and_different() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(password) >= 2 * MIN_PASSWORD_LENGTH for password in made)
