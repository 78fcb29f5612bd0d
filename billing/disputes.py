"""Disputes: an owner's question about a bill line, and what becomes of it.

open ⇄ answered → accepted, rejected or withdrawn: a reply to an answer opens it again. Until it has
ended, what the line asks for is disputed: it can be paid, and nobody is reminded of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from meters.told import StateName, told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

SHORTEST, LONGEST = 3, 2000
"""How many letters a text has."""


class DisputeError(ValueError):
    """A dispute cannot be opened, or does not take this step; the message says why."""


class DisputeState(StrEnum):
    """Where a dispute stands."""

    OPEN = "open"
    ANSWERED = "answered"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


PENDING = (DisputeState.OPEN, DisputeState.ANSWERED)
"""The states in which a dispute has not ended."""
OF_THE_OWNER = (DisputeState.OPEN, DisputeState.WITHDRAWN)
"""The states into which whoever pays brings it, by asking, replying and taking back."""
OF_STAFF = (DisputeState.ANSWERED, DisputeState.ACCEPTED, DisputeState.REJECTED)
"""The states into which staff bring it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What somebody said with a step: the owner's reason, a clerk's answer."""

    state: DisputeState
    text: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A dispute of line `position` of `bill`, with everything that was said, in order.

    `title` is the line's, None where it is a rounding. `amount`: fen of the line. `run_id`: the run
    that was named to correct it. `mended_by`: bill and position of the issued line that took the
    disputed one back, None while there is none.
    """

    id: int
    account_id: int
    bill: str
    position: int
    title: Mapping[str, str] | None
    period: str
    unit: str
    community: Mapping[str, str]
    zone: str
    amount: int
    currency: str
    state: DisputeState
    words: tuple[Word, ...]
    run_id: int | None
    mended_by: tuple[str, int] | None

    @property
    def pending(self) -> bool:
        return self.state in PENDING

    @property
    def opened(self) -> Word:
        """The owner's reason."""
        return self.words[0]


def assert_step(state: DisputeState, to: DisputeState) -> None:
    """Raise `DisputeError` unless a dispute comes from `state` into `to`: what has ended stays."""
    if state not in PENDING:
        raise DisputeError(
            told(
                "the dispute is {state}; it does not become {to} any more",
                state=StateName(state),
                to=StateName(to),
            )
        )


def said(text: str) -> str:
    """Return `text` as it is kept; raise `DisputeError` for one that says nothing, or too much."""
    kept = text.strip()
    if not SHORTEST <= len(kept) <= LONGEST:
        raise DisputeError(
            told(
                "say it in {shortest} to {longest} letters; it has {letters}",
                shortest=SHORTEST,
                longest=LONGEST,
                letters=len(kept),
            )
        )
    return kept
