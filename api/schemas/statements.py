"""Pool statements as `/v1` answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.values import Answer, Money, Month, Quantity, Title, money, quantity, titles
from api.telling import said
from billing.store.pool_checks import Word
from meters.quantity import plain

if TYPE_CHECKING:
    from api.language import Language
    from api.masking import ShownShare
    from api.pool_trials import Trial
    from billing.pools.apportionment import KeySum
    from billing.store.views.shares import Borne
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
    def of(cls, head: StatementHead, borne: Borne) -> StatementSummary:
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
            borne_by_company=money(borne.company),
            shares=borne.shares,
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
    rest_key: Quantity | None = Field(description="The key of a hybrid's other part.")
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
            rest_key=None if share.rest_key is None else quantity(share.rest_key),
            quantity=quantity(share.quantity),
            amount=money(share.amount),
            odd_cent=share.odd_amount,
        )


class KeyOfStatement(Answer):
    """What is shared by: `part` of what owners bear goes by a key that sums to `total`."""

    basis: str
    part: str
    total: Quantity
    unit: str

    @classmethod
    def of(cls, key: KeySum) -> KeyOfStatement:
        return cls(
            basis=key.basis.value, part=str(key.part), total=quantity(key.total), unit=key.unit
        )


class ExcludedUnit(Answer):
    """A unit of the scope that takes no part, and by which rule."""

    unit: str
    reason: str


class Statement(StatementSummary):
    """A pool's result with everything that leads to it; its shares are a list of their own."""

    basis: str
    keys: list[KeyOfStatement]
    company_share: str
    contract: str | None = Field(description="What allows charging; null where nobody is charged.")
    tariff: str | None = Field(description="Null for a cost by document.")
    sources: list[SourceOfPool]
    excluded: list[ExcludedUnit] = Field(description="Not shown to owners.")
    borne_by_owners: Money
    conserved: bool = Field(description="Whether the shares sum to the supply, units and money.")

    @classmethod
    def whole(cls, statement: StatementView, *, masked: bool) -> Statement:
        pool = statement.head.pool
        return cls(
            **StatementSummary.of(statement.head, statement.sums.borne).model_dump(),
            basis=pool.basis.value,
            keys=[KeyOfStatement.of(each) for each in statement.keys],
            company_share=plain(pool.borne_by_company),
            contract=pool.charging.contract if pool.charging and pool.charged else None,
            tariff=tariff_named(statement),
            sources=[
                SourceOfPool(
                    point=each["point"],
                    register_name=each["register"],
                    quantity=each["quantity"],
                    unit=each["unit"],
                )
                for each in statement.evidence.get("sources", ())
            ],
            excluded=[
                ExcludedUnit(unit=each.unit, reason=each.reason.value)
                for each in (() if masked else statement.excluded)
            ],
            borne_by_owners=money(statement.sums.owners),
            conserved=statement.conserved,
        )


def tariff_named(statement: StatementView) -> str | None:
    """Return the tariff that a supply was rated by, with its version."""
    tariff = statement.tariff
    return None if tariff is None else f"{tariff.id} v{tariff.version}"


class NewCheck(BaseModel):
    """What is said of how a pool was shared; a hold says why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"word": "held", "reason": "The lift's meter stands"}]},
    )

    word: Word
    reason: Annotated[str, Field(max_length=1000)] = ""


class MovedShare(Answer):
    """What a unit, or the company (`unit` null), bears and would bear; null is no share."""

    unit: str | None
    before: Money | None
    now: Money | None
    change: Money


class Obstacle(Answer):
    """Why a pool cannot be shared so."""

    kind: str
    unit: str | None
    text: str


class StatementTrial(Answer):
    """How a pool would be shared otherwise, what moves most first."""

    before: Money
    now: Money
    shares: list[MovedShare]
    obstacles: list[Obstacle]

    @classmethod
    def of(cls, trial: Trial, language: Language) -> StatementTrial:
        return cls(
            before=money(trial.before),
            now=money(trial.now),
            shares=[
                MovedShare(
                    unit=each.unit,
                    before=None if each.before is None else money(each.before),
                    now=None if each.now is None else money(each.now),
                    change=money(each.amount),
                )
                for each in trial.moved
            ],
            obstacles=[
                Obstacle(
                    kind=str(each.kind), unit=each.unit, text=said(each.what, language) or each.what
                )
                for each in trial.obstacles
            ],
        )
