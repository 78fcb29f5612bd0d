"""What commands about money share: amounts, days, and what a user is told in words."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from billing.commands.opening import database_option, opened
from billing.money import InexactMoneyError, to_fen
from billing.payments.order import OrderError
from billing.payments.payment_code import PaymentCodeError
from billing.store import (
    day_close,
    opening_balance,
    payments_book,
    payments_desk,
    payments_refunds,
    registry,
    settlements,
)
from meters.quantity import number_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    Command = Callable[..., None]

MENDABLE = (
    OrderError,
    PaymentCodeError,
    day_close.DayError,
    opening_balance.UnknownAccountError,
    payments_book.UnknownPaymentError,
    payments_desk.DeskError,
    payments_desk.DeskEyesError,
    payments_refunds.RefundError,
    payments_refunds.RefundEyesError,
    payments_refunds.UnknownRefundError,
    registry.UnknownCommunityError,
    settlements.SettlementError,
)
"""What whoever handles money can mend, and is told in words."""


class Amount(click.ParamType[int]):
    """An amount of the currency, as fen."""

    name = "amount"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        number = number_in(str(value))
        if number is None or not number.is_finite():
            self.fail(f"{value!r} is no amount such as 123.45", param, ctx)
        try:
            return to_fen(number)
        except InexactMoneyError as error:
            self.fail(str(error), param, ctx)


DAY = click.DateTime(["%Y-%m-%d"])

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
by_option = click.option("--by", "actor", required=True, metavar="NAME", help="Who does it.")
reason_option = click.option("--reason", required=True, help="Why; it is kept for ever.")


def by_somebody(command: Command) -> Command:
    """Add what every change says: in which database, by whom, and how to print it."""
    for option in (by_option, as_json_option, database_option):
        command = option(command)
    return command


@contextmanager
def changing(url: str) -> Iterator[Connection]:
    """Give a transaction, and turn what a user can mend into a message."""
    with _told(), opened(url) as database, database.transaction() as connection:
        yield connection


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    """Give a snapshot, and turn what a user can mend into a message."""
    with _told(), opened(url) as database, database.snapshot() as connection:
        yield connection


def print_json(document: object) -> None:
    """Print `document` as JSON; days and times are texts."""
    click.echo(json.dumps(document, ensure_ascii=False, default=str))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except MENDABLE as error:
        raise click.ClickException(str(error)) from error
