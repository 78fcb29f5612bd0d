"""Corrections of issued months as `/v1` takes and answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.runs import Code, ProblemOfRun
from api.schemas.values import Answer, Money, Month, Quantity, money, quantity

if TYPE_CHECKING:
    from api.language import Language
    from billing.correction import Correction
    from billing.previewing import Change


class NewCorrection(BaseModel):
    """The issued months to compute anew: those of a community from `first` on."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"community": "osmanthus", "first": "2026-09"}]},
    )

    community: Code
    first: Annotated[Month, Field(description="The first month that is computed anew.")]


class LineTakenBack(Answer):
    """A line of an issued bill that a correction reverses."""

    bill: str
    position: int
    charge: str
    quantity: Quantity
    unit: str
    amount: Money


class LineOwed(Answer):
    """A line that stands in place of another, or where nothing was billed."""

    charge: str
    quantity: Quantity
    unit: str
    amount: Money


class CorrectionOfAccount(Answer):
    """What one account owes differently for a unit and a month."""

    unit: str
    account: str
    change: Money
    taken_back: list[LineTakenBack]
    owed: list[LineOwed]

    @classmethod
    def of(cls, correction: Correction) -> CorrectionOfAccount:
        return cls(
            unit=correction.unit.code,
            account=correction.account.code,
            change=money(correction.total),
            taken_back=[
                LineTakenBack(
                    bill=each.number,
                    position=each.position,
                    charge=each.charge,
                    quantity=quantity(each.quantity),
                    unit=each.unit_of,
                    amount=money(each.amount),
                )
                for each in correction.reversed
            ],
            owed=[
                LineOwed(
                    charge=line.charge,
                    quantity=quantity(line.quantity),
                    unit=line.unit,
                    amount=money(line.amount),
                )
                for line in (each.line for each in correction.new)
            ],
        )


class CorrectedMonth(Answer):
    """What would change in one issued month; with a problem, nothing of it can be corrected."""

    period: Month
    change: Money
    corrections: list[CorrectionOfAccount]
    problems: list[ProblemOfRun]

    @classmethod
    def of(cls, change: Change, language: Language) -> CorrectedMonth:
        return cls(
            period=change.period,
            change=money(change.total),
            corrections=[CorrectionOfAccount.of(each) for each in change.corrections],
            problems=[ProblemOfRun.of(each, language) for each in change.problems],
        )


class CorrectionPreview(Answer):
    """What a correction would change, month by month, as things are known now."""

    months: list[CorrectedMonth]
