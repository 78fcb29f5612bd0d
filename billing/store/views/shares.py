"""The shares of a pool's statement: a part of them, their sums, and how they differ by unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Select, and_, case, func, literal, null, select, union_all

from billing import tables
from billing.pools.moved import Moved
from billing.pools.policy import Payer
from billing.store.views import versions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Subquery

AT_ONCE = 5000
"""Statements that one question names; databases bound how many values it may have."""


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


class Borne(NamedTuple):
    """How many shares there are, and what the company bears of them, in fen."""

    shares: int
    company: int


@dataclass(frozen=True, slots=True)
class ShareSums:
    """How many shares of a statement are stored, and what they sum to, as its figures are stated.

    `owners`: what those bear of `amount`, fen. `most_carried`: what rounding owes or has given
    anybody at most, 10⁻⁶ fen.
    """

    count: int
    quantity: int
    amount: int
    owners: int
    key: int
    rest_key: int
    odd_amount: int
    most_carried: int

    @property
    def company(self) -> int:
        """What the company bears of `amount`."""
        return self.amount - self.owners

    @property
    def borne(self) -> Borne:
        return Borne(self.count, self.company)


@dataclass(frozen=True, slots=True)
class OddCents:
    """Who got the most odd cents of a pool over its last `months`: how many of them, by unit.

    `fewest` and `most`: what anybody got, also who is not among `received`.
    """

    months: int
    received: Mapping[str | None, int]
    fewest: int
    most: int


def of_statement(
    connection: Connection,
    statement_id: int,
    *,
    own: Collection[int] | None = None,
    skipped: int = 0,
    limit: int | None = None,
) -> tuple[ShareView, ...]:
    """Return at most `limit` shares behind the first `skipped`.

    They come in the order of the statement; for who sees no rooms in one that does not tell them:
    those of the accounts `own` first, the largest key first, and the company's agreed share last.
    """
    share, unit, building = tables.share, tables.unit, tables.building
    line, bill, place = tables.bill_line, tables.bill, _places(statement_id, own).subquery()
    order = [place.c.agreed, place.c.other, place.c.size, place.c.position]
    page = select(place).order_by(*order).offset(skipped).limit(limit).subquery()
    shown = and_(share.c.statement_id == statement_id, share.c.position == page.c.position)
    billed = and_(line.c.statement_id == statement_id, line.c.share == share.c.position)
    rows = connection.execute(
        select(
            share,
            unit.c.code.label("unit"),
            building.c.title.label("building"),
            bill.c.number,
            bill.c.account_id,
        )
        .select_from(page)
        .join(share, shown)
        .outerjoin(unit, unit.c.id == share.c.unit_id)
        .outerjoin(building, building.c.id == unit.c.building_id)
        .outerjoin(line, billed)
        .outerjoin(bill, bill.c.id == line.c.bill_id)
        .order_by(page.c.agreed, page.c.other, page.c.size, page.c.position)
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


def _places(statement_id: int, own: Collection[int] | None) -> Select[Any]:
    """Return the positions of shares with what goes before these in their order."""
    share = tables.share
    agreed: ColumnElement[int] = literal(0)
    other: ColumnElement[int] = literal(0)
    size: ColumnElement[int] = literal(0)
    if own is not None:
        mine = share.c.position.in_(_positions_of(statement_id, own))
        agreed, other = case((share.c.unit_id.is_(None), 1), else_=0), case((mine, 0), else_=1)
        size = -func.coalesce(share.c.key, 0)
    columns = (agreed.label("agreed"), other.label("other"), size.label("size"))
    return select(share.c.position, *columns).where(share.c.statement_id == statement_id)


def _positions_of(statement_id: int, accounts: Collection[int]) -> Select[Any]:
    """Return the positions of the shares that stand on bills of `accounts`."""
    line, bill = tables.bill_line, tables.bill
    return (
        select(line.c.share)
        .join(bill, bill.c.id == line.c.bill_id)
        .where(line.c.statement_id == statement_id, bill.c.account_id.in_(accounts))
    )


def concerns(connection: Connection, statement_id: int, accounts: Collection[int]) -> bool:
    """Return whether a share of a statement stands on a bill of `accounts`."""
    found = _positions_of(statement_id, accounts).limit(1)
    return connection.execute(found).one_or_none() is not None


def sums(connection: Connection, statement_id: int) -> ShareSums:
    """Return what the shares of a statement sum to."""
    share = tables.share
    owners = case((share.c.payer == Payer.OWNER.value, share.c.amount), else_=0)
    row = connection.execute(
        select(
            func.count(),
            func.sum(share.c.quantity),
            func.sum(share.c.amount),
            func.sum(owners),
            func.sum(share.c.key),
            func.sum(share.c.rest_key),
            func.sum(share.c.odd_amount),
            func.max(func.abs(share.c.carried)),
        ).where(share.c.statement_id == statement_id)
    ).one()
    return ShareSums(*(int(each or 0) for each in row))


def borne(connection: Connection, statement_ids: Sequence[int]) -> dict[int, Borne]:
    """Return how many shares each statement has, and what the company bears of them."""
    share, found = tables.share, dict.fromkeys(statement_ids, Borne(0, 0))
    company = case((share.c.payer == Payer.COMPANY.value, share.c.amount), else_=0)
    counted = select(share.c.statement_id, func.count(), func.sum(company))
    for start in range(0, len(statement_ids), AT_ONCE):
        some = share.c.statement_id.in_(statement_ids[start : start + AT_ONCE])
        rows = connection.execute(counted.where(some).group_by(share.c.statement_id))
        found |= {statement: Borne(count, int(amount)) for statement, count, amount in rows}
    return found


def amounts(connection: Connection, statement_id: int) -> dict[str | None, int]:
    """Return what each unit, and the company (None), bears of a statement, in fen."""
    share, unit = tables.share, tables.unit
    found = connection.execute(
        select(unit.c.code, func.sum(share.c.amount))
        .outerjoin(unit, unit.c.id == share.c.unit_id)
        .where(share.c.statement_id == statement_id)
        .group_by(unit.c.code)
    )
    return {code: int(amount) for code, amount in found}


def changes(
    connection: Connection,
    statement_id: int,
    earlier_id: int,
    *,
    skipped: int = 0,
    limit: int | None = None,
) -> tuple[tuple[Moved, ...], int]:
    """Return how shares differ from those of an earlier statement, the largest difference first.

    At most `limit` units behind the first `skipped`, and of how many these are; 0 beyond the last.
    """
    unit, by_unit = tables.unit, _by_unit(statement_id, earlier_id)
    moved = func.coalesce(by_unit.c.now, 0) - func.coalesce(by_unit.c.before, 0)
    rows = connection.execute(
        select(unit.c.code, by_unit.c.before, by_unit.c.now, func.count().over())
        .select_from(by_unit)
        .outerjoin(unit, unit.c.id == by_unit.c.unit_id)
        .order_by(func.abs(moved).desc(), func.coalesce(unit.c.code, ""))
        .offset(skipped)
        .limit(limit)
    ).all()
    found = tuple(Moved(code, _whole(before), _whole(now)) for code, before, now, _ in rows)
    return found, rows[0][-1] if rows else 0


def _by_unit(statement_id: int, earlier_id: int) -> Subquery:
    """Return what each unit bears `now` and bore `before`."""
    share = tables.share
    both = union_all(
        select(share.c.unit_id, share.c.amount.label("now"), null().label("before")).where(
            share.c.statement_id == statement_id
        ),
        select(share.c.unit_id, null(), share.c.amount).where(share.c.statement_id == earlier_id),
    ).subquery()
    return (
        select(
            both.c.unit_id,
            func.sum(both.c.now).label("now"),
            func.sum(both.c.before).label("before"),
        )
        .group_by(both.c.unit_id)
        .subquery()
    )


def odd_cents(connection: Connection, statement_ids: Collection[int], most: int | None) -> OddCents:
    """Return who got the most odd cents of statements: at most `most` units, None for all."""
    share, unit = tables.share, tables.unit
    counted = (
        select(share.c.unit_id, func.sum(func.abs(share.c.odd_amount)).label("count"))
        .where(share.c.statement_id.in_(statement_ids))
        .group_by(share.c.unit_id)
        .subquery()
    )
    counts = counted.c.count
    rows = connection.execute(
        select(unit.c.code, counts, func.min(counts).over(), func.max(counts).over())
        .select_from(counted)
        .outerjoin(unit, unit.c.id == counted.c.unit_id)
        .order_by(counts.desc(), func.coalesce(unit.c.code, ""))
        .limit(most)
    ).all()
    received = {row[0]: int(row[1]) for row in rows}
    fewest, highest = map(int, rows[0][2:]) if rows else (0, 0)
    return OddCents(len(statement_ids), received, fewest, highest)


def _whole(amount: Any) -> int | None:
    return None if amount is None else int(amount)
