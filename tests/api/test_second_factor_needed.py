"""Before the code, and before a second factor that is needed is set up, every route is shut."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pytest
from authenticator import KEY, PAGE, PENDING, as_reader, by_api, code_of, enrolled, finish, waiting
from fastapi.routing import APIRoute, iter_route_contexts

from api.permission import Role
from api.security import Anyone, _guards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import House

HouseWith = Callable[..., AbstractContextManager["House"]]

STRICT = {
    "secret_keys": (KEY,),
    "second_factor_required_for": frozenset({Role.CLERK}),
    "address_calls_per_minute": 10**9,
    "session_calls_per_minute": 10**9,
}


@pytest.fixture
def strict(house_with: HouseWith) -> Iterator[House]:
    """The house where clerks need a second factor."""
    with house_with(**STRICT) as house:
        yield house


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
