"""Runs that are computed in the background: asked for, found again, taken over, and told of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from api.pages import staff
from billing import working
from billing.computing import Sources
from billing.store import jobs, runs
from billing.work_tables import run_job
from meters.archive.protocol import ArchiveUnavailableError

if TYPE_CHECKING:
    from datetime import datetime

    from conftest import House

    from billing.database import Database

NEW = {"period": "2026-10", "communities": ["osmanthus"]}
ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def drafted(house: House) -> House:
    """The house with a draft of October."""
    assert house.caller("clerk").post("/v1/runs", key="given-create", json=NEW).status_code == 201
    return house


def work(house: House, now: datetime | None = None) -> jobs.Job | None:
    """Let the worker do what waits, if anything does."""
    resources = house.app.state.resources

    def opened(own: Database) -> Sources:
        return Sources(own, resources.archive, resources.catalogue.current(own))

    return working.work(house.database, opened, lambda: now or house.now)


def asked(house: House, key: str = "compute-async") -> jobs.Job:
    headers = {**ASYNC, "Idempotency-Key": key}
    answer = house.caller("clerk").call("POST", "/v1/runs/2/compute", headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    with house.database.snapshot() as connection:
        return jobs.read(connection, answer.json()["id"])


def test_a_client_is_answered_at_once_and_asks_after_the_job(drafted: House) -> None:
    job = asked(drafted)
    clerk = drafted.caller("clerk")
    before = clerk.get(f"/v1/jobs/{job.id}").json()
    assert (before["state"], before["done"], before["total"]) == ("waiting", 0, 1)
    assert asked(drafted) == job  # the same key has the same answer, with its address
    assert asked(drafted, "compute-again") == job  # and a run has one job at a time
    ended = work(drafted)
    assert ended is not None
    after = clerk.get(f"/v1/jobs/{job.id}").json()
    assert (after["state"], after["done"], after["problem"]) == ("done", 1, None)
    assert clerk.get("/v1/runs/2").json()["state"] == "computed"
    assert clerk.get("/v1/runs/2").json()["computed_by"] == "clerk"
    assert work(drafted) is None


def test_without_the_preference_the_run_itself_is_answered(drafted: House) -> None:
    answer = drafted.caller("clerk").post("/v1/runs/2/compute", key="compute-now")
    assert (answer.status_code, answer.json()["state"]) == (200, "computed")


def test_a_large_run_goes_on_while_its_page_says_how_far_it_is(
    drafted: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staff, "AT_ONCE", 3)  # Osmanthus Court has four units
    reader = drafted.reader("clerk")
    csrf = reader.csrf("/staff/runs/2")
    assert reader.post("/staff/runs/2/compute", csrf=csrf).status_code == 303
    text = reader.get("/staff/runs/2").text
    assert 'http-equiv="refresh"' in text
    assert "0 of 1 done" in text
    assert 'action="/staff/runs/2/compute"' not in text
    work(drafted)
    text = reader.get("/staff/runs/2").text
    assert 'http-equiv="refresh"' not in text
    assert 'action="/staff/runs/2/review"' in text


def test_what_a_lost_worker_has_left_another_takes_over(drafted: House) -> None:
    job = asked(drafted)
    with drafted.database.transaction() as connection:
        lost = drafted.now - timedelta(hours=1)
        taken = jobs.take(connection, now=drafted.now, lost=lost)
        assert taken is not None
        assert taken.state == "working"
        assert jobs.take(connection, now=drafted.now, lost=lost) is None
    soon, later = drafted.now + timedelta(minutes=1), drafted.now + timedelta(minutes=3)
    assert work(drafted, soon) is None
    ended = work(drafted, later)
    assert ended is not None
    assert (ended.id, ended.state) == (job.id, "done")


def test_a_worker_that_is_heard_of_keeps_its_job(drafted: House) -> None:
    job = asked(drafted)
    later = drafted.now + timedelta(minutes=3)
    with drafted.database.transaction() as connection:
        jobs.take(connection, now=drafted.now, lost=drafted.now)
        jobs.hear(connection, job.id, now=later)
    assert work(drafted, later) is None


def test_what_makes_it_fail_is_told_and_what_is_left_is_done_later(
    drafted: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(drafted)

    def away(*_given: object, **_more: object) -> None:
        raise ArchiveUnavailableError("the archive does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(working, "compute_run", away)
        failed = work(drafted)
    assert failed is not None
    assert (failed.state, failed.problem) == ("failed", "the archive does not answer")
    text = drafted.reader("clerk").get("/staff/runs/2").text
    assert "The computation ended before it was done" in text
    again = asked(drafted, "compute-later")
    assert again.id != failed.id
    ended = work(drafted)
    assert ended is not None
    assert ended.state == "done"


def test_an_issued_run_has_nothing_to_compute(billed: House) -> None:
    headers = {**ASYNC, "Idempotency-Key": "compute-issued"}
    answer = billed.caller("clerk").call("POST", "/v1/runs/2/compute", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/wrong-state")
    with billed.database.snapshot() as connection:
        assert connection.execute(select(run_job)).all() == []
        assert runs.units(connection, 2) == 4
