"""Signposts lead to the route that asking all of them in order would find."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Match, Route

from api.signposts import FOUND, Signposts


async def nothing(_: object) -> PlainTextResponse:
    return PlainTextResponse("")


NEW = Route("/bills/new", nothing)
BILL = Route("/bills/{number}", nothing)
BILL_OF_API = Route("/v1/bills/{number}", nothing)
START = Route("/", nothing)
SIGNPOSTS = Signposts([START, NEW, BILL_OF_API, BILL])


def found(path: str, method: str = "GET") -> object:
    scope = {"type": "http", "path": path, "method": method}
    match, changes = SIGNPOSTS.matches(scope)
    return changes[FOUND] if match is Match.FULL else None


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", START),
        ("/bills/new", NEW),
        ("/bills/osmanthus-2026-10-0007", BILL),
        ("/v1/bills/new", BILL_OF_API),
        ("/bills", None),
        ("/v1", None),
        ("/v1/", None),
        ("/elsewhere", None),
        ("//bills/new", None),
    ],
)
def test_the_first_route_that_fits_is_found(path: str, route: Route | None) -> None:
    assert found(path) is route


def test_a_method_that_no_route_takes_is_left_to_those_who_know_the_methods() -> None:
    assert found("/bills/new", "DELETE") is None


def test_a_route_whose_first_word_is_open_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the first word of /\{project\}/bills is open"):
        Signposts([Route("/{project}/bills", nothing)])
