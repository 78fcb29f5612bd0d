"""What one question about an archive tells of the readings that come next."""

from __future__ import annotations

from meters.archive.influxql import Span
from meters.archive.presence import BELIEVED_NS, Presence
from meters.reading import Series

ENERGY, WATER = Series("e-1", "import_energy"), Series("w-1", "volume")


def doubtful(
    presence: Presence, *asked: tuple[Series, int], at: int = 0
) -> list[tuple[Series, int]]:
    positions = presence.take([one for one, _ in asked], [time for _, time in asked], at)
    return [asked[position] for position in positions]


def test_without_a_look_everything_is_doubtful() -> None:
    assert doubtful(Presence(), (ENERGY, 1), (WATER, 2)) == [(ENERGY, 1), (WATER, 2)]


def test_what_is_newer_than_everything_in_the_span_is_new() -> None:
    presence = Presence()
    presence.learn(Span(100, 200), {ENERGY: 150}, 0)
    new = [(ENERGY, 151), (WATER, 100)]
    old = [(ENERGY, 150), (WATER, 99), (WATER, 201), (ENERGY, 120)]
    assert doubtful(presence, *new, *old) == old


def test_what_was_taken_is_no_longer_new_not_even_in_the_same_batch() -> None:
    presence = Presence()
    presence.learn(Span(100, 200), {}, 0)
    assert doubtful(presence, (ENERGY, 130), (ENERGY, 130), (ENERGY, 110)) == [
        (ENERGY, 130),
        (ENERGY, 110),
    ]
    assert doubtful(presence, (ENERGY, 130), (ENERGY, 131)) == [(ENERGY, 130)]
    doubtful(presence, (WATER, 50))
    assert doubtful(presence, (WATER, 105)) == [], "what is outside the span tells nothing"


def test_a_look_is_believed_for_a_short_time_only() -> None:
    presence = Presence()
    presence.learn(Span(100, 200), {}, 5)
    assert doubtful(presence, (ENERGY, 130), at=4 + BELIEVED_NS) == []
    assert doubtful(presence, (ENERGY, 131), at=5 + BELIEVED_NS) == [(ENERGY, 131)]


def test_several_looks_are_believed_together_as_backlog_and_live_readings_take_turns() -> None:
    presence = Presence()
    presence.learn(Span(100, 200), {}, 0)
    presence.learn(Span(1000, 2000), {}, 1)
    asked = (ENERGY, 130), (ENERGY, 1500), (ENERGY, 500)
    assert doubtful(presence, *asked) == [(ENERGY, 500)]


def test_every_look_learns_what_was_taken() -> None:
    presence = Presence()
    presence.learn(Span(100, 200), {}, 0)
    presence.learn(Span(100, 300), {}, BELIEVED_NS // 2)
    assert doubtful(presence, (ENERGY, 130), at=BELIEVED_NS // 2) == []
    assert doubtful(presence, (ENERGY, 130), at=BELIEVED_NS) == [(ENERGY, 130)]
