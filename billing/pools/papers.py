"""What people enter for a pool and a period: costs with their documents, and losses let pass."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What a document says that a pool's supply cost: `amount` in fen, below 0 for a credit.

    `approved_by` is None until a second person has seen the document.
    """

    id: int
    document: str
    amount: int
    entered_by: str
    approved_by: str | None


@dataclass(frozen=True, slots=True)
class LossApproval:
    """A loss outside its band that somebody has let pass: `lost`, 10⁻⁴ units, and why."""

    lost: int
    reason: str
    approved_by: str
