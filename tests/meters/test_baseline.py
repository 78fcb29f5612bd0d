"""A baseline as text: what is kept between two runs comes back equal, and nothing else is read."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.baseline import Baseline, Load, Probation, Rival, from_text, rebase, to_text

TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)
VALUES = st.decimals(-(10**12), 10**12, places=4)
COUNTS = st.integers(1, 10**6)
BASELINES = st.builds(
    Baseline,
    TIMES,
    VALUES,
    st.none() | TIMES,
    st.none() | st.builds(Rival, TIMES, VALUES, TIMES, VALUES, COUNTS),
    st.none() | st.builds(Probation, TIMES, COUNTS),
    st.none() | st.builds(Load, TIMES, TIMES, VALUES, VALUES, COUNTS),
)


@given(BASELINES)
def test_a_baseline_comes_back_equal_from_one_line_of_text(baseline: Baseline) -> None:
    text = to_text(baseline)

    assert from_text(text) == baseline
    assert "\n" not in text


def test_a_baseline_of_which_only_time_and_value_were_kept_is_confirmed() -> None:
    baseline = from_text('{"time": "2026-01-01T08:00:00+08:00", "value": "180.10"}')

    assert baseline == rebase(datetime(2026, 1, 1, tzinfo=UTC), baseline.value)
    assert baseline.time.tzinfo is UTC
    assert str(baseline.value) == "180.10"
    assert baseline.probation is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "7",
        '{"time": "2026-01-01T00:00:00+00:00"}',
        '{"time": "2026-01-01T00:00:00", "value": "1"}',
        '{"time": "2026-01-01T00:00:00+00:00", "value": "one"}',
        '{"time": "2026-01-01T00:00:00+00:00", "value": "NaN"}',
        '{"time": "2026-01-01T00:00:00+00:00", "value": "1", "rival": []}',
        '{"time": "2026-01-01T00:00:00+00:00", "value": "1", "probation": [1, 2]}',
        '{"time": "2026-01-01T00:00:00+00:00", "value": "1", "load": {}}',
    ],
)
def test_text_that_is_no_baseline_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a baseline"):
        from_text(text)


def test_an_answer_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        rebase(datetime(2026, 1, 1), Decimal(1))
