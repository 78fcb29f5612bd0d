"""What clerks decide about usage: overlays beside the archive, which the next computation reads.

A decision is never changed; a later one about the same takes its place. The usage that rests on it
names it in its evidence, and so it is part of the run's digest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from meters.finding import (
    CoarseRegister,
    Exchanged,
    Finding,
    Interpolated,
    RatioChanged,
    RolledOver,
    TruedUp,
)
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from meters.estimate import Method


class Decision(StrEnum):
    """What a clerk does about a finding."""

    ACCEPT = "accept"
    """Bill what was found, as it is."""
    ESTIMATE = "estimate"
    """Take an estimate in place of the register at the end of the period, or of missing edges."""
    OVERRIDE = "override"
    """State the register at an instant, or the use of the period."""
    WITHDRAW = "withdraw"
    """Let earlier decisions about the register in this period no longer count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A decision about one register of one point in one period, and who took it, when and why.

    `id`: 0 until it is stored; `finding`: the name of what is accepted; `method`: how to estimate;
    `at` and `value`: a register in its canonical unit; `use`: what the period used.
    """

    id: int = 0
    point: str
    register: str
    period: str
    decision: Decision
    author: str
    made_at: datetime
    reason: str
    finding: str | None = None
    method: Method | None = None
    at: datetime | None = None
    value: Decimal | None = None
    use: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Reviewed(Finding):
    """A clerk has decided about this usage."""

    review: int
    decision: Decision
    about: str
    author: str
    made_at: datetime
    reason: str

    @classmethod
    def of(cls, review: Review) -> Reviewed:
        match review:
            case Review(finding=str(about)):
                pass
            case Review(value=value, at=at) if value is not None:
                about = f"{plain(value)} at {at}"
            case Review(use=use) if use is not None:
                about = f"a use of {plain(use)}"
            case _:
                about = str(review.method)
        return cls(review.id, review.decision, about, review.author, review.made_at, review.reason)

    def __str__(self) -> str:
        return (
            f"{self.author} at {self.made_at}: {self.decision} {self.about}, because {self.reason}"
        )


INFORMATIVE = (CoarseRegister, Exchanged, Interpolated, RatioChanged, Reviewed, RolledOver, TruedUp)
"""Findings that explain a use and ask nobody for anything: they make no item."""


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """A finding that a clerk should look at, and whether it keeps the use from being billed."""

    point: str
    register: str
    finding: str
    blocks: bool
    text: str


@dataclass(frozen=True, slots=True)
class Overlay:
    """The decisions that count for one register of one point."""

    accepted: Mapping[str, Review] = field(default_factory=dict)
    closing: Review | None = None
    """An estimate, or a stated use: what closes the period in place of a reading."""
    registers: Mapping[datetime, Review] = field(default_factory=dict)
    """Registers stated at instants; one at the period's end closes it."""

    def accepts(self, finding: Finding) -> bool:
        return type(finding).__name__ in self.accepted


NOTHING = Overlay()


def overlays(reviews: Iterable[Review]) -> dict[tuple[str, str], Overlay]:
    """Return what counts of `reviews`, the oldest first, by point code and register name."""
    accepted: dict[tuple[str, str], dict[str, Review]] = {}
    closing: dict[tuple[str, str], Review] = {}
    registers: dict[tuple[str, str], dict[datetime, Review]] = {}
    for review in reviews:
        key = review.point, review.register
        match review.decision:
            case Decision.WITHDRAW:
                for kept in (accepted, closing, registers):
                    kept.pop(key, None)
            case Decision.ACCEPT if review.finding is not None:
                accepted.setdefault(key, {})[review.finding] = review
            case Decision.OVERRIDE if review.at is not None:
                registers.setdefault(key, {})[review.at] = review
            case _:
                closing[key] = review
    return {
        key: Overlay(accepted.get(key, {}), closing.get(key), registers.get(key, {}))
        for key in accepted.keys() | closing.keys() | registers.keys()
    }
