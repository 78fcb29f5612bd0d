"""How many calls somebody may make: each has a bucket of their own, and is told how it stands."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from api import rate
from api.rate import Limiter

if TYPE_CHECKING:
    from conftest import House


class Ticking:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


@pytest.fixture
def strict(house: House, ticking: Ticking) -> House:
    """The house where everybody may make few calls a minute: keys 4, people 3, addresses 2."""
    resources = house.app.state.resources
    house.caller("li")  # signed in before anything is counted
    house.app.state.resources = dataclasses.replace(
        resources,
        settings=resources.settings.model_copy(
            update={
                "key_calls_per_minute": 4,
                "session_calls_per_minute": 3,
                "address_calls_per_minute": 2,
            }
        ),
        limiter=Limiter(ticking),
    )
    return house


def test_a_bucket_holds_a_minute_and_fills_evenly(ticking: Ticking) -> None:
    limiter = Limiter(ticking)
    assert [limiter.take("li", 6).admitted for _ in range(7)] == [True] * 6 + [False]
    ticking.now_s += 9
    assert limiter.take("li", 6).wait_s == 1
    ticking.now_s += 1
    assert limiter.take("li", 6).admitted
    assert not limiter.take("li", 6).admitted
    ticking.now_s += 3600
    assert limiter.take("li", 6).left == 5
    assert limiter.take("chen", 6).left == 5


def test_where_there_is_no_room_who_called_longest_ago_is_forgotten(
    ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate, "SETS", 1)
    limiter = Limiter(ticking)
    for number in range(rate.WAYS):
        limiter.take(f"name-{number}", 6)
        ticking.now_s += 0.001
    assert limiter.take("name-0", 6).left == 4
    assert limiter.take("one more", 6).left == 5
    assert limiter.take("name-0", 6).left == 3
    assert limiter.take("name-1", 6).left == 5


def test_too_many_calls_of_a_person_are_told_when_to_come_back(
    strict: House, ticking: Ticking
) -> None:
    li = strict.caller("li")
    found = [li.get("/v1/bills") for _ in range(4)]
    assert [answer.status_code for answer in found] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit"] for answer in found] == [
        '"calls";r=2;t=20',
        '"calls";r=1;t=40',
        '"calls";r=0;t=60',
        '"calls";r=0;t=60',
    ]
    assert found[0].headers["RateLimit-Policy"] == '"calls";q=3;w=60'
    assert "Retry-After" not in found[0].headers
    assert found[3].headers["Retry-After"] == "20"
    assert found[3].json()["type"] == "/problems/too-many-calls"
    ticking.now_s += 20
    assert li.get("/v1/bills").status_code == 200


def test_a_key_and_a_stranger_are_counted_apart(strict: House) -> None:
    def statuses(token: str, calls: int) -> list[int]:
        headers = {"Authorization": f"Bearer {token}"}
        return [strict.call("GET", "/v1/bills", headers=headers).status_code for _ in range(calls)]

    made_up = [f"made-up-{number}" for number in range(3)]
    assert [statuses(token, 1) for token in made_up] == [[401], [401], [429]]
    assert statuses(strict.keys["payments"], 5) == [200, 200, 200, 200, 429]
    assert strict.caller("li").get("/v1/bills").status_code == 200


def test_pages_are_counted_too(strict: House) -> None:
    found = [strict.call("GET", "/login", headers={"Accept": "text/html"}) for _ in range(3)]
    assert [answer.status_code for answer in found] == [200, 200, 429]
    assert "Retry-After" in found[2].headers


def test_health_is_never_refused(strict: House) -> None:
    answers = [strict.call("GET", "/health") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert "RateLimit" not in answers[0].headers
