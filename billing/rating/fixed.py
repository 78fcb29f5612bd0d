"""A fixed amount per period (one month), whatever the use."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from billing.fields import UnitPrice  # noqa: TC001 - pydantic reads it at run time
from billing.money import to_price
from billing.rating.charge import Charge, Counts, Parts
from meters.quantity import PER_UNIT

if TYPE_CHECKING:
    from billing.rating.charge import Inputs


class Fixed(Charge):
    """`amount` for each month; a negative one is a rebate."""

    counts: ClassVar[Counts] = Counts.MONTHS

    kind: Literal["fixed"]
    amount: UnitPrice

    def parts(self, inputs: Inputs) -> Parts:
        one_month = np.full(inputs.subjects.count, PER_UNIT, dtype=np.int64)
        return Parts.of([one_month], [to_price(self.amount)])
