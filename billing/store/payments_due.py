"""What accounts have to pay: looked up by account, by unit, or by payment code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, and_, bindparam, func, literal_column, select

from billing import tables
from billing.canonical import read_json
from billing.ledger import RECEIVABLE
from billing.payment_tables import application
from billing.payments.claim import BILL
from billing.payments.payment_code import PaymentCodeError, account_of, payment_code
from billing.store import disputes
from billing.store.opening_balance import UnknownAccountError
from billing.store.payments_claims import claims, credit
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    from sqlalchemy import ColumnElement, Row

    from billing.payments.claim import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """An account as somebody who pays sees it."""

    account_id: int
    account: str
    holder: str
    unit: str
    community_id: int
    community: str
    community_title: Mapping[str, str]
    currency: str
    zone: ZoneInfo

    @property
    def payment_code(self) -> str:
        return payment_code(self.account_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payable:
    """What is still due of a claim, in fen. `paid` is what money and credit notes have settled.

    `disputed` is how much of what is due somebody asks about: it can be paid, and nobody is
    reminded of it.

    `number`, `period` and `issued_on` are those of its bill; None for an opening balance, and for
    what is owed again after a payment has bounced.
    """

    claim: str
    kind: str
    number: str | None
    period: str | None
    issued_on: date | None
    due_on: date
    total: int
    paid: int
    disputed: int

    @property
    def due(self) -> int:
        return self.total - self.paid


@dataclass(frozen=True, slots=True)
class Dues:
    """What an account has to pay, the oldest first, and the credit that it has, in fen."""

    payer: Payer
    payables: tuple[Payable, ...]
    credit: int

    @property
    def due(self) -> int:
        return sum(each.due for each in self.payables)

    @property
    def disputed(self) -> int:
        """How much of what is due somebody asks about."""
        return sum(each.disputed for each in self.payables)


def payer(connection: Connection, account_id: int) -> Payer:
    """Return the account with this id; raise `UnknownAccountError` if there is none."""
    found = payers(connection, [account_id])
    if not found:
        raise UnknownAccountError(told("there is no account {account}", account=account_id))
    return found[account_id]


def payers(connection: Connection, account_ids: Collection[int]) -> dict[int, Payer]:
    """Return the accounts with these ids, by id; those that there are."""
    rows = connection.execute(_payers_of_accounts(), {"accounts": list(account_ids)})
    return {row.id: _payer(row) for row in rows}


def payer_named(connection: Connection, community: str, account: str) -> Payer:
    """Return the account of this code; raise `UnknownAccountError` if there is none."""
    row = connection.execute(
        _payers().where(tables.community.c.code == community, tables.account.c.code == account)
    ).one_or_none()
    if row is None:
        raise UnknownAccountError(
            told(
                "community '{community}' has no account '{account}'",
                community=community,
                account=account,
            )
        )
    return _payer(row)


def payer_by_code(connection: Connection, code: str) -> Payer:
    """Return the account of a payment code; raise `PaymentCodeError` if it names none."""
    account_id = account_of(code)
    try:
        return payer(connection, account_id)
    except UnknownAccountError as error:
        raise PaymentCodeError(f"no account has the payment code {code!r}") from error


def payers_of_unit(connection: Connection, community: str, unit: str) -> list[Payer]:
    """Return the accounts of a unit, who came last first: those who have left may still owe."""
    rows = connection.execute(
        _payers()
        .where(tables.community.c.code == community, tables.unit.c.code == unit)
        .order_by(tables.account.c.first_day.desc(), tables.account.c.id.desc())
    )
    return [_payer(row) for row in rows]


def dues(connection: Connection, account_id: int, *, settled: bool = False) -> Dues:
    """Return what an account has to pay; with `settled`, also what it has paid already."""
    who = payer(connection, account_id)
    found = claims(connection, [account_id], settled=settled)[account_id]
    bills = _bills(connection, (each.reference for each in found))
    asked = disputes.frozen(connection, account_id)
    payables = tuple(
        _payable(claim, bills.get(claim.reference), asked.get(claim.reference, 0))
        for claim in found
        if claim.due > 0 or (settled and claim.due == 0)
    )
    owed_to_it = sum(-claim.due for claim in found if claim.due < 0)
    return Dues(who, payables, credit(connection, account_id) + owed_to_it)


def of_bill(connection: Connection, number: str) -> tuple[Payer, Payable] | None:
    """Return who has to pay an issued bill and what is due of it; None where nothing is owed."""
    reference = f"{BILL}{number}"
    row = connection.execute(_owed(), {"number": number, "reference": reference}).one_or_none()
    if row is None or row.amount < row.applied:  # what is owed to the account is no payable
        return None
    return _payer(row), Payable(
        claim=reference,
        kind=BILL.rstrip(":"),
        number=number,
        period=row.period,
        issued_on=row.issued_on,
        due_on=row.due_on or row.day,
        total=row.amount,
        paid=int(row.applied),
        disputed=min(int(row.disputed), row.amount - int(row.applied)),
    )


@cache
def _owed() -> Select[Any]:
    """Return the statement of the claim `:reference` that is the bill `:number`, and its payer."""
    bill, posting, entry = tables.bill, tables.posting, tables.journal_entry
    # A parameter would have SQLite plan anew each time: it may fit an index of some rows.
    receivable: ColumnElement[str] = literal_column(f"'{RECEIVABLE}'")
    applied = select(func.sum(application.c.amount)).where(
        application.c.claim == bindparam("reference")
    )
    return (
        _payers()
        .add_columns(
            *(bill.c.period, bill.c.issued_on, bill.c.due_on),
            *(posting.c.amount, entry.c.day),
            func.coalesce(applied.scalar_subquery(), 0).label("applied"),
            func.coalesce(disputes.frozen_of_bill(), 0).label("disputed"),
        )
        .join(bill, bill.c.account_id == tables.account.c.id)
        .join(
            posting,
            and_(
                posting.c.reference == bindparam("reference"),
                posting.c.ledger_account == receivable,
            ),
        )
        .join(entry, entry.c.reference == posting.c.reference)
        .where(bill.c.number == bindparam("number"))
    )


def _payable(claim: Claim, bill: Any, disputed: int) -> Payable:
    return Payable(
        claim=claim.reference,
        kind=claim.reference.partition(":")[0],
        number=None if bill is None else bill.number,
        period=None if bill is None else bill.period,
        issued_on=None if bill is None else bill.issued_on,
        due_on=claim.due_on,
        total=claim.total,
        paid=claim.applied,
        disputed=max(0, min(disputed, claim.due)),
    )


def _bills(connection: Connection, references: Iterable[str]) -> dict[str, Any]:
    bill = tables.bill
    numbers = [each.removeprefix(BILL) for each in references if each.startswith(BILL)]
    rows = connection.execute(
        select(bill.c.number, bill.c.period, bill.c.issued_on).where(bill.c.number.in_(numbers))
    )
    return {f"{BILL}{row.number}": row for row in rows}


@cache
def _payers() -> Select[Any]:
    account, unit, community = tables.account, tables.unit, tables.community
    return (
        select(
            account.c.id,
            account.c.code,
            account.c.holder,
            account.c.community_id,
            unit.c.code.label("unit"),
            community.c.code.label("community"),
            community.c.title.label("community_title"),
            community.c.currency,
            community.c.zone,
        )
        .join(unit, unit.c.id == account.c.unit_id)
        .join(community, community.c.id == account.c.community_id)
    )


@cache
def _payers_of_accounts() -> Select[Any]:
    return _payers().where(tables.account.c.id.in_(bindparam("accounts", expanding=True)))


def _payer(row: Row[Any]) -> Payer:
    return Payer(
        account_id=row.id,
        account=row.code,
        holder=row.holder,
        unit=row.unit,
        community_id=row.community_id,
        community=row.community,
        community_title=read_json(row.community_title),
        currency=row.currency,
        zone=ZoneInfo(row.zone),
    )
