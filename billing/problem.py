"""Problems of a run, as data: what keeps a community from being billed, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that parks a community. `subject` is a unit, point, pool or tariff."""

    kind: str
    subject: str
    text: str
