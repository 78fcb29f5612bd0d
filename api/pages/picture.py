"""Pictures of a line as bars: where its use lies among the steps, and how big a share is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from api import explanation
from billing.rating.steps import Steps
from billing.rating.time_of_use_steps import TimeOfUseSteps

if TYPE_CHECKING:
    from fractions import Fraction

    from billing.store.views.bills import LineView

WIDTH = 1000
"""How wide a picture is in its own units."""
HEADROOM = Decimal("1.15")
"""How much of the open last step is shown when nothing reaches it."""
MIN_WIDTH = 4
"""The least that is drawn of something that is there."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from `x`, `width` wide; `tone` says what it stands for."""

    x: int
    width: int
    tone: str


@dataclass(frozen=True, slots=True)
class StepPicture:
    """The steps side by side, what the year used before, and what this period used."""

    bands: tuple[Bar, ...]
    before: Bar | None
    now: Bar | None


def of_steps(line: LineView) -> StepPicture | None:
    """Return the picture of a line with several steps; None for any other line."""
    charge = explanation.charge_of(line)
    if not isinstance(charge, Steps | TimeOfUseSteps):
        return None
    parts = explanation.parts(line)
    steps = {part.number: part for part in parts}
    if len(steps) < 2:
        return None
    before = explanation.used_before(line)
    end = before + sum((part.quantity for part in parts), Decimal(0))
    last_bound = parts[-1].above or Decimal(0)
    whole = max(end, last_bound * HEADROOM, Decimal(1))
    bands = tuple(
        _bar(step.above or Decimal(0), step.until or whole, whole, f"step-{number}")
        for number, step in steps.items()
    )
    return StepPicture(
        bands,
        before=_bar(Decimal(0), before, whole, "before") if before > 0 else None,
        now=_bar(before, end, whole, "now") if end > before else None,
    )


def of_share(share: Fraction) -> Bar:
    """Return the bar of a share among all."""
    return Bar(0, max(MIN_WIDTH, int(share * WIDTH)) if share > 0 else 0, "now")


def _bar(start: Decimal, end: Decimal, whole: Decimal, tone: str) -> Bar:
    left, right = int(start * WIDTH / whole), int(end * WIDTH / whole)
    return Bar(left, max(MIN_WIDTH, right - left), tone)
