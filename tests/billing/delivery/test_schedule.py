"""What failed is tried again for three days, later and later, and not all of it at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing.delivery.schedule import (
    STEPS,
    Next,
    Said,
    State,
    after,
    is_to_be_switched_off,
    jittered,
)

NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)


def test_it_is_tried_for_about_three_days_and_then_given_up() -> None:
    at = NOW
    for tries in range(1, 10):
        following = after(Said.FAILED, tries, 7, at)
        assert following.state is State.WAITING
        assert following.at is not None
        assert STEPS[tries - 1] <= following.at - at <= STEPS[tries - 1] * 6 / 5
        at = following.at

    assert timedelta(hours=75) < at - NOW < timedelta(hours=91)
    assert after(Said.FAILED, 10, 7, at) == Next(State.FAILED)


def test_what_failed_together_does_not_come_back_together() -> None:
    delays = {jittered(timedelta(minutes=5), each, 2) for each in range(100)}

    assert len(delays) > 50
    assert jittered(timedelta(minutes=5), 1, 2) == jittered(timedelta(minutes=5), 1, 2)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (Said.SENT, State.SENT),
        (Said.REFUSED, State.FAILED),
        (Said.GONE, State.FAILED),
        (Said.UNSURE, State.UNSURE),
    ],
)
def test_what_is_settled_is_not_tried_again(said: Said, state: State) -> None:
    assert after(said, 1, 7, NOW) == Next(state)


def test_an_endpoint_is_switched_off_that_fails_for_three_days_or_wants_no_more() -> None:
    assert is_to_be_switched_off(NOW - timedelta(days=3), Said.FAILED, NOW)
    assert not is_to_be_switched_off(NOW - timedelta(days=3, seconds=-1), Said.FAILED, NOW)
    assert is_to_be_switched_off(None, Said.GONE, NOW)
