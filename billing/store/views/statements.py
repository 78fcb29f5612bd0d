"""Pool statements as people see them: the supply, every share, and whether it all adds up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, func, select

from billing import tables
from billing.apportionment import Excluded, Payer, Statement, Supply, apportion
from billing.canonical import read_json
from billing.sharing import read_participants
from billing.store.views import versions
from meters.interval import Period

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

    from billing.pool import Pool
    from billing.store.views.scope import Scope
    from billing.tariff import Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementHead:
    """What a list shows of a statement. `quantity`: 10⁻⁴ of `unit`; `amount`, `company`: fen."""

    id: int
    run_id: int
    run_state: str
    period: Period
    community: Mapping[str, str]
    currency: str
    pool: Pool
    quantity: int
    unit: str
    amount: int
    company: int
    shares: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareView:
    """One stored share: as `billing.apportionment.Share`, with the bill that it stands on."""

    position: int
    unit: str | None
    building: Mapping[str, str] | None
    payer: Payer
    vacant: bool
    key: int | None
    quantity: int
    amount: int
    odd_quantity: int
    odd_amount: int
    bill: str | None
    account_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementView:
    """A statement with all that its publication needs."""

    head: StatementHead
    tariff: Tariff
    evidence: Mapping[str, Any]
    shares: tuple[ShareView, ...]

    @property
    def key_sum(self) -> int:
        """The sum of all keys, 10⁻⁴ of the pool's key unit."""
        return sum(share.key or 0 for share in self.shares)

    @property
    def quantity_sum(self) -> int:
        return sum(share.quantity for share in self.shares)

    @property
    def amount_sum(self) -> int:
        return sum(share.amount for share in self.shares)

    @property
    def conserved(self) -> bool:
        """Whether the stored shares sum to the supply, in units and in money (I4)."""
        return (self.quantity_sum, self.amount_sum) == (self.head.quantity, self.head.amount)

    @property
    def excluded(self) -> tuple[Excluded, ...]:
        """The units of the scope that take no part, and by which rule."""
        result = apportion(
            self.head.pool,
            Supply(quantity=self.head.quantity, unit=self.head.unit, amount=self.head.amount),
            read_participants(self.evidence["participants"]),
            period=self.head.period.key,
        )
        return result.excluded if isinstance(result, Statement) else ()

    def amount_of(self, payer: Payer) -> int:
        """Return what `payer` bears in all, in fen."""
        return sum(share.amount for share in self.shares if share.payer is payer)


def heads_of_run(connection: Connection, run_id: int) -> list[StatementHead]:
    """Return the statements of a run, by community and pool."""
    query = _heads().where(tables.bill_run.c.id == run_id)
    rows = connection.execute(query.order_by(tables.community.c.code, tables.pool_version.c.code))
    return [_head(row) for row in rows]


def statement(connection: Connection, scope: Scope, statement_id: int) -> StatementView | None:
    """Return a statement; None if there is none, or no bill in `scope` rests on it."""
    query = _heads().where(tables.statement.c.id == statement_id)
    if not scope.unissued:
        query = query.where(tables.bill_run.c.state == "issued")
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    shares = _shares(connection, statement_id)
    if scope.accounts is not None and not any(
        share.account_id in scope.accounts for share in shares
    ):
        return None
    return StatementView(
        head=_head(row),
        tariff=versions.tariff(row.tariff),
        evidence=read_json(row.evidence),
        shares=shares,
    )


def _heads() -> Select[Any]:
    statement, share = tables.statement, tables.share
    part, run, community = tables.community_run, tables.bill_run, tables.community
    mine = share.c.statement_id == statement.c.id
    company = select(func.coalesce(func.sum(share.c.amount), 0)).where(
        mine, share.c.payer == Payer.COMPANY.value
    )
    return (
        select(
            statement,
            run.c.id.label("run_id"),
            run.c.state.label("run_state"),
            part.c.period,
            community.c.title.label("community"),
            community.c.zone,
            community.c.currency,
            tables.pool_version.c.document.label("pool"),
            tables.tariff_version.c.document.label("tariff"),
            company.scalar_subquery().label("company"),
            select(func.count()).where(mine).scalar_subquery().label("shares"),
        )
        .join(part, part.c.id == statement.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .join(community, community.c.id == part.c.community_id)
        .join(tables.pool_version, tables.pool_version.c.id == statement.c.pool_version_id)
        .join(tables.tariff_version, tables.tariff_version.c.id == statement.c.tariff_version_id)
    )


def _head(row: Row[*tuple[Any, ...]]) -> StatementHead:
    return StatementHead(
        id=row.id,
        run_id=row.run_id,
        run_state=row.run_state,
        period=Period.month(row.period, ZoneInfo(row.zone)),
        community=read_json(row.community),
        currency=row.currency,
        pool=versions.pool(row.pool),
        quantity=row.quantity,
        unit=row.unit,
        amount=row.amount,
        company=int(row.company),
        shares=row.shares,
    )


def _shares(connection: Connection, statement_id: int) -> tuple[ShareView, ...]:
    share, unit, building = tables.share, tables.unit, tables.building
    line, bill = tables.bill_line, tables.bill
    rows = connection.execute(
        select(
            share,
            unit.c.code.label("unit"),
            building.c.title.label("building"),
            bill.c.number,
            bill.c.account_id,
        )
        .outerjoin(unit, unit.c.id == share.c.unit_id)
        .outerjoin(building, building.c.id == unit.c.building_id)
        .outerjoin(
            line,
            (line.c.statement_id == share.c.statement_id) & (line.c.share == share.c.position),
        )
        .outerjoin(bill, bill.c.id == line.c.bill_id)
        .where(share.c.statement_id == statement_id)
        .order_by(share.c.position)
    )
    return tuple(
        ShareView(
            position=row.position,
            unit=row.unit,
            building=None if row.building is None else read_json(row.building),
            payer=Payer(row.payer),
            vacant=row.vacant,
            key=row.key,
            quantity=row.quantity,
            amount=row.amount,
            odd_quantity=row.odd_quantity,
            odd_amount=row.odd_amount,
            bill=row.number,
            account_id=row.account_id,
        )
        for row in rows
    )
