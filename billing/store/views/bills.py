"""Bills as people see them: heads for lists, and one bill with its lines."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, and_, bindparam, or_, select

from billing import tables
from billing.canonical import read_json
from billing.pools.apportionment import read_keys
from billing.store.views import versions
from billing.store.views.usages import UsageView, usage_view
from meters.interval import Period

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from sqlalchemy import Row

    from billing.pools.apportionment import KeySum
    from billing.pools.pool import Pool
    from billing.store.views.scope import Scope
    from billing.tariff import Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class BillHead:
    """What a list shows of a bill. `total` in fen; the dates are None until it is issued.

    `correction`: whether it is a bill of corrections alone, of an issued month.
    """

    id: int
    run_id: int
    run_state: str
    number: str
    correction: bool
    period: Period
    total: int
    currency: str
    issued_on: date | None
    due_on: date | None
    unit: str
    building: Mapping[str, str]
    community: Mapping[str, str]
    account_id: int
    account: str
    holder: str


@dataclass(frozen=True, slots=True)
class KeyOfShare:
    """A share's key, 10⁻⁴ of the unit of `of`, which is that key over all shares."""

    key: int
    of: KeySum

    @property
    def bears(self) -> Fraction:
        """How much of what owners bear it is."""
        return self.of.part * Fraction(self.key, self.of.total or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareOfLine:
    """A line's share of a pool. `quantity`: 10⁻⁴; `amount`, `odd_amount`: fen.

    `keys`: what it counts by, with the sums of all: one, or the two of a hybrid.
    """

    statement_id: int
    position: int
    pool: Pool
    supply_quantity: int
    supply_unit: str
    supply_amount: int
    keys: tuple[KeyOfShare, ...]
    odd_quantity: int
    odd_amount: int

    @property
    def of_owners(self) -> Fraction:
        """How much it is of what owners bear."""
        return sum((each.bears for each in self.keys), Fraction(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionOfLine:
    """What a line corrects: `period`, and the line that it reverses, or stands in place of.

    `number` and `position` are None for what was not billed before.
    """

    period: Period
    reversal: bool
    number: str | None
    position: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """A line with everything that it refers to. `quantity`: 10⁻⁴ of `unit`; `amount`: fen."""

    position: int
    charge: str
    quantity: int
    unit: str
    amount: int
    tariff: Tariff | None
    usage: UsageView | None
    share: ShareOfLine | None
    correction: CorrectionOfLine | None
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BillView:
    """A bill and its lines, in order."""

    head: BillHead
    lines: tuple[LineView, ...]

    @property
    def usages(self) -> tuple[UsageView, ...]:
        """What its lines count, each once; not what they take back."""
        counted = {
            (usage.point, usage.register, usage.start, usage.end): usage
            for line in self.lines
            if (usage := line.usage) and not (line.correction and line.correction.reversal)
        }
        return tuple(counted.values())

    def line(self, position: int) -> LineView | None:
        """Return the line at `position`, counted from 1."""
        return next((line for line in self.lines if line.position == position), None)


@dataclass(frozen=True, slots=True)
class After:
    """Where the page before ended: the last bill's period and id."""

    period: str
    id: int


def heads(
    connection: Connection,
    scope: Scope,
    *,
    limit: int,
    after: After | None = None,
    period: str | None = None,
    run_id: int | None = None,
) -> list[BillHead]:
    """Return bills in `scope`, the newest period first."""
    bill = tables.bill
    query = _heads().where(*scope.conditions()).limit(limit)
    if after is not None:
        older = bill.c.period < after.period
        query = query.where(or_(older, and_(bill.c.period == after.period, bill.c.id > after.id)))
    if period is not None:
        query = query.where(bill.c.period == period)
    if run_id is not None:
        query = query.where(tables.bill_run.c.id == run_id)
    rows = connection.execute(query.order_by(bill.c.period.desc(), bill.c.id), scope.values)
    return [_head(row) for row in rows]


def bill(connection: Connection, scope: Scope, number: str) -> BillView | None:
    """Return the bill `number` with its lines; None if there is none, or not in `scope`."""
    row = connection.execute(
        _numbered(scope.shape), {"number": number, **scope.values}
    ).one_or_none()
    if row is None:
        return None
    head = _head(row)
    return BillView(head, _lines(connection, head))


@cache
def _numbered(shape: Scope) -> Select[Any]:
    """Return the statement of the bill `:number`: making it costs more than executing it."""
    return _heads().where(tables.bill.c.number == bindparam("number"), *shape.conditions())


@cache
def _heads() -> Select[Any]:
    bill, unit, building = tables.bill, tables.unit, tables.building
    account, community = tables.account, tables.community
    part, run = tables.community_run, tables.bill_run
    return (
        select(
            bill,
            run.c.id.label("run_id"),
            run.c.state.label("run_state"),
            run.c.kind.label("run_kind"),
            unit.c.code.label("unit"),
            building.c.title.label("building"),
            community.c.title.label("community"),
            community.c.zone,
            account.c.code.label("account"),
            account.c.holder,
        )
        .join(part, part.c.id == bill.c.community_run_id)
        .join(run, run.c.id == part.c.bill_run_id)
        .join(unit, unit.c.id == bill.c.unit_id)
        .join(building, building.c.id == unit.c.building_id)
        .join(community, community.c.id == unit.c.community_id)
        .join(account, account.c.id == bill.c.account_id)
    )


def _head(row: Row[*tuple[Any, ...]]) -> BillHead:
    return BillHead(
        id=row.id,
        run_id=row.run_id,
        run_state=row.run_state,
        number=row.number,
        correction=row.run_kind == "correction",
        period=Period.month(row.period, ZoneInfo(row.zone)),
        total=row.total,
        currency=row.currency,
        issued_on=row.issued_on,
        due_on=row.due_on,
        unit=row.unit,
        building=read_json(row.building),
        community=read_json(row.community),
        account_id=row.account_id,
        account=row.account,
        holder=row.holder,
    )


def _lines(connection: Connection, head: BillHead) -> tuple[LineView, ...]:
    rows = connection.execute(_lines_of_bill(), {"bill_id": head.id})
    return tuple(_line(row, head.period.zone) for row in rows)


@cache
def _lines_of_bill() -> Select[Any]:
    line, usage, point = tables.bill_line, tables.usage, tables.point
    statement, share = tables.statement, tables.share
    correction, of = tables.correction, tables.bill.alias("of_bill")
    pool_version, tariff_version = tables.pool_version, tables.tariff_version
    return (
        select(
            line,
            tariff_version.c.document.label("tariff"),
            correction.c.period.label("corrects"),
            correction.c.reversal,
            of.c.number.label("of_number"),
            correction.c.of_position,
            usage.c.register,
            usage.c.start,
            usage.c.end,
            usage.c.quantity.label("used"),
            usage.c.unit.label("used_unit"),
            usage.c.evidence.label("usage_evidence"),
            point.c.code.label("point"),
            point.c.medium,
            statement.c.quantity.label("supply_quantity"),
            statement.c.unit.label("supply_unit"),
            statement.c.amount.label("supply_amount"),
            pool_version.c.document.label("pool"),
            statement.c["keys"].label("key_sums"),
            share.c.key,
            share.c.rest_key,
            share.c.odd_quantity,
            share.c.odd_amount,
        )
        .outerjoin(tariff_version, tariff_version.c.id == line.c.tariff_version_id)
        .outerjoin(usage, usage.c.id == line.c.usage_id)
        .outerjoin(point, point.c.id == usage.c.point_id)
        .outerjoin(statement, statement.c.id == line.c.statement_id)
        .outerjoin(pool_version, pool_version.c.id == statement.c.pool_version_id)
        .outerjoin(
            share,
            and_(share.c.statement_id == line.c.statement_id, share.c.position == line.c.share),
        )
        .outerjoin(
            correction,
            and_(correction.c.bill_id == line.c.bill_id, correction.c.position == line.c.position),
        )
        .outerjoin(of, of.c.id == correction.c.of_bill_id)
        .where(line.c.bill_id == bindparam("bill_id"))
        .order_by(line.c.position)
    )


def _line(row: Row[*tuple[Any, ...]], zone: ZoneInfo) -> LineView:
    return LineView(
        position=row.position,
        charge=row.charge,
        quantity=row.quantity,
        unit=row.unit,
        amount=row.amount,
        tariff=None if row.tariff is None else versions.tariff(row.tariff),
        usage=None if row.usage_id is None else usage_view(row),
        share=None if row.statement_id is None else _share(row),
        correction=None if row.corrects is None else _correction(row, zone),
        evidence=read_json(row.evidence),
    )


def _correction(row: Row[*tuple[Any, ...]], zone: ZoneInfo) -> CorrectionOfLine:
    return CorrectionOfLine(
        period=Period.month(row.corrects, zone),
        reversal=row.reversal,
        number=row.of_number,
        position=row.of_position,
    )


def _share(row: Row[*tuple[Any, ...]]) -> ShareOfLine:
    return ShareOfLine(
        statement_id=row.statement_id,
        position=row.share,
        pool=versions.pool(row.pool),
        supply_quantity=row.supply_quantity,
        supply_unit=row.supply_unit,
        supply_amount=row.supply_amount,
        keys=tuple(
            KeyOfShare(key, of)
            for key, of in zip(
                (row.key, row.rest_key), read_keys(read_json(row.key_sums)), strict=False
            )
        ),
        odd_quantity=row.odd_quantity,
        odd_amount=row.odd_amount,
    )
