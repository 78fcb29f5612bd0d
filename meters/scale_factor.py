"""Scale factors: registers that say by what the number in another register is to be multiplied.

SunSpec's models have an exponent of ten beside what they count (`TotWhImp` and `TotWh_SF`), other
meters a number of decimals, or a code for the size of a step. A type states everything that such a
register may say. What says anything else, SunSpec's 0x8000 for "not implemented" among them, scales
nothing: a value that is off by a power of ten would be worse than none.

The ratio of transformers in front of a meter is none: it is the installation's multiplier, which
has dates and an author.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from meters.access import LAST_ADDRESS, Address
from meters.definition import Definition, Exact
from meters.words import WordOrder, WordType

MOST_EXPONENT = 10
"""SunSpec's: an exponent beyond it, or as many decimals, is no meter's."""


def _runs_upward(span: tuple[int, int]) -> tuple[int, int]:
    if not -MOST_EXPONENT <= span[0] <= span[1] <= MOST_EXPONENT:
        raise ValueError(
            f"must be the lowest and the highest, from -{MOST_EXPONENT} to {MOST_EXPONENT}, "
            f"got {list(span)}"
        )
    return span


Exponents = Annotated[tuple[int, int], AfterValidator(_runs_upward)]
"""The lowest and the highest exponent of ten."""


class ScaleFactor(Definition):
    """The register at `address`, which says by what another register's number is multiplied.

    What it says is an exponent of ten, a number of decimals, or one of the codes; one of the three
    is stated, and with it everything that it may say.
    """

    address: Address
    type: WordType = WordType.INT16
    order: WordOrder | None = None
    """By default that of the register that it scales."""
    exponent: Exponents | None = None
    """It holds n, from the lowest to the highest; the number is multiplied by 10ⁿ."""
    decimals: Exponents | None = None
    """It holds n, from the fewest to the most; the number is divided by 10ⁿ."""
    codes: dict[int, Annotated[Exact, Field(gt=0)]] | None = Field(default=None, min_length=1)
    """It holds one of these; the number is multiplied by what stands beside it."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if [self.exponent, self.decimals, self.codes].count(None) != 2:
            raise ValueError(
                "state one of exponent ([-3, 3]), decimals ([0, 4]) and codes "
                '({ 0 = "1", 1 = "0.1" }): everything that the register may say'
            )
        if self.type.size % 2 or self.type.is_float:
            raise ValueError(f"{self.type} holds no exponent or code; use an integer or bcd")
        if self.span.stop > LAST_ADDRESS + 1:
            raise ValueError(f"its words go beyond the last address, {LAST_ADDRESS}")
        lowest = -(self.type.capacity or 0) if self.type.is_signed else 0
        for code in self.factors:
            if not lowest <= code < (self.type.capacity or 0):
                raise ValueError(f"{code} does not fit {self.type}")
        return self

    @property
    def span(self) -> range:
        """The addresses of its words."""
        return range(self.address, self.address + self.type.words)

    @cached_property
    def factors(self) -> dict[int, Decimal]:
        """What the register may say → what the number is multiplied by."""
        if self.exponent is not None:
            lowest, highest = self.exponent
            return {n: Decimal(1).scaleb(n) for n in range(lowest, highest + 1)}
        if self.decimals is not None:
            fewest, most = self.decimals
            return {n: Decimal(1).scaleb(-n) for n in range(fewest, most + 1)}
        return dict(self.codes or {})

    def __str__(self) -> str:
        """Say it as a formula: `× 10^[0x9d32]`."""
        sign = "× " if self.codes else "× 10^" if self.exponent else "÷ 10^"
        return f"{sign}[{self.address:#06x}]"
