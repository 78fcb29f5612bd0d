"""What a community publishes, as `/v1` answers it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pydantic import Field

from api import tariff_words
from api.schemas.values import Answer, Money, Month, Price, Quantity, Title, money, quantity, titles
from billing.pools.basis import Basis
from meters.quantity import plain

if TYPE_CHECKING:
    from decimal import Decimal

    from api.language import Language
    from api.publishing import Publication
    from billing.rating.charge import Charge
    from billing.store.views.published import PublishedPool, PublishedTariff
    from billing.store.views.statements import StatementHead
    from billing.tariff import Tariff


class Following(Answer):
    """A version that is to follow."""

    version: int
    valid_from: date | None


class PublishedPrice(Answer):
    """A price of a charge, and what it is for. Use lies above `above` and up to `until`."""

    step: int | None
    above: Quantity | None
    until: Quantity | None = Field(description="Null: without an end.")
    band: str | None = Field(examples=["valley"])
    use_until: Quantity | None = Field(
        description="Of categories: up to which use of the month the schedule holds."
    )
    price: Price


class PublishedCharge(Answer):
    """A charge in one sentence, with its prices where there is more than one."""

    name: str
    title: Title
    kind: str = Field(examples=["steps"])
    sentence: str
    prices: list[PublishedPrice]

    @classmethod
    def of(cls, tariff: Tariff, charge: Charge, language: Language) -> PublishedCharge:
        return cls(
            name=charge.name,
            title=titles(charge.title),
            kind=str(getattr(charge, "kind", "")),
            sentence=tariff_words.sentence(tariff, charge, language),
            prices=[
                PublishedPrice(
                    step=each.step,
                    above=_text(each.above),
                    until=_text(each.until),
                    band=each.band,
                    use_until=_text(each.use_until),
                    price=plain(each.price),
                )
                for each in tariff_words.prices(charge)
            ],
        )


class TariffPublished(Answer):
    """A tariff that is in force."""

    id: str
    version: int
    title: Title
    valid_from: date
    classes: list[str] = Field(description="Whom it is for; none where it is for shared supplies.")
    charges: list[PublishedCharge]
    following: Following | None

    @classmethod
    def of(cls, found: PublishedTariff, language: Language) -> TariffPublished:
        tariff, later = found.tariff, found.following
        return cls(
            id=tariff.id,
            version=tariff.version,
            title=titles(tariff.title),
            valid_from=tariff.valid_from,
            classes=list(found.classes),
            charges=[PublishedCharge.of(tariff, each, language) for each in tariff.charges],
            following=None
            if later is None
            else Following(version=later.version, valid_from=later.valid_from),
        )


class PoolPublished(Answer):
    """A pool that is in force: by what it is shared, and what the company bears of it."""

    id: str
    version: int
    title: Title
    valid_from: date | None
    basis: Basis
    company_share: Quantity = Field(description="Of the whole, which is 1.", examples=["0.1"])
    contract: str | None = Field(description="By what owners are charged; null where they are not.")
    following: Following | None

    @classmethod
    def of(cls, found: PublishedPool) -> PoolPublished:
        pool, later = found.pool, found.following
        return cls(
            id=pool.id,
            version=pool.version,
            title=titles(pool.title),
            valid_from=pool.valid_from,
            basis=pool.basis,
            company_share=plain(pool.borne_by_company),
            contract=pool.charging.contract if pool.charging and pool.charged else None,
            following=None
            if later is None
            else Following(version=later.version, valid_from=later.valid_from),
        )


class StatementPublished(Answer):
    """What a pool came to in a month; `getStatement` has all of it."""

    id: int
    period: Month
    pool: str
    title: Title
    quantity: Quantity
    unit: str
    amount: Money
    currency: str

    @classmethod
    def of(cls, head: StatementHead) -> StatementPublished:
        return cls(
            id=head.id,
            period=head.period.key,
            pool=head.pool.id,
            title=titles(head.pool.title),
            quantity=quantity(head.quantity),
            unit=head.unit,
            amount=money(head.amount),
            currency=head.currency,
        )


class PublicationShown(Answer):
    """The tariffs and pools of a community on a day, and its newest statements."""

    community: str
    title: Title
    day: date
    tariffs: list[TariffPublished]
    pools: list[PoolPublished]
    statements: list[StatementPublished]

    @classmethod
    def of(cls, found: Publication, language: Language) -> PublicationShown:
        published = found.published
        return cls(
            community=published.code,
            title=titles(published.title),
            day=published.day,
            tariffs=[TariffPublished.of(each, language) for each in published.tariffs],
            pools=[PoolPublished.of(each) for each in published.pools],
            statements=[StatementPublished.of(each) for each in found.statements],
        )


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
