"""Accounts as billing staff look for them: by unit, name, account code or payment code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, or_, select

from billing import tables
from billing.canonical import read_json
from billing.payments.payment_code import PaymentCodeError, account_of, payment_code
from billing.store.payments_claims import claims

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from sqlalchemy import ColumnElement


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHead:
    """An account in one line: `due` in fen; `left_on` is the day after its last, if it has one."""

    id: int
    account: str
    holder: str
    unit: str
    community: Mapping[str, str]
    currency: str
    left_on: date | None
    due: int

    @property
    def payment_code(self) -> str:
        return payment_code(self.id)


def search(connection: Connection, text: str, *, limit: int, after: int = 0) -> list[AccountHead]:
    """Return at most `limit` accounts that `text` may mean, by id from `after` on.

    A payment code means its account; all else is looked for in units, holders and account codes.
    Nothing finds everybody.
    """
    account, unit, community = tables.account, tables.unit, tables.community
    rows = connection.execute(
        select(
            account.c.id,
            account.c.code,
            account.c.holder,
            account.c.after_day,
            unit.c.code.label("unit"),
            community.c.title,
            community.c.currency,
        )
        .join(unit, unit.c.id == account.c.unit_id)
        .join(community, community.c.id == unit.c.community_id)
        .where(_meant(text.strip()), account.c.id > after)
        .order_by(account.c.id)
        .limit(limit)
    ).all()
    owed = claims(connection, [row.id for row in rows]) if rows else {}
    return [
        AccountHead(
            id=row.id,
            account=row.code,
            holder=row.holder,
            unit=row.unit,
            community=read_json(row.title),
            currency=row.currency,
            left_on=row.after_day,
            due=sum(each.due for each in owed.get(row.id, ())),
        )
        for row in rows
    ]


def _meant(text: str) -> ColumnElement[bool]:
    account, unit = tables.account, tables.unit
    try:
        return account.c.id == account_of(text)
    except PaymentCodeError:
        like = text.lower()
        return or_(
            func.lower(unit.c.code).contains(like, autoescape=True),
            func.lower(account.c.holder).contains(like, autoescape=True),
            func.lower(account.c.code).contains(like, autoescape=True),
        )
