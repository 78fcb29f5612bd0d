"""Pool statements as people see them: the supply, every share, and whether it all adds up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, func, select

from billing import tables
from billing.canonical import read_json
from billing.money import to_fen
from billing.pools.apportionment import KeySum, Statement, read_keys
from billing.pools.margin import Margin, paid_of
from billing.pools.participant import read_participants
from billing.pools.policy import Payer
from billing.pools.scope import Excluded, excluded
from billing.pools.supply import Supply, SupplyPart, read_part
from billing.recompute import share_again
from billing.store.views import versions
from meters.estimate import Method
from meters.interval import Period

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from sqlalchemy import Row

    from billing.difference import Difference
    from billing.pools.pool import Pool
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
    """One stored share: as `billing.pools.apportionment.Share`, with the bill that it stands on."""

    position: int
    unit: str | None
    building: Mapping[str, str] | None
    payer: Payer
    vacant: bool
    key: int | None
    rest_key: int | None
    quantity: int
    amount: int
    odd_quantity: int
    odd_amount: int
    carried: int
    bill: str | None
    account_id: int | None


@dataclass(frozen=True, slots=True)
class OddCents:
    """Who got the odd cents of a pool over its last `months`: how many of them, by unit.

    `most_carried`: what rounding owes or has given anybody at most after them, 10⁻⁶ fen.
    """

    months: int
    received: Mapping[str | None, int]
    most_carried: int

    @property
    def fewest(self) -> int:
        return min(self.received.values(), default=0)

    @property
    def most(self) -> int:
        return max(self.received.values(), default=0)


@dataclass(frozen=True, slots=True)
class Earlier:
    """The pool's statement of the period before, and what each unit bore then, in fen."""

    head: StatementHead
    amounts: Mapping[str | None, int]


@dataclass(frozen=True, slots=True)
class Cut:
    """A day from which the supply is rated by another version of its tariff.

    `by_readings`: whether meters were read then; else what they counted is divided by days.
    """

    first: date
    by_readings: bool


@dataclass(frozen=True, kw_only=True)
class StatementView:
    """A statement with all that its publication needs.

    `tariff` is the first that the supply was rated by, None for a cost by document.
    """

    head: StatementHead
    tariff: Tariff | None
    keys: tuple[KeySum, ...]
    evidence: Mapping[str, Any]
    shares: tuple[ShareView, ...]
    odd_cents: OddCents
    earlier: Earlier | None

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

    @cached_property
    def parts(self) -> tuple[SupplyPart, ...]:
        """The steps of the supply, whose amounts sum to it."""
        return tuple(map(read_part, self.evidence["parts"]))

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """Where the supply was divided, because its tariff changed within the period."""
        period = self.head.period
        by_readings: dict[date, bool] = {}
        for source in self.evidence.get("sources", ()):
            opening = source["segments"][0]["opening"]
            at = datetime.fromisoformat(opening["at"])
            if at != period.interval.start:
                day = at.astimezone(period.zone).date()
                read = opening.get("estimate", {}).get("method") != Method.BY_DAYS
                by_readings[day] = by_readings.get(day, True) and read
        return tuple(Cut(day, read) for day, read in sorted(by_readings.items()))

    @cached_property
    def shared_again(self) -> Statement | Difference:
        """The statement as its participants give it again: exclusions, steps, exact shares."""
        supply = Supply(
            quantity=self.head.quantity,
            unit=self.head.unit,
            amount=self.head.amount,
            in_money=self.head.pool.source.cost is not None,
            parts=self.parts,
        )
        return share_again(self.head.pool, supply, self.head.period.key, self.evidence)

    @property
    def excluded(self) -> tuple[Excluded, ...]:
        """The units of the scope that take no part, and by which rule."""
        scope, documents = self.head.pool.scope, self.evidence["participants"]
        return () if scope.exclude.nobody else excluded(scope, read_participants(documents))

    @property
    def margin(self) -> Margin:
        """What owners are charged against what was paid."""
        charged, pool = self.amount_of(Payer.OWNER), self.head.pool
        documents = self.evidence.get("costs", ())
        if not documents:
            return Margin(charged, self.head.amount, documented=False)
        part = Fraction(1)
        if pool.source.subs is not None:
            part = Fraction(self.evidence["loss"]["of_cost"])
        billed = sum(to_fen(Decimal(each["amount"])) for each in documents)
        return Margin(charged, paid_of(billed, part), documented=True)

    def amount_of(self, payer: Payer) -> int:
        """Return what `payer` bears in all, in fen."""
        return sum(share.amount for share in self.shares if share.payer is payer)


def heads_of_run(connection: Connection, run_id: int) -> list[StatementHead]:
    """Return the statements of a run, by community and pool."""
    query = _heads().where(tables.bill_run.c.id == run_id)
    ordered = query.order_by(tables.community.c.code, tables.pool_version.c.code)
    return list(map(_head, connection.execute(ordered)))


def heads(
    connection: Connection,
    scope: Scope,
    *,
    limit: int,
    before_id: int | None = None,
    community_id: int | None = None,
) -> list[StatementHead]:
    """Return at most `limit` statements in `scope` before `before_id`, the newest first."""
    query = _heads().order_by(tables.statement.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(tables.statement.c.id < before_id)
    if community_id is not None:
        query = query.where(tables.community.c.id == community_id)
    if not scope.unissued:
        query = query.where(tables.bill_run.c.state == "issued")
    if scope.accounts is not None:
        line, bill = tables.bill_line, tables.bill
        mine = (
            select(line.c.statement_id)
            .join(bill, bill.c.id == line.c.bill_id)
            .where(bill.c.account_id.in_(scope.accounts), line.c.statement_id.is_not(None))
        )
        query = query.where(tables.statement.c.id.in_(mine))
    return [_head(row) for row in connection.execute(query)]


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
        head=(head := _head(row)),
        tariff=None if row.tariff is None else versions.tariff(row.tariff),
        keys=read_keys(read_json(row.key_sums)),
        evidence=read_json(row.evidence),
        shares=shares,
        odd_cents=_odd_cents(connection, row, head.period),
        earlier=_earlier(connection, row, head.period),
    )


def _odd_cents(connection: Connection, row: Row[*tuple[Any, ...]], period: Period) -> OddCents:
    """Return how the odd cents went round in the year up to the statement."""
    share, unit, part = tables.share, tables.unit, tables.community_run
    heads = (
        _heads()
        .where(
            part.c.community_id == row.community_id,
            tables.pool_version.c.code == row.pool_code,
            part.c.period > f"{period.first.year - 1}-{period.first.month:02}",
            part.c.period <= period.key,
            tables.bill_run.c.state == "issued",
        )
        .order_by(part.c.revision)
    )
    newest = {each.period: each.id for each in connection.execute(heads)}
    ids = list({**newest, period.key: row.id}.values())
    received = connection.execute(
        select(unit.c.code, func.sum(func.abs(share.c.odd_amount)))
        .outerjoin(unit, unit.c.id == share.c.unit_id)
        .where(share.c.statement_id.in_(ids))
        .group_by(unit.c.code)
    )
    most = connection.scalar(
        select(func.max(func.abs(share.c.carried))).where(share.c.statement_id == row.id)
    )
    return OddCents(len(ids), {code: int(count) for code, count in received}, int(most or 0))


def _earlier(connection: Connection, row: Row[*tuple[Any, ...]], period: Period) -> Earlier | None:
    """Return the pool's issued statement of the month before, None where there is none."""
    found = connection.execute(
        _heads()
        .where(
            tables.community_run.c.community_id == row.community_id,
            tables.pool_version.c.code == row.pool_code,
            tables.community_run.c.period == period.previous.key,
            tables.bill_run.c.state == "issued",
        )
        .order_by(tables.community_run.c.revision.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    share, unit = tables.share, tables.unit
    amounts = connection.execute(
        select(unit.c.code, func.sum(share.c.amount))
        .outerjoin(unit, unit.c.id == share.c.unit_id)
        .where(share.c.statement_id == found.id)
        .group_by(unit.c.code)
    )
    return Earlier(_head(found), {code: int(amount) for code, amount in amounts})


def _heads() -> Select[Any]:
    statement, share, tariff = tables.statement, tables.share, tables.tariff_version
    part, run, community = tables.community_run, tables.bill_run, tables.community
    mine = share.c.statement_id == statement.c.id
    company = select(func.coalesce(func.sum(share.c.amount), 0)).where(
        mine, share.c.payer == Payer.COMPANY.value
    )
    return (
        select(
            statement,
            statement.c["keys"].label("key_sums"),
            run.c.id.label("run_id"),
            run.c.state.label("run_state"),
            part.c.period,
            part.c.community_id,
            community.c.title.label("community"),
            community.c.zone,
            community.c.currency,
            tables.pool_version.c.code.label("pool_code"),
            tables.pool_version.c.document.label("pool"),
            tariff.c.document.label("tariff"),
            company.scalar_subquery().label("company"),
            select(func.count()).where(mine).scalar_subquery().label("shares"),
        )
        .join(part, part.c.id == statement.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .join(community, community.c.id == part.c.community_id)
        .join(tables.pool_version, tables.pool_version.c.id == statement.c.pool_version_id)
        .outerjoin(tariff, tariff.c.id == statement.c.tariff_version_id)
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
            building=None if row.building is None else versions.title(row.building),
            payer=Payer(row.payer),
            vacant=row.vacant,
            key=row.key,
            rest_key=row.rest_key,
            quantity=row.quantity,
            amount=row.amount,
            odd_quantity=row.odd_quantity,
            odd_amount=row.odd_amount,
            carried=row.carried,
            bill=row.number,
            account_id=row.account_id,
        )
        for row in rows
    )
