"""Pool statements as `/v1` answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from api.schemas.values import Answer, Money, Month, Quantity, Title, money, quantity, titles
from billing.apportionment import Payer
from meters.quantity import plain

if TYPE_CHECKING:
    from api.masking import ShownShare
    from billing.store.views.statements import StatementHead, StatementView


class StatementSummary(Answer):
    """A pool's result for a month in one line."""

    id: int
    run: int
    period: Month
    community: Title
    pool: str
    title: Title
    quantity: Quantity
    unit: str
    amount: Money
    borne_by_company: Money
    shares: int

    @classmethod
    def of(cls, head: StatementHead) -> StatementSummary:
        return cls(
            id=head.id,
            run=head.run_id,
            period=head.period.key,
            community=titles(head.community),
            pool=head.pool.id,
            title=titles(head.pool.title),
            quantity=quantity(head.quantity),
            unit=head.unit,
            amount=money(head.amount),
            borne_by_company=money(head.company),
            shares=head.shares,
        )


class SourceOfPool(Answer):
    """A shared metering point and what it counted."""

    point: str
    register_name: str = Field(serialization_alias="register")
    quantity: Quantity
    unit: str


class ShareInStatement(Answer):
    """What one unit, or the company (`unit` null), bears."""

    unit: str | None = Field(description="Other rooms are masked for owners.")
    mine: bool
    payer: str = Field(description="`owner` or `company`.")
    key: Quantity | None
    quantity: Quantity
    amount: Money
    odd_cent: int

    @classmethod
    def of(cls, shown: ShownShare) -> ShareInStatement:
        share = shown.share
        return cls(
            unit=shown.unit,
            mine=shown.mine,
            payer=share.payer.value,
            key=None if share.key is None else quantity(share.key),
            quantity=quantity(share.quantity),
            amount=money(share.amount),
            odd_cent=share.odd_amount,
        )


class ExcludedUnit(Answer):
    """A unit of the scope that takes no part, and by which rule."""

    unit: str
    reason: str


class Statement(StatementSummary):
    """A pool's result with everything that leads to it."""

    basis: str
    key_unit: str
    key_sum: Quantity
    company_share: str
    tariff: str
    sources: list[SourceOfPool]
    share_list: list[ShareInStatement]
    excluded: list[ExcludedUnit] = Field(description="Not shown to owners.")
    borne_by_owners: Money
    conserved: bool = Field(description="Whether the shares sum to the supply, units and money.")

    @classmethod
    def whole(cls, statement: StatementView, shown: list[ShownShare], *, masked: bool) -> Statement:
        pool = statement.head.pool
        return cls(
            **StatementSummary.of(statement.head).model_dump(),
            basis=pool.basis.value,
            key_unit=pool.key_unit,
            key_sum=quantity(statement.key_sum),
            company_share=plain(pool.company_share),
            tariff=f"{statement.tariff.id} v{statement.tariff.version}",
            sources=[
                SourceOfPool(
                    point=each["point"],
                    register_name=each["register"],
                    quantity=each["quantity"],
                    unit=each["unit"],
                )
                for each in statement.evidence["sources"]
            ],
            share_list=[ShareInStatement.of(each) for each in shown],
            excluded=[
                ExcludedUnit(unit=each.unit, reason=each.reason.value)
                for each in (() if masked else statement.excluded)
            ],
            borne_by_owners=money(statement.amount_of(Payer.OWNER)),
            conserved=statement.conserved,
        )
