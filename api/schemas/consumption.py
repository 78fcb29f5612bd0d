"""Use by month and day, as `/v1` answers it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from api.consumption import Gap
from api.schemas.values import Answer, Month, Quantity, quantity

if TYPE_CHECKING:
    from api.consumption import ByDay, ByMonth, DayUsed, MonthUsed, Shown, SimilarDay
    from billing.similar import Median

Known = Annotated[Quantity | None, Field(description="Null where it is not known; never zero.")]
Why = Annotated[
    Gap | None, Field(description="Why it is not known; null where it is.", examples=[None])
]


class SimilarHouseholds(Answer):
    """What the middle one of at least ten similar households used, to two digits."""

    median: Quantity = Field(examples=["280"])
    by_area: bool = Field(
        description="Whether they have a like floor area; else only the same customer class."
    )

    @classmethod
    def of(cls, found: Median) -> SimilarHouseholds:
        return cls(median=quantity(found.quantity), by_area=found.by_area)


class UseOf(Answer):
    """Whose use of what."""

    payment_code: str = Field(examples=["100000000287"])
    account: str = Field(examples=["A-1-201"])
    community: str = Field(examples=["osmanthus"])
    room: str = Field(description="The unit that the account holds.", examples=["1-201"])
    medium: str = Field(examples=["electricity"])
    unit: str = Field(description="Of every quantity here.", examples=["kWh"])


class UseOfMonth(Answer):
    """What was billed of a month."""

    month: Month
    quantity: Known
    gap: Why
    estimated: bool = Field(description="Whether it rests on an estimate.")
    in_part: bool = Field(description="Whether it is of the account's own days of the month only.")
    last_year: Quantity | None = Field(description="Of the same month a year before.")
    similar: SimilarHouseholds | None = Field(
        description="Null where they are fewer than ten, or the month is not issued."
    )

    @classmethod
    def of(cls, used: MonthUsed) -> UseOfMonth:
        return cls(
            month=used.period.key,
            quantity=_text(used.quantity),
            gap=used.gap,
            estimated=used.estimated,
            in_part=used.in_part,
            last_year=_text(used.last_year),
            similar=None if used.similar is None else SimilarHouseholds.of(used.similar),
        )


class UseByMonth(UseOf):
    """The use of twelve months, as it was billed."""

    months: list[UseOfMonth]

    @classmethod
    def whole(cls, found: ByMonth) -> UseByMonth:
        return cls(**_use_of(found.shown), months=[UseOfMonth.of(each) for each in found.months])


class UseOfDay(Answer):
    """What a day used, from midnight to midnight of the community."""

    day: date
    quantity: Known
    gap: Why
    last_year: Quantity | None = Field(description="Of the same day a year before.")

    @classmethod
    def of(cls, used: DayUsed) -> UseOfDay:
        return cls(
            day=used.day,
            quantity=_text(used.quantity),
            gap=used.gap,
            last_year=_text(used.last_year),
        )


class SimilarHouseholdsADay(SimilarHouseholds):
    """What similar households used a day on average: of single days nothing is told."""

    month: Month = Field(description="Of which this is the average: the newest that is issued.")

    @classmethod
    def of_month(cls, found: SimilarDay) -> SimilarHouseholdsADay:
        return cls(**SimilarHouseholds.of(found.median).model_dump(), month=found.period.key)


class UseByDay(UseOf):
    """The use of the days of a month that are over, as the meters were read."""

    month: Month
    days: list[UseOfDay]
    similar: SimilarHouseholdsADay | None = Field(description="Null where they are too few.")

    @classmethod
    def whole(cls, found: ByDay) -> UseByDay:
        return cls(
            **_use_of(found.shown),
            month=found.period.key,
            days=[UseOfDay.of(each) for each in found.days],
            similar=None
            if found.similar is None
            else SimilarHouseholdsADay.of_month(found.similar),
        )


def _use_of(shown: Shown) -> dict[str, str]:
    return {
        "payment_code": shown.payer.payment_code,
        "account": shown.payer.account,
        "community": shown.payer.community,
        "room": shown.payer.unit,
        "medium": shown.medium,
        "unit": shown.unit,
    }


def _text(scaled: int | None) -> str | None:
    return None if scaled is None else quantity(scaled)
