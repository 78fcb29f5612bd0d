"""Bills and their lines, as a run makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from billing.registry import Account, Unit
    from billing.usage.measuring import UsageKey


class Debtor(NamedTuple):
    """Whose bill a line stands on: a unit by its code, and who holds it; None where nobody does."""

    unit: str
    account: Account | None


class Line(NamedTuple):
    """One line: what it charges, how much of what, and what it rests on.

    `quantity`: 10⁻⁴ of `unit`; `amount`: fen. A rated line names its tariff version and, if it
    counts use, the usage; a shared line names its pool and its place in the statement.
    """

    charge: str
    revenue: str
    quantity: int
    unit: str
    amount: int
    tariff_version_id: int | None = None
    usage: UsageKey | None = None
    share: tuple[str, int] | None = None
    evidence: str = "{}"
    """As canonical JSON; a shared line has none beside its statement's."""


class Bill(NamedTuple):
    """What one account owes for one unit and period. `total` is the sum of its lines, in fen."""

    number: str
    unit: Unit
    account: Account
    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        return sum([line.amount for line in self.lines])
