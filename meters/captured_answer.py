"""Proofs as a meter type states them: what a real meter answered, and what that must decode to."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from meters.access import Address
from meters.definition import Definition, exact
from meters.reading import Reason

FAULTS = (Reason.SENTINEL, Reason.NOT_A_NUMBER, Reason.OUT_OF_RANGE, Reason.NO_SCALE)
"""Why an answer may decode to no value."""


def _expected(value: object) -> object:
    """Return a value, or the fault that a proof expects instead of one."""
    return Reason(value) if isinstance(value, str) and value in FAULTS else exact(value)


class Proof(Definition):
    """What a real meter answered, and what that must decode to."""

    kind: Literal["capture", "manual", "display", "driver", "computed"]
    """What sort of source: a captured answer, the maker's manual, an answer together with what the
    display showed, a public driver's test, or computed from the manual's description."""
    source: str = Field(min_length=1)
    """Where the answer and its value come from."""
    variant: str | None = None
    """The variant that it proves."""
    frame: str | None = None
    """A captured RTU response, as hex with CRC."""
    words: str | None = None
    """A dump of register words, as hex."""
    payload: str | None = None
    """A captured message of the broker."""
    bytes: str | None = None
    """A binary payload, as hex."""
    at: Address | None = None
    """Address of the first word; by default the lowest address that is expected."""
    expect: dict[str, Annotated[Decimal | Reason, BeforeValidator(_expected)]] = Field(
        default_factory=dict
    )
    """Register → value in the register's canonical unit, or the fault in its place."""
    identity: str | None = None
    """The meter's own number that the answer states."""
    time: AwareDatetime | None = None
    """The device time that a payload states."""

    @model_validator(mode="after")
    def _is_one_of(self) -> Self:
        if [self.frame, self.words, self.payload, self.bytes].count(None) != 3:
            raise ValueError("state exactly one of frame, words, payload and bytes")
        if not self.expect and self.identity is None:
            raise ValueError("expects nothing; state the values in expect, or the identity")
        if self.time is not None and self.payload is None:
            raise ValueError("only a payload states a time")
        return self
