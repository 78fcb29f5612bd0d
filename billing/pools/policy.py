"""Who bears what a pool's keys leave open. Each policy blocks the pool until somebody decides."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictBool, model_validator

from billing.fields import Name, NotEmpty
from billing.pools.basis import Weight
from meters.definition import Definition


class Payer(StrEnum):
    """Who owes a share."""

    OWNER = "owner"
    COMPANY = "company"


class Vacancy(StrEnum):
    """Who bears the share of a vacant unit; "block": nobody decided, so the pool waits."""

    BLOCK = "block"
    OWNER_PAYS = "owner pays"
    COMPANY_PAYS = "company pays"


class OwnerChange(StrEnum):
    """Who bears the share of a unit that changes hands within the period."""

    BLOCK = "block"
    BY_DAYS = "by days"
    """Each holder by the days held; of a pool by use, by what was used then."""
    HOLDER_AT_THE_END = "holder at the end"


class AllZero(StrEnum):
    """Who bears what goes by a key that is zero for everybody, as when nobody used anything."""

    BLOCK = "block"
    COMPANY_PAYS = "company pays"


class MissingKey(Definition):
    """Who bears the share of a unit whose key is missing or cannot be right, and by which key.

    `keys`: what counts instead, by basis: `{ area = "90" }`. So it is never the neighbours'.
    """

    payer: Payer
    keys: Annotated[dict[Name, Weight], NotEmpty]


class Charging(Definition):
    """Whether owners may be charged, and by which contract or resolution of theirs.

    The law leaves that to city and contract, so nobody is charged until a pool says both.
    """

    allowed: StrictBool
    contract: Annotated[str, NotEmpty] | None = Field(default=None)

    @model_validator(mode="after")
    def _allowed_by_something(self) -> Charging:
        if self.allowed and self.contract is None:
            raise ValueError("allows charging but names no contract; name what allows it")
        return self
