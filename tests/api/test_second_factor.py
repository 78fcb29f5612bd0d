"""Second factors: set up, signed in with, used once, guessed at, lost, needed, and taken away."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from authenticator import (
    KEY,
    PAGE,
    PASSWORD,
    PENDING,
    as_reader,
    by_api,
    code_of,
    enrolled,
    finish,
    secret_of,
    waiting,
)
from click.testing import CliRunner
from hostile_text import HOSTILE, MARKUP
from sqlalchemy import text

from api import tables, totp
from api.commands import user
from api.credentials import digest
from billing.store import audit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import House

NEWER = "n" * 40
HouseWith = Callable[..., AbstractContextManager["House"]]


@pytest.fixture
def keyed(house_with: HouseWith) -> Iterator[House]:
    """The house where second factors can be set up."""
    with house_with(secret_keys=(KEY,)) as house:
        yield house


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


def test_without_a_key_the_page_says_what_to_set(house_with: HouseWith) -> None:
    with house_with(secret_keys=()) as house:
        reader = house.reader("clerk")
        assert "secret_keys" in reader.get(PAGE).text
        answer = reader.post(PAGE, csrf=reader.csrf(PAGE))
    assert answer.status_code == 503
    assert "secret_keys" in answer.text


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


def test_hostile_text_is_a_wrong_code(keyed: House) -> None:
    enrolled(keyed, "clerk")
    pending = waiting(keyed, "clerk")
    for hostile in HOSTILE:
        assert by_api(keyed, "clerk", hostile) in {"wrong-code", "invalid-request"}, hostile
        answer = finish(keyed, pending, hostile)
        assert answer.status_code in {401, 422}, hostile
        assert not any(markup in answer.text for markup in MARKUP)
        keyed.now += timedelta(minutes=16)
        pending = waiting(keyed, "clerk")
    assert by_api(keyed, "clerk", code_of(keyed, "clerk")) == ""


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
    with house_with(secret_keys=(KEY,)) as house:
        first, *_ = enrolled(house, "clerk")
        now = house.now
        code = code_of(house, "clerk")
    for keys, problem in (
        ((NEWER,), "second-factor-unavailable"),
        ((NEWER, KEY), ""),
        ((NEWER,), "wrong-code"),  # used up, which the newer key alone now tells
    ):
        with house_with(secret_keys=keys) as house:
            house.now = now
            assert by_api(house, "clerk", code) == problem
    with house_with(secret_keys=()) as house:
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
