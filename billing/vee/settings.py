"""What a community holds its usage against before it is billed: thresholds, and what blocks."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictBool, StrictInt, model_validator

from billing.fields import NotNegative, Quantity
from meters.definition import Definition, Exact
from meters.estimate import Method


class Rule(StrEnum):
    """The findings of validation that a community may let block, by their names."""

    HIGH_USE = "HighUse"
    LOW_USE = "LowUse"
    SPIKE = "Spike"
    ZERO_TOO_LONG = "ZeroTooLong"
    STUCK = "Stuck"
    SUM_MISMATCH = "SumMismatch"
    MASTER_MISMATCH = "MasterMismatch"
    UNKNOWN_DEMAND = "UnknownDemand"
    VERIFICATION_EXPIRED = "VerificationExpired"


Share = Annotated[Exact, Field(ge=0, le=1)]
Times = Annotated[Exact, Field(gt=1)]


class Validation(Definition):
    """The `[validation]` of a community's file; every default is stated here.

    A finding of a rule in `blocks` keeps its use from being billed until a clerk decides; of the
    other rules it is shown, and billed. Averages are of a day, in the unit of the register.
    """

    blocks: tuple[Rule, ...] = (Rule.SUM_MISMATCH,)
    high: Times = Decimal(4)
    """High is more than so many times the average daily use of the months before."""
    low: Share = Decimal("0.1")
    """Low is less than this share of it."""
    months: StrictInt = Field(default=2, ge=1, le=12)
    """How many billed months an average takes at least; with fewer, nothing is high or low."""
    least: Annotated[Quantity, NotNegative] = Decimal(1)
    """Little: a daily use up to this is not high, an average up to this neither low nor stuck.

    A third highest day with less counts as this.
    """
    spike: Times = Decimal(5)
    """A spike is a day with more than so many times the use of the third highest day."""
    zero_days: StrictInt = Field(default=20, ge=1)
    """No use in so many days on end is too long, but where a unit is vacant."""
    stuck_days: StrictInt = Field(default=7, ge=1)
    """A counter that moved each day and then stands still for so many days may be stuck."""
    sum_tolerance: Annotated[Quantity, NotNegative] = Decimal(1)
    """How far the registers of the bands may be from the total that they make up."""
    master: Share = Decimal("0.15")
    """By what share of it a master may differ from the meters behind it."""
    demand: Share = Decimal("0.02")
    """What share of a demand's windows may be unknown."""
    daily: StrictBool = True
    """Whether the registers at each midnight are looked at: spikes and standstills need them."""
    estimate: Method | None = None
    """How a register that nobody read is estimated; where this is not said, it blocks."""

    @model_validator(mode="after")
    def _estimates_what_is_missing(self) -> Validation:
        if self.estimate in (Method.STATED, Method.BY_DAYS):
            raise ValueError(f"{self.estimate} is no way to estimate what nobody read")
        return self
