"""How what somebody bears of a pool differs: from the month before, or were it shared otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moved:
    """What a unit, or the company (None), bears `before` and `now`, in fen; None: no share."""

    unit: str | None
    before: int | None
    now: int | None

    @property
    def amount(self) -> int:
        return (self.now or 0) - (self.before or 0)
