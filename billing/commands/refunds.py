"""`tallygate payment refund`: money that goes back, asked for by one, approved by another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from billing.commands.till import Amount, by_somebody, changing, print_json, reason_option
from billing.money import from_fen
from billing.store import payments_refunds

if TYPE_CHECKING:
    from billing.store.payments_refunds import Refund


@click.group()
def refund() -> None:
    """Money that goes back: asked for by one person, approved by another."""


@refund.command()
@by_somebody
@reason_option
@click.option("--reopen", is_flag=True, help="What the account has paid may be due again.")
@click.argument("payment_id", type=int)
@click.argument("amount", type=Amount())
def request(
    url: str, as_json: bool, actor: str, reason: str, reopen: bool, payment_id: int, amount: int
) -> None:
    """Ask for AMOUNT of PAYMENT_ID to go back; it is set aside at once."""
    with changing(url) as connection:
        asked = payments_refunds.request(
            connection,
            payment_id,
            amount,
            reason=reason,
            reopen=reopen,
            actor=actor,
            now=datetime.now(UTC),
        )
    _show(asked, as_json=as_json)


@refund.command()
@by_somebody
@click.argument("number")
def approve(url: str, as_json: bool, actor: str, number: str) -> None:
    """Approve the refund NUMBER, which somebody else has asked for."""
    _decide(url, number, actor, approve=True, as_json=as_json)


@refund.command()
@by_somebody
@click.argument("number")
def reject(url: str, as_json: bool, actor: str, number: str) -> None:
    """Reject the refund NUMBER: its money is the account's credit again."""
    _decide(url, number, actor, approve=False, as_json=as_json)


@refund.command()
@by_somebody
@click.argument("number")
def executed(url: str, as_json: bool, actor: str, number: str) -> None:
    """Say that the approved refund NUMBER was paid out."""
    _end(url, number, actor, executed=True, as_json=as_json)


@refund.command()
@by_somebody
@click.argument("number")
def failed(url: str, as_json: bool, actor: str, number: str) -> None:
    """Say that the approved refund NUMBER could not be paid out: it is credit again."""
    _end(url, number, actor, executed=False, as_json=as_json)


def _decide(url: str, number: str, actor: str, *, approve: bool, as_json: bool) -> None:
    with changing(url) as connection:
        decided = payments_refunds.decide(
            connection, number, approve=approve, actor=actor, now=datetime.now(UTC)
        )
    _show(decided, as_json=as_json)


def _end(url: str, number: str, actor: str, *, executed: bool, as_json: bool) -> None:
    with changing(url) as connection:
        ended = payments_refunds.end_by_hand(
            connection, number, executed=executed, actor=actor, now=datetime.now(UTC)
        )
    _show(ended, as_json=as_json)


def _show(found: Refund, *, as_json: bool) -> None:
    amount = str(from_fen(found.amount))
    if as_json:
        kept = {"number": found.number, "state": found.state, "payment": found.payment_id}
        print_json({**kept, "amount": amount, "reason": found.reason})
    else:
        click.echo(f"refund {found.number}: {amount} of payment {found.payment_id}, {found.state}")
