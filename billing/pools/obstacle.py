"""What keeps a pool from being shared: each thing by name, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from meters.told import told


class ObstacleKind(StrEnum):
    """Why a pool cannot be shared."""

    EMPTY_SCOPE = "empty-scope"
    DUPLICATE_UNIT = "duplicate-unit"
    UNKNOWN_UNIT = "unknown-unit"
    UNKNOWN_ENTRANCE = "unknown-entrance"
    UNKNOWN_FLOOR = "unknown-floor"
    VACANT = "vacant"
    OWNER_CHANGED = "owner-changed"
    MISSING_KEY = "missing-key"
    ZERO_KEY = "zero-key"
    NEGATIVE_KEY = "negative-key"
    INEXACT_KEY = "inexact-key"
    ZERO_KEY_SUM = "zero-key-sum"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that keeps a pool from being shared; `what` says what to do about it."""

    kind: ObstacleKind
    unit: str | None
    what: str

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        """What it is of which unit."""
        if self.unit is None:
            return self.what
        return told("unit {unit}: {what}", unit=self.unit, what=self.what)


@dataclass(frozen=True, slots=True)
class Blocked:
    """A pool that shares nothing in this period, and everything that stands in its way."""

    pool: str
    version: int
    period: str
    obstacles: tuple[Obstacle, ...]


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A pool that waits for a unit that is held, and what the unit lacks."""

    pool: str
    unit: str
    what: str
