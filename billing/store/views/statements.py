"""Pool statements as people see them: the supply, every share, and whether it all adds up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, select

from billing import tables
from billing.canonical import read_json
from billing.money import to_fen
from billing.pools.apportionment import KeySum, Statement, read_keys
from billing.pools.margin import Margin, paid_of
from billing.pools.participant import read_participants
from billing.pools.scope import Excluded, excluded
from billing.pools.supply import Supply, SupplyPart, read_part
from billing.recompute import share_again
from billing.store.views import shares, versions
from meters.estimate import Method
from meters.interval import Period

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from sqlalchemy import Row

    from billing.difference import Difference
    from billing.pools.moved import Moved
    from billing.pools.pool import Pool
    from billing.store.views.scope import Scope
    from billing.store.views.shares import OddCents, ShareSums, ShareView
    from billing.tariff import Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementHead:
    """What a list shows of a statement. `quantity`: 10⁻⁴ of `unit`; `amount`: fen."""

    id: int
    run_id: int
    run_state: str
    period: Period
    community_id: int
    community: Mapping[str, str]
    currency: str
    pool: Pool
    quantity: int
    unit: str
    amount: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A day from which the supply is rated by another version of its tariff.

    `by_readings`: whether meters were read then; else what they counted is divided by days.
    """

    first: date
    by_readings: bool


@dataclass(frozen=True, kw_only=True)
class StatementView:
    """A statement with what leads to it, and what its shares sum to.

    `tariff` is the first that the supply was rated by, None for a cost by document; `earlier` the
    pool's statement of the period before.
    """

    head: StatementHead
    tariff: Tariff | None
    keys: tuple[KeySum, ...]
    evidence: Mapping[str, Any]
    sums: ShareSums
    earlier: StatementHead | None

    @property
    def conserved(self) -> bool:
        """Whether the stored shares sum to the supply, in units and in money (I4)."""
        return (self.sums.quantity, self.sums.amount) == (self.head.quantity, self.head.amount)

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
        charged, pool = self.sums.owners, self.head.pool
        documents = self.evidence.get("costs", ())
        if not documents:
            return Margin(charged, self.head.amount, documented=False)
        part = Fraction(1)
        if pool.source.subs is not None:
            part = Fraction(self.evidence["loss"]["of_cost"])
        billed = sum(to_fen(Decimal(each["amount"])) for each in documents)
        return Margin(charged, paid_of(billed, part), documented=True)


@dataclass(frozen=True, kw_only=True)
class WholeStatement(StatementView):
    """A statement with all that its publication needs: every share, and how each changed."""

    shares: tuple[ShareView, ...]
    changes: tuple[Moved, ...]
    odd_cents: OddCents


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


def head(connection: Connection, scope: Scope, statement_id: int) -> StatementHead | None:
    """Return the head of a statement; None if there is none, or no bill in `scope` rests on it."""
    query = _heads().where(tables.statement.c.id == statement_id)
    if not scope.unissued:
        query = query.where(tables.bill_run.c.state == "issued")
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if scope.accounts is not None and not shares.concerns(connection, statement_id, scope.accounts):
        return None
    return _head(row)


def statement(connection: Connection, scope: Scope, statement_id: int) -> StatementView | None:
    """Return a statement without its shares; None as `head`."""
    found = head(connection, scope, statement_id)
    if found is None:
        return None
    table, tariff = tables.statement, tables.tariff_version
    row = connection.execute(
        select(table.c["keys"].label("key_sums"), table.c.evidence, tariff.c.document)
        .outerjoin(tariff, tariff.c.id == table.c.tariff_version_id)
        .where(table.c.id == statement_id)
    ).one()
    return StatementView(
        head=found,
        tariff=None if row.document is None else versions.tariff(row.document),
        keys=read_keys(read_json(row.key_sums)),
        evidence=read_json(row.evidence),
        sums=shares.sums(connection, statement_id),
        earlier=earlier(connection, found),
    )


def whole(connection: Connection, scope: Scope, statement_id: int) -> WholeStatement | None:
    """Return a statement with every share; None as `head`."""
    view = statement(connection, scope, statement_id)
    if view is None:
        return None
    moved: tuple[Moved, ...] = ()
    if view.earlier is not None:
        moved, _ = shares.changes(connection, statement_id, view.earlier.id)
    return WholeStatement(
        head=view.head,
        tariff=view.tariff,
        keys=view.keys,
        evidence=view.evidence,
        sums=view.sums,
        earlier=view.earlier,
        shares=shares.of_statement(connection, statement_id),
        changes=moved,
        odd_cents=odd_cents(connection, view.head),
    )


def odd_cents(connection: Connection, head: StatementHead, most: int | None = None) -> OddCents:
    """Return how the odd cents went round in the year up to a statement, as `shares.odd_cents`."""
    run, part, pool = tables.bill_run, tables.community_run, tables.pool_version
    first, period = head.period.first, head.period.key
    issued = connection.execute(
        select(part.c.period, tables.statement.c.id)
        .join(part, part.c.id == tables.statement.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .join(pool, pool.c.id == tables.statement.c.pool_version_id)
        .where(
            part.c.community_id == head.community_id,
            pool.c.code == head.pool.id,
            part.c.period > f"{first.year - 1}-{first.month:02}",
            part.c.period <= period,
            run.c.state == "issued",
        )
        .order_by(part.c.revision)
    )
    newest = {row.period: row.id for row in issued}
    return shares.odd_cents(connection, list({**newest, period: head.id}.values()), most)


def earlier(connection: Connection, head: StatementHead) -> StatementHead | None:
    """Return the pool's issued statement of the month before, None where there is none."""
    found = connection.execute(
        _heads()
        .where(
            tables.community_run.c.community_id == head.community_id,
            tables.pool_version.c.code == head.pool.id,
            tables.community_run.c.period == head.period.previous.key,
            tables.bill_run.c.state == "issued",
        )
        .order_by(tables.community_run.c.revision.desc())
        .limit(1)
    ).one_or_none()
    return None if found is None else _head(found)


def _heads() -> Select[Any]:
    statement = tables.statement
    part, run, community = tables.community_run, tables.bill_run, tables.community
    return (
        select(
            statement.c.id,
            statement.c.quantity,
            statement.c.unit,
            statement.c.amount,
            run.c.id.label("run_id"),
            run.c.state.label("run_state"),
            part.c.period,
            part.c.community_id,
            community.c.title.label("community"),
            community.c.zone,
            community.c.currency,
            tables.pool_version.c.document.label("pool"),
        )
        .join(part, part.c.id == statement.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .join(community, community.c.id == part.c.community_id)
        .join(tables.pool_version, tables.pool_version.c.id == statement.c.pool_version_id)
    )


def _head(row: Row[*tuple[Any, ...]]) -> StatementHead:
    return StatementHead(
        id=row.id,
        run_id=row.run_id,
        run_state=row.run_state,
        period=Period.month(row.period, ZoneInfo(row.zone)),
        community_id=row.community_id,
        community=read_json(row.community),
        currency=row.currency,
        pool=versions.pool(row.pool),
        quantity=row.quantity,
        unit=row.unit,
        amount=row.amount,
    )
