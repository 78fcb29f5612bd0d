"""A bad line is found among good ones; a server that refuses everything is not believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.archive.bisection import EveryLineRefusedError, refused_lines

if TYPE_CHECKING:
    from collections.abc import Sequence


class Server:
    """Refuses a whole request for one bad line; stores the good ones or not, as versions do."""

    def __init__(self, *, partial: bool = True) -> None:
        self.partial = partial
        self.stored: set[str] = set()
        self.posts = 0
        self.broken = False

    def post(self, lines: Sequence[str]) -> str | None:
        self.posts += 1
        if self.broken:
            return "400 engine: write buffer full"
        bad = [line for line in lines if line.startswith("bad")]
        if self.partial or not bad:
            self.stored |= set(lines) - set(bad)
        return f"400 unable to parse {bad[0]!r}" if bad else None


@given(bad=st.lists(st.booleans(), min_size=1, max_size=60), partial=st.booleans())
def test_exactly_the_bad_lines_are_refused_and_all_others_are_stored(
    bad: list[bool], *, partial: bool
) -> None:
    lines = [f"{'bad' if one else 'good'} {number}" for number, one in enumerate(bad)]
    server = Server(partial=partial)
    assert server.post(["good before"]) is None
    found = refused_lines(lines, server.post, proven="good before")
    assert sorted(found) == [number for number, one in enumerate(bad) if one]
    assert all(f"bad {number}" in why for number, why in found.items())
    assert server.stored >= {line for line in lines if line.startswith("good")}


def test_one_bad_line_among_thousands_is_found_by_halving() -> None:
    lines = [f"good {number}" for number in range(5000)]
    lines[1234] = "bad"
    server = Server()
    assert list(refused_lines(lines, server.post, proven=None)) == [1234]
    assert server.posts < 30


def test_nothing_is_refused_while_even_a_proven_line_is_not_taken() -> None:
    server = Server()
    server.broken = True
    with pytest.raises(EveryLineRefusedError, match="write buffer full"):
        refused_lines(["a", "b", "c"], server.post, proven="good")
    assert server.posts == 2


def test_nothing_is_refused_where_no_line_was_ever_taken() -> None:
    server = Server()
    with pytest.raises(EveryLineRefusedError):
        refused_lines(["bad 1"], server.post, proven=None)
    server.broken, server.posts = True, 0
    with pytest.raises(EveryLineRefusedError):
        refused_lines([f"good {number}" for number in range(5000)], server.post, proven=None)
    assert server.posts < 100, "an outage is not asked line by line"


def test_a_line_that_is_taken_in_the_same_batch_proves_the_others_bad() -> None:
    found = refused_lines(["bad 1", "good", "bad 2"], Server().post, proven=None)
    assert sorted(found) == [0, 2]
