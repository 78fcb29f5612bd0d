"""The same `Idempotency-Key` gets the same answer, and the effect happens once."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import osmanthus_court as court
from sqlalchemy import func, select

from api.store import answers
from billing import lifecycle
from billing.database import Database
from billing.tables import audit, bill_run

if TYPE_CHECKING:
    from conftest import House

NEW = {"period": "2026-10", "communities": ["osmanthus"]}


def runs(database: Database) -> int:
    with database.snapshot() as connection:
        return int(connection.scalar(select(func.count()).select_from(bill_run)) or 0)


def test_a_repeated_call_gets_its_first_answer(house: House) -> None:
    clerk = house.caller("clerk")
    first = clerk.post("/v1/runs", key="create-october", json=NEW)
    again = clerk.post("/v1/runs", key="create-october", json=NEW)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert runs(house.database) == 2


def test_the_key_with_another_request_is_refused(house: House) -> None:
    clerk = house.caller("clerk")
    clerk.post("/v1/runs", key="create-october", json=NEW)
    other = clerk.post("/v1/runs", key="create-october", json={**NEW, "period": "2026-11"})
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    path = clerk.post("/v1/runs/2/compute", key="create-october")
    assert path.json()["type"] == "/problems/idempotency-key-reused"


def test_without_a_key_nothing_happens(house: House) -> None:
    answer = house.caller("clerk").post("/v1/runs", json=NEW)
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/idempotency-key-missing"
    assert runs(house.database) == 1


def test_a_key_belongs_to_its_caller(house: House) -> None:
    house.caller("clerk").post("/v1/runs", key="create-october", json=NEW)
    other = house.caller("approver").post("/v1/runs", key="create-october", json=NEW)
    assert other.status_code == 409
    assert other.json()["type"] == "/problems/run-exists"


def test_a_call_that_fails_keeps_nothing_and_may_be_repeated(house: House) -> None:
    approver = house.caller("approver")
    house.caller("clerk").post("/v1/runs", key="create-october", json=NEW)
    assert approver.post("/v1/runs/2/review", key="review-october").status_code == 409
    house.caller("clerk").post("/v1/runs/2/compute", key="compute-october")
    assert approver.post("/v1/runs/2/review", key="review-october").status_code == 200


def test_every_step_of_a_run_can_be_repeated(house: House) -> None:
    clerk, approver = house.caller("clerk"), house.caller("approver")
    steps = [
        (clerk, "/v1/runs", NEW),
        (clerk, "/v1/runs/2/compute", None),
        (clerk, "/v1/runs/2/review", None),
        (approver, "/v1/runs/2/approve", "seen"),
        (approver, "/v1/runs/2/issue", None),
    ]
    for caller, path, what in steps:
        body = house.seen(2) if what == "seen" else what
        first = caller.post(path, key=f"key of {path}", json=body)
        assert first.status_code in (200, 201), first.text
        again = caller.post(path, key=f"key of {path}", json=body)
        assert (again.status_code, again.json()) == (first.status_code, first.json())
    with house.database.snapshot() as connection:
        issued = select(func.count()).where(audit.c.action == "run.issue")
        assert connection.scalar(issued) == 2, "September and October, each once"


def test_a_call_that_was_cut_off_is_waited_for_and_then_made_again(house: House) -> None:
    clerk = house.caller("clerk")
    clerk.post("/v1/runs", key="create-october", json=NEW)
    fingerprint = hashlib.sha256(b"POST\n/v1/runs/2/compute\n").hexdigest()
    with house.database.transaction() as connection:
        answers.claim(
            connection,
            principal="clerk",
            key="compute-october",
            fingerprint=fingerprint,
            now=house.now,
        )
    waiting = clerk.post("/v1/runs/2/compute", key="compute-october")
    assert (waiting.status_code, waiting.json()["type"]) == (409, "/problems/still-working")
    assert waiting.headers["Retry-After"] == "5"
    house.now += timedelta(minutes=11)
    assert clerk.post("/v1/runs/2/compute", key="compute-october").json()["state"] == "computed"


def test_a_call_whose_first_is_worked_on_is_told_when_to_come_back(house: House) -> None:
    under_way = house.app.state.resources.under_way
    body = json.dumps(NEW).encode()
    under_way["clerk", "create-october"] = hashlib.sha256(b"POST\n/v1/runs\n" + body).hexdigest()

    def create(content: bytes) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {house.caller('clerk').token}",
            "Idempotency-Key": "create-october",
            "Content-Type": "application/json",
        }
        return house.call("POST", "/v1/runs", content=content, headers=headers)

    busy = create(body)
    assert (busy.status_code, busy.json()["type"]) == (409, "/problems/still-working")
    assert busy.headers["Retry-After"] == "1"
    other = create(body + b" ")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    del under_way["clerk", "create-october"]
    assert create(body).status_code == 201
    assert under_way == {}


def test_of_twenty_calls_at_once_one_works_and_the_others_wait_or_hear_of_it(house: House) -> None:
    headers = {
        "Authorization": f"Bearer {house.caller('clerk').token}",
        "Idempotency-Key": "create-october",
    }

    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(house.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://court") as client:
            calls = (client.post("/v1/runs", json=NEW, headers=headers) for _ in range(20))
            return await asyncio.gather(*calls)

    came = house.runner.run(all_of_them())
    done = [each for each in came if each.status_code == 201]
    told = [each for each in came if each.status_code == 409]
    assert len(done) + len(told) == 20
    assert [each.headers.get("Idempotency-Replayed") for each in done].count(None) == 1
    assert {each.json()["id"] for each in done} == {2}
    assert all(each.json()["type"] == "/problems/still-working" for each in told)
    assert all(each.headers["Retry-After"] == "1" for each in told)


def test_on_postgresql_a_key_is_one_process_at_a_time(postgresql_url: str) -> None:
    named = {"principal": "clerk", "key": "create-october"}
    with Database(postgresql_url) as database:
        with database.transaction() as first, database.transaction() as second:
            assert answers.is_mine(first, **named)
            assert not answers.is_mine(second, **named)
            assert answers.is_mine(second, principal="approver", key="create-october")
        with database.transaction() as third:
            assert answers.is_mine(third, **named)


def test_twenty_calls_at_once_create_one_run(house: House) -> None:
    """Through the store, in threads: that is where calls of one key meet."""
    from api.idempotency import JoinedDatabase

    came = []

    def call() -> None:
        with house.database.transaction() as connection:
            kept = answers.claim(
                connection, principal="clerk", key="at-once", fingerprint="f", now=court.NOW
            )
            if kept is None:
                run = lifecycle.create_run(
                    JoinedDatabase(house.database, connection),
                    period="2026-10",
                    communities=["osmanthus"],
                    actor="clerk",
                    now=court.NOW,
                )
                answers.keep(
                    connection, principal="clerk", key="at-once", status=201, body=str(run)
                )
                came.append(str(run))
            else:
                came.append(kept.body)

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert came == ["2"] * 20
    assert runs(house.database) == 2


def test_the_answer_and_the_effect_are_kept_together_or_not_at_all(house: House) -> None:
    """What would fail after the effect takes the effect back."""
    with house.database.transaction() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no_answer BEFORE UPDATE ON idempotency "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    answer = house.caller("clerk").post("/v1/runs", key="create-october", json=NEW)
    assert answer.status_code == 500
    assert runs(house.database) == 1
