"""Use over time as columns: what was used, the year before behind it, and similar households."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 1000, 240
"""The drawing's own units."""
LEAST = 2
"""How high what is there is drawn at least."""
GAP = 16
"""How high what should be there is marked."""


@dataclass(frozen=True, slots=True)
class Used:
    """What is drawn of a month or day, 10⁻⁴, None for what is not known.

    `is_gap`: where it should be known.
    """

    quantity: int | None
    last_year: int | None = None
    similar: int | None = None
    estimated: bool = False
    is_gap: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; `tone` says what it stands for."""

    x: int
    y: int
    width: int
    height: int
    tone: str


@dataclass(frozen=True, slots=True)
class Columns:
    """A drawing of which `top`, 10⁻⁴, is the upper edge."""

    top: int
    boxes: tuple[Box, ...]


def drawn(uses: Sequence[Used]) -> Columns | None:
    """Return the drawing of `uses`, side by side; None where nothing is known of any."""
    known = [
        value
        for each in uses
        for value in (each.quantity, each.last_year, each.similar)
        if value is not None
    ]
    if all(each.quantity is None and each.last_year is None for each in uses):
        return None
    top = _top(max(known))
    boxes: list[Box] = []
    for place, each in enumerate(uses):
        left, right = place * WIDTH // len(uses), (place + 1) * WIDTH // len(uses)
        boxes += _of_one(each, left, right - left, top)
    return Columns(top, tuple(boxes))


def _of_one(used: Used, left: int, width: int, top: int) -> list[Box]:
    found = []
    if used.is_gap:
        found.append(Box(left + width // 20, HEIGHT - GAP, width * 9 // 10, GAP, "gap"))
    if used.last_year is not None:
        found.append(_box(left + width // 10, width * 4 // 10, used.last_year, top, "earlier"))
    if used.quantity is not None:
        tone = "estimated" if used.estimated else "used"
        found.append(_box(left + width * 4 // 10, width // 2, used.quantity, top, tone))
    if used.similar is not None:
        level = HEIGHT - used.similar * HEIGHT // top
        found.append(Box(left, min(level, HEIGHT - 3), width, 3, "similar"))
    return found


def _box(x: int, width: int, quantity: int, top: int, tone: str) -> Box:
    height = max(LEAST, max(0, quantity) * HEIGHT // top)
    return Box(x, HEIGHT - height, width, height, tone)


def _top(most: int) -> int:
    """Return the least of 1, 2, 5, 10, … × 10ⁿ that is not below `most`."""
    power = int("1".ljust(len(str(max(most, 1))), "0"))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= most)
