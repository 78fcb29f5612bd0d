"""Bills, lines and usage as `/v1` answers them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field

from api import explanation, wording
from api.schemas.findings import FoundInUse
from api.schemas.values import Answer, Money, Month, Price, Quantity, Title, money, quantity, titles
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from api.language import Language
    from billing.difference import Difference
    from billing.store.views import bills
    from billing.store.views.bills import BillHead, BillView, LineView, ShareOfLine
    from billing.store.views.usages import BilledUsage, UsageView


class BillSummary(Answer):
    """A bill in a list. The dates are null until the bill is issued."""

    number: str = Field(examples=["osmanthus-2026-10-0007"])
    correction: bool = Field(description="Whether it corrects what was billed, and nothing else.")
    period: Month
    unit: str = Field(examples=["1-201"])
    account: str
    community: Title
    total: Money
    currency: str = Field(examples=["CNY"])
    issued_on: date | None
    due_on: date | None

    @classmethod
    def of(cls, head: BillHead) -> BillSummary:
        return cls(
            number=head.number,
            correction=head.correction,
            period=head.period.key,
            unit=head.unit,
            account=head.account,
            community=titles(head.community),
            total=money(head.total),
            currency=head.currency,
            issued_on=head.issued_on,
            due_on=head.due_on,
        )


class CorrectionOfLine(Answer):
    """What a line corrects: it takes a line of an issued bill back, or stands in its place."""

    period: Month
    reversal: bool
    bill: str | None = Field(description="Null for what was not billed before.")
    line: int | None


class BillLine(Answer):
    """A line of a bill, with one sentence that says why it is what it is."""

    position: int
    charge: str
    title: Title
    sentence: str
    quantity: Quantity
    unit: str = Field(description="`kWh`, `m3`, `m2`, `month` or the currency.")
    amount: Money
    correction: CorrectionOfLine | None = Field(
        default=None, description="Null for a line of an ordinary month."
    )

    @classmethod
    def of(cls, bill: BillView, line: LineView, language: Language) -> BillLine:
        return cls(
            position=line.position,
            charge=line.charge,
            title=wording.titles(line),
            sentence=wording.sentence(bill, line, language),
            quantity=quantity(line.quantity),
            unit=line.unit,
            amount=money(line.amount),
            correction=None if line.correction is None else _correction(line.correction),
        )


class Bill(BillSummary):
    """A bill with its lines, which sum to its total."""

    holder: str
    lines: list[BillLine]

    @classmethod
    def whole(cls, bill: BillView, language: Language) -> Bill:
        return cls(
            **BillSummary.of(bill.head).model_dump(),
            holder=bill.head.holder,
            lines=[BillLine.of(bill, line, language) for line in bill.lines],
        )


class ReadingBehind(Answer):
    """A reading of a meter: the value, and the raw words that it was decoded from."""

    time: datetime
    value: Quantity
    raw: str = Field(examples=["462a 7521"])
    verdict: str


class RegisterAtEnd(Answer):
    """What a meter showed at one end of the period, and how that is known."""

    at: datetime
    value: Quantity
    source: str = Field(description="`read`, `interpolated`, `recorded` or `issued`.")
    readings: list[ReadingBehind]


class SegmentBehind(Answer):
    """What one meter counted: (closing − opening, a rollover resolved) × multiplier."""

    meter: str
    opening: RegisterAtEnd
    closing: RegisterAtEnd
    growth: Quantity
    multiplier: Quantity
    quantity: Quantity


class Usage(Answer):
    """What a metering point consumed, with everything that it rests on."""

    point: str
    medium: str
    register_name: str = Field(serialization_alias="register")
    start: datetime
    end: datetime
    quantity: Quantity
    unit: str
    segments: list[SegmentBehind]
    findings: list[FoundInUse]

    @classmethod
    def of(cls, usage: UsageView, zone: ZoneInfo, language: Language) -> Usage:
        return cls(
            point=usage.point,
            medium=usage.medium,
            register_name=usage.register,
            start=usage.start,
            end=usage.end,
            quantity=quantity(usage.quantity),
            unit=usage.unit,
            segments=[segment_behind(each) for each in usage.evidence["segments"]],
            findings=[
                FoundInUse.of(each, usage.unit, zone, language)
                for each in usage.evidence["findings"]
            ],
        )


class UsageOfBill(Answer):
    """A billed usage, and the bill that it stands on."""

    bill: str
    period: Month
    unit: str
    usage: Usage

    @classmethod
    def of(cls, billed: BilledUsage, language: Language) -> UsageOfBill:
        return cls(
            bill=billed.bill,
            period=billed.period,
            unit=billed.unit_code,
            usage=Usage.of(billed.usage, billed.zone, language),
        )


class PartOfLine(Answer):
    """A quantity at a price; `above` and `until` bound a step of the cumulative use.

    What is owed for a part of a month is still to be divided by `divisor`; `band` is that of use by
    time, and `step` counts from 1.
    """

    step: int | None = None
    band: str | None = None
    divisor: int = 1
    quantity: Quantity
    price: Price
    amount: str = Field(description="Exact, before rounding.", examples=["168.0712"])
    above: Quantity | None = None
    until: Quantity | None = None


class RoundingOfLine(Answer):
    """How the tariff rounds."""

    direction: str
    unit: str
    place: str


class TariffOfLine(Answer):
    """The tariff version that rated the line, found by its digest whatever becomes of names."""

    id: str
    version: int
    digest: str
    title: Title
    rounding: RoundingOfLine


class KeyOfPool(Answer):
    """What a share counts by: `part` of what owners bear goes by `key` ÷ `total`."""

    basis: str
    part: str = Field(description="Of one: `1`, or of a hybrid such as `3/10`.")
    key: Quantity
    total: Quantity
    unit: str = Field(description="`m2·d` where keys count by the day.")


class ShareOfPool(Answer):
    """Supply × what owners bear × Σ part × key ÷ total, cut so that shares sum to the supply."""

    statement: int = Field(description="See `GET /v1/statements/{statement}`.")
    pool: str
    version: int
    basis: str
    supply_quantity: Quantity
    supply_amount: Money
    company_share: str = Field(description="What the company bears by agreement, of one.")
    keys: list[KeyOfPool]
    odd_cent: int = Field(description="−1, 0 or 1 cent that rounding left over to this share.")


class DifferenceFound(Answer):
    """Something that the frozen evidence does not give as the line claims."""

    what: str
    claimed: str
    recomputed: str


class Check(Answer):
    """The line, recomputed just now from the evidence that was frozen with it."""

    holds: bool
    differences: list[DifferenceFound]


class LineExplained(BillLine):
    """A line with everything that leads to it."""

    bill: str
    tariff: TariffOfLine | None
    usage: Usage | None
    parts: list[PartOfLine]
    share: ShareOfPool | None
    check: Check

    @classmethod
    def whole(
        cls, bill: BillView, line: LineView, found: Sequence[Difference], language: Language
    ) -> LineExplained:
        zone = bill.head.period.zone
        return cls(
            **BillLine.of(bill, line, language).model_dump(),
            bill=bill.head.number,
            tariff=_tariff(line),
            usage=None if line.usage is None else Usage.of(line.usage, zone, language),
            parts=[_part(each) for each in explanation.parts(line)],
            share=None if line.share is None else _share(line.share),
            check=Check(
                holds=not found,
                differences=[
                    DifferenceFound(
                        what=each.what, claimed=each.claimed, recomputed=each.recomputed
                    )
                    for each in found
                ],
            ),
        )


def _correction(correction: bills.CorrectionOfLine) -> CorrectionOfLine:
    return CorrectionOfLine(
        period=correction.period.key,
        reversal=correction.reversal,
        bill=correction.number,
        line=correction.position,
    )


def segment_behind(document: Mapping[str, Any]) -> SegmentBehind:
    """Return a segment as the evidence of a usage or of a pool holds it."""
    return SegmentBehind(
        meter=document["opening"]["meter"],
        opening=_register(document["opening"]),
        closing=_register(document["closing"]),
        growth=document["growth"],
        multiplier=document["multiplier"],
        quantity=document["quantity"],
    )


def _register(document: Mapping[str, Any]) -> RegisterAtEnd:
    return RegisterAtEnd(
        at=document["at"],
        value=document["value"],
        source=document["source"],
        readings=[
            ReadingBehind(
                time=each["time"], value=each["value"], raw=each["raw"], verdict=each["verdict"]
            )
            for each in document["readings"]
        ],
    )


def _tariff(line: LineView) -> TariffOfLine | None:
    tariff = line.tariff
    if tariff is None:
        return None
    return TariffOfLine(
        id=tariff.id,
        version=tariff.version,
        digest=tariff.digest,
        title=titles(tariff.title),
        rounding=RoundingOfLine(
            direction=tariff.rounding.direction.value,
            unit=tariff.rounding.unit,
            place=tariff.rounding.place.value,
        ),
    )


def _part(part: explanation.Part) -> PartOfLine:
    return PartOfLine(
        step=part.number,
        band=part.band,
        divisor=part.divisor,
        quantity=plain(part.quantity),
        price=plain(part.price),
        amount=plain(part.amount),
        above=None if part.above is None else plain(part.above),
        until=None if part.until is None else plain(part.until),
    )


def _share(share: ShareOfLine) -> ShareOfPool:
    return ShareOfPool(
        statement=share.statement_id,
        pool=share.pool.id,
        version=share.pool.version,
        basis=share.pool.basis.value,
        supply_quantity=quantity(share.supply_quantity),
        supply_amount=money(share.supply_amount),
        company_share=plain(share.pool.borne_by_company),
        keys=[
            KeyOfPool(
                basis=each.of.basis.value,
                part=str(each.of.part),
                key=quantity(each.key),
                total=quantity(each.of.total),
                unit=each.of.unit,
            )
            for each in share.keys
        ],
        odd_cent=share.odd_amount,
    )
