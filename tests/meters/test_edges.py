"""Readings next to many instants: some of the instants, and the rows of several answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.edges import Edges, Gathered, of_all
from meters.reading import Series

WINDOW_S = 7200
COLUMNS = ("instants_s", "before_s", "before", "after_s", "after", "unconfirmed")
Readings = dict[int, tuple[int, bool]]
"""What a meter showed, and whether nothing confirms it, by the time."""

READINGS = st.dictionaries(
    st.integers(0, 40_000), st.tuples(st.integers(0, 10**6), st.booleans()), max_size=20
)
INSTANTS = st.sets(st.integers(0, 40_000), min_size=1, max_size=6)


def gathered(meters: dict[str, Readings], instants: set[int]) -> Edges:
    """Return what an archive tells that offers the readings of each meter as one block."""
    found = Gathered([Series(meter, "volume") for meter in meters], instants, WINDOW_S)
    for row, series in enumerate(found.series):
        of_meter = sorted(meters[series.meter].items())
        found.offer(
            np.array([row]),
            np.array([0, len(of_meter)]),
            np.array([time for time, _ in of_meter], np.int64),
            np.array([value for _, (value, _) in of_meter], np.int64),
            np.array([doubtful for _, (_, doubtful) in of_meter], np.bool_),
        )
    return found.edges()


def assert_same(found: Edges, expected: Edges) -> None:
    assert found.series == expected.series
    for name in COLUMNS:
        assert getattr(found, name).tolist() == getattr(expected, name).tolist(), name


@given(one=READINGS, other=READINGS, instants=INSTANTS, more=INSTANTS)
def test_some_of_the_instants_tell_what_they_tell_alone(
    one: Readings, other: Readings, instants: set[int], more: set[int]
) -> None:
    meters = {"a": one, "b": other}
    found = gathered(meters, instants | more).at(np.array(sorted(instants)))
    assert_same(found, gathered(meters, instants))


def test_an_unconfirmed_reading_is_told_at_its_instants_alone() -> None:
    meter = {"a": {1000: (5, True), 20_000: (9, False)}}
    assert gathered(meter, {900, 20_100}).unconfirmed.tolist() == [[True, False]]


def test_rows_of_several_answers_are_one_behind_the_other() -> None:
    a: Readings = {100: (1, False)}
    b: Readings = {300: (2, True)}
    one, other = gathered({"a": a}, {200}), gathered({"b": b}, {200})
    assert_same(of_all([one, other]), gathered({"a": a, "b": b}, {200}))
    assert of_all([one]) is one


def test_an_instant_that_was_not_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="was not asked"):
        gathered({"a": {}}, {200}).at(np.array([201]))
