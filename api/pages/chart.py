"""A register over time as a drawing: a line through what is good, and a mark for all else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from meters.reading import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from meters.interval import Interval
    from meters.reading import Reading

WIDTH, HEIGHT = 1000, 260
"""The drawing's own units."""
TOP, BOTTOM = 12, 240
"""Between these lie the values; marks of what holds none stand below."""
MOST_POINTS = 500
MOST_MARKS = 300
TICKS = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """A reading that is not good, or that has no value."""

    x: int
    y: int
    verdict: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis, with what it stands for."""

    at: int
    value: Decimal | None = None
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """`lines` are points of SVG polylines; a gap in the readings parts two of them."""

    lines: tuple[str, ...]
    marks: tuple[Mark, ...]
    values: tuple[Tick, ...]
    times: tuple[Tick, ...]


def of_readings(
    readings: Sequence[Reading],
    interval: Interval,
    stated: Sequence[tuple[datetime, Decimal]] = (),
) -> Chart | None:
    """Return the drawing of one register's `readings`, oldest first; None where none has a value.

    `stated`: what people said that it showed, and when; each is a mark of its own.

    The scale is that of the good readings, so that one glitch does not flatten the rest; what lies
    beyond it stands at the edge.
    """
    valued = [(each, each.value) for each in readings if each.value is not None]
    if not valued:
        return None
    good = [(each, value) for each, value in valued if each.verdict is Verdict.GOOD]
    scale = [value for _, value in good or valued]
    low, high = min(scale), max(scale)
    span = interval.end - interval.start

    def across(time: datetime) -> int:
        return (time - interval.start) * WIDTH // span

    def up(value: Decimal) -> int:
        if high == low:
            return (TOP + BOTTOM) // 2
        share = (value - low) * (BOTTOM - TOP) / (high - low)
        return min(BOTTOM, max(TOP, BOTTOM - int(share)))

    step = -(-len(good) // MOST_POINTS) or 1
    shown = good[::step]
    if good and shown[-1] is not good[-1]:
        shown.append(good[-1])
    gap = _gap([each.time for each, _ in shown])
    lines: list[list[str]] = []
    last: datetime | None = None
    for each, value in shown:
        if last is None or each.time - last > gap:
            lines.append([])
        lines[-1].append(f"{across(each.time)},{up(value)}")
        last = each.time
    marks = tuple(
        Mark(across(each.time), HEIGHT - 8 if value is None else up(value), _verdict(each))
        for each, value in _not_good(readings)
    ) + tuple(Mark(across(at), up(value), "stated") for at, value in stated)
    return Chart(
        tuple(" ".join(points if len(points) > 1 else points * 2) for points in lines),
        marks,
        _values(low, high),
        _times(interval),
    )


def _not_good(readings: Sequence[Reading]) -> list[tuple[Reading, Decimal | None]]:
    """Return the last readings that are not good, with their values."""
    bad = [each for each in readings if each.verdict is not Verdict.GOOD]
    return [(each, each.value) for each in bad[-MOST_MARKS:]]


def _verdict(reading: Reading) -> str:
    return reading.verdict.name.lower()


def _values(low: Decimal, high: Decimal) -> tuple[Tick, ...]:
    lowest = Tick(BOTTOM, value=low)
    return (lowest,) if low == high else (lowest, Tick(TOP, value=high))


def _times(interval: Interval) -> tuple[Tick, ...]:
    span = interval.end - interval.start
    return tuple(
        Tick(WIDTH * part // TICKS, time=interval.start + span * part // TICKS)
        for part in range(TICKS + 1)
    )


def _gap(times: Sequence[datetime]) -> timedelta:
    """Return how far two readings may be apart and still be one line: three times the usual."""
    between = sorted(later - at for at, later in pairwise(times))
    usual = between[len(between) // 2] if between else timedelta(0)
    return max(usual * 3, timedelta(minutes=1))
