"""The check of an apportionment as `/v1` answers it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic import Field

from api import apportionment
from api.schemas.bills import SegmentBehind, segment_behind
from api.schemas.findings import FoundInUse
from api.schemas.statements import (
    ExcludedUnit,
    KeyOfStatement,
    SourceOfPool,
    StatementSummary,
    tariff_named,
)
from api.schemas.values import Answer, Instant, Money, Month, Quantity, money, quantity
from billing.money import to_fen
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

    from api.apportionment import Check
    from api.language import Language
    from billing.pools.moved import Moved
    from billing.store.pool_checks import PoolCheck
    from billing.store.views.shares import OddCents
    from billing.store.views.statements import StatementView


class InputOfPool(SourceOfPool):
    """A shared metering point: what it counted, the readings behind it, and what was found."""

    segments: list[SegmentBehind]
    findings: list[FoundInUse]


class CostDocument(Answer):
    """A document that states what the supply cost."""

    document: str
    amount: Money
    entered_by: str
    approved_by: str


class SubMeter(Answer):
    """What a meter below the master counted."""

    point: str
    quantity: Quantity


class MeterTree(Answer):
    """A master and the meters below it: `lost` is what none of those counted."""

    master: list[str]
    quantity: Quantity
    subs: list[SubMeter]
    lost: Quantity
    approved_by: str | None
    reason: str | None


class SumCheck(Answer):
    """What is stored as a sum, and what the shares come to."""

    what: str = Field(description="`amount`, `quantity`, or the basis whose keys are summed.")
    unit: str
    stated: str = Field(examples=["128.40"])
    of_shares: str = Field(examples=["128.40"])
    holds: bool


class Remainder(Answer):
    """How the odd cents of the pool went round in the last `months`, this one included."""

    months: int
    fewest: int = Field(description="Odd cents that anybody got at least.")
    most: int
    most_carried: str = Field(
        description="What rounding owes or has given anybody at most, exact.", examples=["0.004"]
    )


class StatementBefore(Answer):
    """The statement of the month before, and by how much this one comes to more."""

    statement: int
    period: Month
    amount: Money
    change: Money


class LastWord(Answer):
    """The last word about the pool; `current`: whether it is about what is computed now."""

    word: str
    reason: str
    said_by: str
    said_at: Instant
    current: bool


class StatementCheck(StatementSummary):
    """What billing staff look at before they sign a pool off; shares and changes are lists."""

    basis: str
    keys: list[KeyOfStatement]
    company_share: str
    tariff: str | None = Field(description="Null for a cost by document.")
    inputs: list[InputOfPool]
    documents: list[CostDocument]
    tree: MeterTree | None
    excluded: list[ExcludedUnit]
    borne_by_owners: Money
    paid: Money
    paid_by_documents: bool
    sums: list[SumCheck]
    remainder: Remainder
    before: StatementBefore | None = Field(
        description="Null where nothing is issued of the month before."
    )
    last_word: LastWord | None

    @classmethod
    def whole(
        cls,
        view: StatementView,
        odd_cents: OddCents,
        said: PoolCheck | None,
        language: Language,
    ) -> StatementCheck:
        pool, evidence = view.head.pool, view.evidence
        return cls(
            **StatementSummary.of(view.head, view.sums.borne).model_dump(),
            basis=pool.basis.value,
            keys=[KeyOfStatement.of(each) for each in view.keys],
            company_share=plain(pool.borne_by_company),
            tariff=tariff_named(view),
            inputs=[
                _input(each, view.head.period.zone, language)
                for each in evidence.get("sources", ())
            ],
            documents=[
                CostDocument(
                    document=each["document"],
                    amount=money(to_fen(Decimal(each["amount"]))),
                    entered_by=each["entered_by"],
                    approved_by=each["approved_by"],
                )
                for each in evidence.get("costs", ())
            ],
            tree=_tree(view),
            excluded=[
                ExcludedUnit(unit=each.unit, reason=each.reason.value) for each in view.excluded
            ],
            borne_by_owners=money(view.sums.owners),
            paid=money(view.margin.paid),
            paid_by_documents=view.margin.documented,
            sums=list(_sums(view)),
            remainder=Remainder(
                months=odd_cents.months,
                fewest=odd_cents.fewest,
                most=odd_cents.most,
                most_carried=plain(Decimal(view.sums.most_carried).scaleb(-8)),
            ),
            before=_before(view),
            last_word=None if said is None else _last_word(said),
        )


class ShareChange(Answer):
    """What a unit, or the company (`unit` null), bears and bore before; null is no share."""

    unit: str | None
    before: Money | None
    now: Money | None
    change: Money

    @classmethod
    def of(cls, change: Moved) -> ShareChange:
        return cls(
            unit=change.unit,
            before=None if change.before is None else money(change.before),
            now=None if change.now is None else money(change.now),
            change=money(change.amount),
        )


def _input(source: Mapping[str, Any], zone: ZoneInfo, language: Language) -> InputOfPool:
    unit = source["unit"]
    return InputOfPool(
        point=source["point"],
        register_name=source["register"],
        quantity=source["quantity"],
        unit=unit,
        segments=[segment_behind(each) for each in source["segments"]],
        findings=[FoundInUse.of(each, unit, zone, language) for each in source["findings"]],
    )


def _tree(view: StatementView) -> MeterTree | None:
    lost = view.evidence.get("loss")
    if lost is None:
        return None
    return MeterTree(
        master=list(view.head.pool.source.points),
        quantity=lost["master"],
        subs=[
            SubMeter(point=point, quantity=plain(apportionment.used_by_sub(use)))
            for point, use in view.evidence["subs"].items()
        ],
        lost=lost["lost"],
        approved_by=lost.get("approved_by"),
        reason=lost.get("reason"),
    )


def _sums(view: StatementView) -> Iterator[SumCheck]:
    amount = apportionment.amount_check(view)
    yield SumCheck(
        what="amount",
        unit=view.head.currency,
        stated=money(amount.told),
        of_shares=money(amount.found),
        holds=amount.holds,
    )
    yield _sum("quantity", view.head.unit, apportionment.quantity_check(view))
    for key, check in zip(view.keys, apportionment.key_checks(view), strict=True):
        yield _sum(key.basis.value, key.unit, check)


def _sum(what: str, unit: str, check: Check) -> SumCheck:
    return SumCheck(
        what=what,
        unit=unit,
        stated=quantity(check.told),
        of_shares=quantity(check.found),
        holds=check.holds,
    )


def _before(view: StatementView) -> StatementBefore | None:
    if view.earlier is None:
        return None
    head = view.earlier
    return StatementBefore(
        statement=head.id,
        period=head.period.key,
        amount=money(head.amount),
        change=money(view.head.amount - head.amount),
    )


def _last_word(said: PoolCheck) -> LastWord:
    return LastWord(
        word=said.word.value,
        reason=said.reason,
        said_by=said.said_by,
        said_at=said.said_at,
        current=said.current,
    )
