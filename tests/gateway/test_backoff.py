"""What does not answer is left alone for twice as long each time, and forgiven at once."""

from __future__ import annotations

from gateway.backoff import Backoff


def test_nothing_waits_before_a_failure() -> None:
    assert Backoff().wait_s(at=100.0) == 0


def test_each_failure_doubles_the_wait_up_to_five_minutes() -> None:
    backoff = Backoff()
    waits = [backoff.failed(0.0) for _ in range(10)]
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_the_wait_runs_from_the_failure() -> None:
    backoff = Backoff()
    backoff.failed(100.0)
    assert backoff.wait_s(100.0) == 2
    assert backoff.wait_s(101.5) == 0.5
    assert backoff.wait_s(103.0) == 0


def test_one_success_ends_it_and_is_noticed_once() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.failed(0.0)
    assert backoff.succeeded()
    assert not backoff.succeeded()
    assert backoff.wait_s(0.0) == 0
    assert backoff.failed(0.0) == 2


def test_a_year_of_failures_does_not_overflow() -> None:
    backoff = Backoff()
    for _ in range(5000):
        backoff.failed(0.0)
    assert backoff.failed(0.0) == 300
