"""The kinds of value that answers are made of."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from billing.money import from_fen
from meters.interval import utc
from meters.quantity import from_scaled, plain

if TYPE_CHECKING:
    from collections.abc import Mapping


def _in_utc(moment: datetime) -> datetime:
    try:
        return utc(moment)
    except OverflowError:
        raise ValueError("it is beyond every calendar") from None


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An instant that a call states, with its zone; it is kept in UTC."""
Money = Annotated[
    str, Field(description="An amount, always with two decimals.", examples=["2852.00"])
]
Quantity = Annotated[
    str, Field(description="An exact quantity without trailing zeros.", examples=["312.4"])
]
Fraction = Annotated[
    str,
    Field(
        description="A share of a whole, from 0 to 1.",
        pattern=r"^[01](\.[0-9]{1,6})?$",
        examples=["0.3"],
    ),
]
Price = Annotated[str, Field(description="A price per unit.", examples=["0.538"])]
Month = Annotated[
    str,
    Field(
        description="A calendar month.", pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", examples=["2026-10"]
    ),
]
Title = Annotated[
    dict[str, str],
    Field(description="A text by language.", examples=[{"zh": "电费", "en": "Electricity"}]),
]


class Answer(BaseModel):
    """The base of every answer."""

    model_config = ConfigDict(frozen=True)


class ProblemBody(Answer):
    """A problem as RFC 9457 writes it."""

    type: str = Field(examples=["/problems/four-eyes"])
    title: str
    status: int
    detail: str
    instance: str


def money(fen: int) -> str:
    """Return an amount in fen as a text: `2852.00`."""
    return str(from_fen(fen))


def quantity(scaled: int) -> str:
    """Return a quantity of 10⁻⁴ as a text: `312.4`."""
    return plain(from_scaled(scaled))


def titles(title: Mapping[str, str]) -> dict[str, str]:
    """Return a title's texts by language."""
    return {str(language): text for language, text in title.items()}
