"""What one question about an archive tells of the readings that come next."""

from __future__ import annotations

from meters.archive.influxql import Span
from meters.archive.presence import BELIEVED_NS, Presence
from meters.reading import Series

ENERGY, WATER = Series("e-1", "import_energy"), Series("w-1", "volume")


def test_without_a_look_everything_is_doubtful() -> None:
    assert Presence().doubtful([(ENERGY, 1), (WATER, 2)], 0) == [0, 1]


def test_what_is_newer_than_everything_in_the_span_is_new() -> None:
    presence = Presence()
    presence.learn(Span(100, 200), {ENERGY: 150}, 0)
    asked = [(ENERGY, 150), (ENERGY, 151), (WATER, 100), (WATER, 99), (WATER, 201), (ENERGY, 120)]
    assert presence.doubtful(asked, 0) == [0, 3, 4, 5]


def test_what_was_written_since_is_no_longer_new() -> None:
    presence = Presence()
    presence.learn(Span(100, 200), {}, 0)
    presence.wrote([(ENERGY, 130), (ENERGY, 110)])
    assert presence.doubtful([(ENERGY, 130), (ENERGY, 131), (ENERGY, 105), (WATER, 105)], 0) == [
        0,
        2,
    ]


def test_a_look_is_believed_for_a_short_time_only() -> None:
    presence = Presence()
    presence.learn(Span(100, 200), {}, 5)
    assert presence.doubtful([(ENERGY, 130)], 4 + BELIEVED_NS) == []
    assert presence.doubtful([(ENERGY, 130)], 5 + BELIEVED_NS) == [0]


def test_several_looks_are_believed_together_as_backlog_and_live_readings_take_turns() -> None:
    presence = Presence()
    presence.learn(Span(100, 200), {}, 0)
    presence.learn(Span(1000, 2000), {}, 1)
    assert presence.doubtful([(ENERGY, 130), (ENERGY, 1500), (ENERGY, 500)], 2) == [2]
