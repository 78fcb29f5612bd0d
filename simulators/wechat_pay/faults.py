"""What goes wrong between the platform and a merchant, drawn by a seed, switched while it runs."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from meters.definition import Definition
from simulators.chance import draw


class Trouble(StrEnum):
    """One thing that can go wrong; `Faults` holds how often, in percent."""

    DUPLICATE = "duplicate"
    """A notice is sent again though it was taken."""
    REORDER = "reorder"
    """A notice waits until the next one was sent."""
    DELAY = "delay"
    """A notice is sent `delay_s` later."""
    LOSE = "lose"
    """A try to send a notice goes nowhere; the next try follows the schedule."""
    CORRUPT = "corrupt"
    """A byte of a notice changes on the way."""
    PROBE = "probe"
    """A probe comes first: the notice with a signature that is wrong on purpose."""
    PROBE_ANSWER = "probe_answer"
    """An answer has a signature that is wrong on purpose."""
    SYSTEM_ERROR = "system_error"
    """A request is answered 500 SYSTEM_ERROR, and nothing is done."""
    HANG_UP = "hang_up"
    """What a request asks for is done, and the answer is lost."""


class Faults(Definition):
    """How often each trouble happens, in percent of its chances."""

    duplicate: int = Field(default=0, ge=0, le=100)
    reorder: int = Field(default=0, ge=0, le=100)
    delay: int = Field(default=0, ge=0, le=100)
    lose: int = Field(default=0, ge=0, le=100)
    corrupt: int = Field(default=0, ge=0, le=100)
    probe: int = Field(default=0, ge=0, le=100)
    probe_answer: int = Field(default=0, ge=0, le=100)
    system_error: int = Field(default=0, ge=0, le=100)
    hang_up: int = Field(default=0, ge=0, le=100)
    delay_s: float = Field(default=5, ge=0)

    def happens(self, trouble: Trouble, seed: int, *chance: int) -> bool:
        """Return whether `trouble` happens at this `chance`: the same for the same seed."""
        percent: int = getattr(self, trouble.value)
        return draw(seed, trouble.value, *chance) % 100 < percent
