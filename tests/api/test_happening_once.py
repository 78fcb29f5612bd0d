"""The same `Idempotency-Key` gets the same answer, and the effect happens once."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import osmanthus_court as court
from sqlalchemy import func, select

from api.store import answers
from billing import lifecycle
from billing.tables import audit, bill_run

if TYPE_CHECKING:
    from conftest import House

    from billing.database import Database

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
