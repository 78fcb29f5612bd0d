"""Whose money a call is about: accounts by payment code, by their code, or by unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Query

from api import problems
from api.problems import ProblemError
from billing.payments.payment_code import PaymentCodeError
from billing.store import payments_book, payments_due, payments_orders
from billing.store.opening_balance import UnknownAccountError
from billing.store.payments_book import UnknownPaymentError
from meters.told import text_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from api.principal import Principal
    from billing.payments.order import Order
    from billing.store.payments_book import Payment
    from billing.store.payments_due import Payer

LONGEST = 200


@dataclass(frozen=True, slots=True)
class Naming:
    """How a call names accounts. `community` goes with `account` or `unit`."""

    code: str | None = None
    community: str | None = None
    account: str | None = None
    unit: str | None = None


async def _naming(
    code: Annotated[
        str | None, Query(max_length=40, description="The payment code that stands on the bill.")
    ] = None,
    community: Annotated[str | None, Query(max_length=LONGEST)] = None,
    account: Annotated[
        str | None, Query(max_length=LONGEST, description="An account of `community`.")
    ] = None,
    unit: Annotated[
        str | None,
        Query(
            max_length=LONGEST, description="All accounts of this unit, also of who has left it."
        ),
    ] = None,
) -> Naming:
    return Naming(code, community, account, unit)


Named = Annotated[Naming, Depends(_naming)]


def payers(connection: Connection, caller: Principal, naming: Naming) -> list[Payer]:
    """Return the accounts that are named, or the caller's own; raise `ProblemError` for none.

    What is not the caller's is as if it did not exist.
    """
    own = caller.accounts
    if naming == Naming() and own is not None:
        return [payments_due.payer(connection, each) for each in sorted(own)]
    try:
        found = _named(connection, naming)
    except (PaymentCodeError, UnknownAccountError) as error:
        raise ProblemError(problems.NOT_FOUND, text_of(error) if own is None else "") from error
    allowed = [each for each in found if _is_own(caller, each.account_id)]
    if not allowed:
        raise ProblemError(problems.NOT_FOUND)
    return allowed


def payer_by_code(connection: Connection, caller: Principal, code: str) -> Payer:
    """Return the account of a payment code; raise `ProblemError` if it is not the caller's."""
    return payers(connection, caller, Naming(code=code))[0]


def own_order(connection: Connection, caller: Principal, number: str) -> Order:
    """Return an order; raise `ProblemError` if it is not the caller's, or not there."""
    found = payments_orders.find(connection, number)
    if found is None or not _is_own(caller, found.account_id):
        raise ProblemError(problems.NOT_FOUND)
    return found


def own_payment(connection: Connection, caller: Principal, payment_id: int) -> Payment:
    """Return a payment; raise `ProblemError` if it is not the caller's, or not there."""
    try:
        found = payments_book.read(connection, payment_id)
    except UnknownPaymentError:
        found = None
    if found is None or not _is_own(caller, found.account_id):
        raise ProblemError(problems.NOT_FOUND)
    return found


def _is_own(caller: Principal, account_id: int) -> bool:
    return caller.accounts is None or account_id in caller.accounts


def _named(connection: Connection, naming: Naming) -> list[Payer]:
    match naming:
        case Naming(code=str(code), community=None, account=None, unit=None):
            return [payments_due.payer_by_code(connection, code)]
        case Naming(code=None, community=str(community), account=str(account), unit=None):
            return [payments_due.payer_named(connection, community, account)]
        case Naming(code=None, community=str(community), account=None, unit=str(unit)):
            return payments_due.payers_of_unit(connection, community, unit)
    what = "name a code, or a community with an account or a unit"
    raise ProblemError(problems.INVALID, errors=[{"where": "query", "what": what}])
