"""Second factors: set up, signed in with, used once, guessed at, lost, needed, and taken away."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import text

from api import tables, totp
from api.commands import user
from api.credentials import digest
from api.permission import Role
from api.sealing import Seal
from api.security import Anyone, _guards
from billing.store import audit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from conftest import House, Reader

PASSWORD = "correct-horse-battery"  # noqa: S105  a password of this test's own database
KEY, NEWER = "k" * 40, "n" * 40
PAGE = "/settings/second-factor"
PENDING = "tallygate-pending"


HouseWith = Callable[..., AbstractContextManager["House"]]


@pytest.fixture
def keyed(house_with: HouseWith) -> Iterator[House]:
    """The house where second factors can be set up."""
    with house_with(second_factor_keys=(KEY,)) as house:
        yield house


STRICT = {
    "second_factor_keys": (KEY,),
    "second_factor_required_for": frozenset({Role.CLERK}),
    "address_calls_per_minute": 10**9,
    "session_calls_per_minute": 10**9,
}


@pytest.fixture
def strict(house_with: HouseWith) -> Iterator[House]:
    """The house where clerks need a second factor."""
    with house_with(**STRICT) as house:
        yield house


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


def told(house: House) -> list[tuple[str, str, str]]:
    with house.database.snapshot() as connection:
        audit.verify(connection)
        query = text(
            "SELECT action, actor, subject FROM audit WHERE action LIKE 'second-factor.%' "
            "ORDER BY position"
        )
        return [(row.action, row.actor, row.subject) for row in connection.execute(query)]


# --- setting up -----------------------------------------------------------------------------------


def test_it_is_set_up_by_a_first_code(keyed: House) -> None:
    reader = keyed.reader("clerk")
    assert "It is off" in reader.get(PAGE).text
    csrf = reader.csrf(PAGE)
    reader.post(PAGE, csrf=csrf)
    shown = reader.get(PAGE).text
    assert "<svg" in shown
    assert totp.as_text(secret_of(keyed, "clerk")) in shown
    assert by_api(keyed, "clerk") == "", "what is not confirmed asks for nothing"
    wrong = reader.post(f"{PAGE}/confirm", csrf=csrf, code="000000")
    assert (wrong.status_code, "The code is wrong" in wrong.text) == (401, True)
    done = reader.post(f"{PAGE}/confirm", csrf=csrf, code=code_of(keyed, "clerk"))
    codes = re.findall(r"<li><code>([^<]+)</code></li>", done.text)
    assert len(set(codes)) == 10
    later = reader.get(PAGE).text
    assert "10 recovery codes are left" in later
    assert not any(each in later for each in codes)
    assert by_api(keyed, "clerk") == "second-factor-needed"
    assert told(keyed) == [("second-factor.add", "clerk", "clerk")]


def test_without_a_key_the_page_says_what_to_set(house: House) -> None:
    reader = house.reader("clerk")
    assert "second_factor_keys" in reader.get(PAGE).text
    answer = reader.post(PAGE, csrf=reader.csrf(PAGE))
    assert answer.status_code == 503
    assert "second_factor_keys" in answer.text


def test_setting_up_ends_what_the_password_alone_had_opened(keyed: House) -> None:
    other = keyed.reader("clerk")
    token = keyed.caller("clerk")
    enrolled(keyed, "clerk")
    assert other.get("/staff/runs").headers["Location"] == "/login?next=/staff/runs"
    assert token.get("/v1/runs").status_code == 401


def test_what_stands_is_not_begun_or_confirmed_again(keyed: House) -> None:
    enrolled(keyed, "clerk")
    answer = finish(keyed, waiting(keyed, "clerk"), code_of(keyed, "clerk"))
    cookie = answer.cookies["tallygate"]
    reader = as_reader(keyed, cookie)
    csrf = reader.csrf(PAGE)
    before = secret_of(keyed, "clerk")
    assert reader.post(PAGE, csrf=csrf).status_code == 409
    assert reader.post(f"{PAGE}/confirm", csrf=csrf, code="1").status_code == 409
    assert secret_of(keyed, "clerk") == before


def as_reader(house: House, cookie: str) -> Reader:
    known = house.reader("li")
    return type(known)(house, cookie, "en", "/")


def test_neither_secret_nor_codes_are_kept_in_clear(keyed: House) -> None:
    codes = enrolled(keyed, "clerk")
    secret = secret_of(keyed, "clerk")
    with keyed.database.snapshot() as connection:
        kept = str(
            [
                connection.execute(each.select()).all()
                for each in (tables.login_second_factor, tables.login_recovery_code)
            ]
        )
    assert not any(each in kept or each.replace("-", "") in kept for each in codes)
    assert totp.as_text(secret).replace(" ", "") not in kept
    assert repr(secret) not in kept


def test_turning_it_off_needs_a_code(keyed: House) -> None:
    enrolled(keyed, "clerk")
    cookie = finish(keyed, waiting(keyed, "clerk"), code_of(keyed, "clerk")).cookies["tallygate"]
    reader = as_reader(keyed, cookie)
    csrf = reader.csrf(PAGE)
    assert reader.post(f"{PAGE}/off", csrf=csrf, code="000000").status_code == 401
    used = reader.post(f"{PAGE}/off", csrf=csrf, code=code_of(keyed, "clerk"))
    assert used.status_code == 401, "the code that signed in is used up"
    keyed.now += timedelta(seconds=30)
    answer = reader.post(f"{PAGE}/off", csrf=csrf, code=code_of(keyed, "clerk"))
    assert answer.status_code == 303
    assert by_api(keyed, "clerk") == ""
    assert [each[0] for each in told(keyed)] == ["second-factor.add", "second-factor.remove"]


# --- signing in -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["sessions", "tokens"])
def test_the_api_takes_a_code_once(keyed: House, path: str) -> None:
    enrolled(keyed, "clerk")
    code = code_of(keyed, "clerk")
    assert by_api(keyed, "clerk", path=path) == "second-factor-needed"
    assert by_api(keyed, "clerk", code, path) == ""
    assert by_api(keyed, "clerk", code, path) == "wrong-code"


def test_a_code_that_was_not_asked_for_does_no_harm(keyed: House) -> None:
    assert by_api(keyed, "li", "123456") == ""


@pytest.mark.parametrize(
    ("late_steps", "problem"), [(-2, "wrong-code"), (-1, ""), (0, ""), (1, ""), (2, "wrong-code")]
)
def test_a_clock_may_be_a_step_early_or_late(keyed: House, late_steps: int, problem: str) -> None:
    enrolled(keyed, "clerk")
    keyed.now += timedelta(minutes=5)
    assert by_api(keyed, "clerk", code_of(keyed, "clerk", late_steps=late_steps)) == problem


def test_no_step_before_a_used_one_counts(keyed: House) -> None:
    enrolled(keyed, "clerk")
    keyed.now += timedelta(minutes=5)
    assert by_api(keyed, "clerk", code_of(keyed, "clerk", late_steps=-1)) == ""
    assert by_api(keyed, "clerk", code_of(keyed, "clerk")) == "wrong-code"


def test_the_pages_ask_for_the_code_and_lead_on(keyed: House) -> None:
    enrolled(keyed, "clerk")
    fields = {"name": "clerk", "password": PASSWORD, "next": "/staff/runs/1"}
    answer = keyed.call("POST", "/login", data=fields)
    assert answer.headers["Location"] == "/login/code?next=/staff/runs/1"
    assert "HttpOnly" in answer.headers["set-cookie"]
    pending = answer.cookies[PENDING]
    asked = keyed.call("GET", "/login/code", headers={"Cookie": f"{PENDING}={pending}"})
    assert 'autocomplete="one-time-code"' in asked.text
    wrong = finish(keyed, pending, "000000")
    assert (wrong.status_code, "tallygate" in wrong.cookies) == (401, False)
    done = finish(keyed, pending, code_of(keyed, "clerk"), next="/staff/runs/1")
    assert done.headers["Location"] == "/staff/runs/1"
    keyed.now += timedelta(seconds=30)
    again = finish(keyed, pending, code_of(keyed, "clerk"))
    assert again.headers["Location"] == "/login?next=/", "what was waited for is over"


def test_the_code_is_waited_for_five_minutes(keyed: House) -> None:
    enrolled(keyed, "clerk")
    pending = waiting(keyed, "clerk")
    keyed.now += timedelta(minutes=5)
    assert finish(keyed, pending, code_of(keyed, "clerk")).headers["Location"] == "/login?next=/"


def test_the_code_leads_to_no_other_site(keyed: House) -> None:
    enrolled(keyed, "clerk")
    answer = finish(keyed, waiting(keyed, "clerk"), code_of(keyed, "clerk"), next="//evil.example")
    assert answer.headers["Location"] == "/staff/runs"


# --- guessing and losing --------------------------------------------------------------------------


def test_wrong_codes_are_braked_and_a_right_password_forgives_none(keyed: House) -> None:
    enrolled(keyed, "clerk")
    guesses = [by_api(keyed, "clerk", "000000") for _ in range(3)]
    waiting(keyed, "clerk")
    guesses += [by_api(keyed, "clerk", "000000") for _ in range(2)]
    assert guesses == ["wrong-code"] * 5
    assert by_api(keyed, "clerk", code_of(keyed, "clerk")) == "too-many-attempts"
    keyed.now += timedelta(minutes=16)
    assert by_api(keyed, "clerk", code_of(keyed, "clerk")) == ""


def test_wrong_codes_are_counted_from_wherever_they_come(keyed: House) -> None:
    enrolled(keyed, "clerk")
    for _ in range(5):
        by_api(keyed, "clerk", "000000")
    with keyed.database.transaction() as connection:
        # as if each had come from another address
        failure = tables.login_failure
        counted = connection.execute(failure.select()).all()
        kept = {each.subject for each in counted if each.subject == digest("code\nclerk")} | {
            digest("name\nclerk")
        }
        connection.execute(failure.delete().where(failure.c.subject.not_in(kept)))
    assert by_api(keyed, "clerk", code_of(keyed, "clerk")) == "too-many-attempts"


def test_a_recovery_code_works_once_however_it_is_written(keyed: House) -> None:
    first, second, *_ = enrolled(keyed, "clerk")
    assert by_api(keyed, "clerk", f" {first.upper().replace('-', ' ')} ") == ""
    assert by_api(keyed, "clerk", first) == "wrong-code"
    done = finish(keyed, waiting(keyed, "clerk"), second)
    assert done.status_code == 303
    assert "8 recovery codes are left" in as_reader(keyed, done.cookies["tallygate"]).get(PAGE).text
    assert [each[0] for each in told(keyed)][1:] == ["second-factor.recover"] * 2


def test_a_recovery_code_is_nobody_elses(keyed: House) -> None:
    codes = enrolled(keyed, "clerk")
    enrolled(keyed, "approver")
    assert by_api(keyed, "approver", codes[0]) == "wrong-code"


def test_keys_are_changed_without_a_gap(house_with: HouseWith) -> None:
    with house_with(second_factor_keys=(KEY,)) as house:
        first, *_ = enrolled(house, "clerk")
        now = house.now
        code = code_of(house, "clerk")
    for keys, problem in (
        ((NEWER,), "second-factor-unavailable"),
        ((NEWER, KEY), ""),
        ((NEWER,), "wrong-code"),  # used up, which the newer key alone now tells
    ):
        with house_with(second_factor_keys=keys) as house:
            house.now = now
            assert by_api(house, "clerk", code) == problem
    with house_with() as house:
        house.now = now
        assert by_api(house, "clerk", first) == "", "a recovery code needs no key"


def test_the_command_takes_it_away_and_ends_its_sessions(keyed: House) -> None:
    enrolled(keyed, "clerk")
    cookie = finish(keyed, waiting(keyed, "clerk"), code_of(keyed, "clerk")).cookies["tallygate"]
    pending = waiting(keyed, "clerk")
    settings = keyed.app.state.resources.settings
    environment = {
        "TALLYGATE_DATABASE_URL": settings.database_url,
        "TALLYGATE_ARCHIVE_URL": settings.archive_url,
    }
    arguments = ["reset-second-factor", "clerk"]
    answer = CliRunner().invoke(user, arguments, env=environment)
    assert (answer.exit_code, answer.output) == (0, "clerk has no second factor now\n")
    assert as_reader(keyed, cookie).get("/staff/runs").status_code == 303
    assert finish(keyed, pending, "1").headers["Location"] == "/login?next=/"
    assert by_api(keyed, "clerk") == ""
    assert told(keyed)[-1] == ("second-factor.reset", "command line", "clerk")
    again = CliRunner().invoke(user, arguments, env=environment)
    assert (again.exit_code, "has no second factor" in again.output) == (1, True)
    unknown = CliRunner().invoke(user, ["reset-second-factor", "x"], env=environment)
    assert "there is no login 'x'" in unknown.output


# --- every route ----------------------------------------------------------------------------------


def guarded(house: House) -> list[tuple[str, str]]:
    """Return method and address of every route that somebody must be admitted to."""
    found = []
    for context in iter_route_contexts(house.app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and not any(
            isinstance(each, Anyone) for each in _guards(context.dependant)
        ):
            path = re.sub(r"{[^}]*}", "1", context.path)
            found += [(method, path) for method in sorted(route.methods)]
    return found


def test_a_sign_in_that_waits_can_call_nothing(strict: House) -> None:
    enrolled(strict, "clerk")
    pending = waiting(strict, "clerk")
    routes = guarded(strict)
    assert len(routes) > 100
    admitted = []
    for method, path in routes:
        for headers in (
            {"Authorization": f"Bearer {pending}"},
            {"Cookie": f"tallygate={pending}"},
            {"Cookie": f"{PENDING}={pending}"},
        ):
            answer = strict.call(method, path, headers=headers)
            if answer.status_code != 401:
                admitted.append((method, path, answer.status_code))
    assert admitted == []


def test_who_needs_a_second_factor_can_do_nothing_but_set_it_up(strict: House) -> None:
    reader = strict.reader("clerk")
    assert by_api(strict, "clerk") == "second-factor-missing"
    assert by_api(strict, "approver") == "", "another role does not need one"
    allowed, refused = set(), set()
    for method, path in guarded(strict):
        if path.startswith("/v1/") or path == "/logout":
            continue
        answer = strict.call(method, path, headers={"Cookie": f"tallygate={reader.cookie}"})
        said = answer.json().get("type") if "json" in answer.headers["content-type"] else None
        (refused if said == "/problems/second-factor-missing" else allowed).add(path)
    assert allowed == {PAGE, f"{PAGE}/confirm", f"{PAGE}/off"}
    assert len(refused) > 50
    assert reader.get("/staff/runs").headers["Location"] == PAGE
    shown = reader.get(PAGE).text
    assert "Your role needs it." in shown
    assert "/staff/runs" not in shown


def test_an_open_session_of_the_api_is_led_there_too(house_with: HouseWith) -> None:
    with house_with() as house:
        token = house.caller("clerk").token
    headers = {"Authorization": f"Bearer {token}"}
    with house_with(**STRICT) as house:
        answers = [
            house.call(method, path, headers=headers)
            for method, path in guarded(house)
            if path.startswith("/v1/")
        ]
    assert len(answers) > 50
    assert {each.status_code for each in answers} == {403}
    assert {each.json()["type"] for each in answers} == {"/problems/second-factor-missing"}


def test_having_set_it_up_one_goes_on(strict: House) -> None:
    enrolled(strict, "clerk")
    done = finish(strict, waiting(strict, "clerk"), code_of(strict, "clerk"))
    assert as_reader(strict, done.cookies["tallygate"]).get("/staff/runs").status_code == 200
