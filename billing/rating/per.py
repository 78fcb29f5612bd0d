"""What a price that does not count use is for: a month, a day, or the whole period once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator

from billing.rating.proration import Months, Proration

if TYPE_CHECKING:
    from billing.rating.charge import Inputs


def _unsaid(value: object) -> object:
    return None if value == "month" else value


Per = Annotated[Literal["day", "period"] | None, BeforeValidator(_unsaid)]
"""`month` unless said. A month's price is prorated as the tariff says; a period's is owed once, by
whoever comes first in it."""


def times(per: Per, inputs: Inputs) -> Months:
    """Return how often each subject owes a price, as numerators over a divisor."""
    subjects = inputs.subjects
    match per:
        case "day":
            return Months(subjects.days, None)
        case "period":
            return Proration.WHOLE.months(subjects.days_before, subjects.days, subjects.period_days)
        case None:
            return inputs.months()
