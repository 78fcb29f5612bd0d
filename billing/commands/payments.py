"""`tallygate payment`: what accounts owe, payments that staff enter, and money that goes back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from billing.commands.opening import database_option
from billing.commands.refunds import refund
from billing.commands.till import (
    Amount,
    as_json_option,
    by_somebody,
    changing,
    print_json,
    reading,
    reason_option,
)
from billing.money import InexactMoneyError, from_fen, to_fen
from billing.payments.application import First, Policy
from billing.payments.claim import BILL
from billing.payments.payment_code import grouped
from billing.store import (
    payments_book,
    payments_credit,
    payments_desk,
    payments_due,
    payments_policy,
    payments_receipts,
)
from billing.store.payments_desk import CHANNELS, REVERSALS, Handed
from meters.quantity import number_in

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from billing.store.payments_due import Dues


@click.group()
def payment() -> None:
    """What accounts owe, payments that staff enter, and money that goes back."""


@payment.command()
@database_option
@as_json_option
@click.option("--code", help="The payment code that stands on the bill.")
@click.option("--unit", help="All accounts of this unit, also those who have left it.")
@click.option("--account", help="The account of this code.")
@click.argument("community", required=False)
def due(
    url: str,
    as_json: bool,
    code: str | None,
    unit: str | None,
    account: str | None,
    community: str | None,
) -> None:
    """Print what is due: of a --code, or of an --account or --unit of COMMUNITY."""
    if (code is None) == (community is None) or (
        code is None and (unit is None) == (account is None)
    ):
        raise click.UsageError("name a --code, or a community with an --account or a --unit")
    with reading(url) as connection:
        if code is not None:
            payers = [payments_due.payer_by_code(connection, code)]
        elif unit is not None:
            payers = payments_due.payers_of_unit(connection, str(community), unit)
        else:
            payers = [payments_due.payer_named(connection, str(community), str(account))]
        found = [payments_due.dues(connection, each.account_id) for each in payers]
    if not found:
        raise click.ClickException(f"no account holds or has held unit {unit!r} of {community!r}")
    if as_json:
        print_json([_dues(each) for each in found])
        return
    for each in found:
        who = each.payer
        click.echo(f"{who.account}  unit {who.unit}  code {grouped(who.payment_code)}")
        for it in each.payables:
            click.echo(
                f"  {it.number or it.claim:<28} due {it.due_on} {from_fen(it.due):>12} "
                f"of {from_fen(it.total)}"
            )
        click.echo(f"  due {from_fen(each.due)}, credit {from_fen(each.credit)} {who.currency}")


@payment.command()
@by_somebody
@click.option("--channel", type=click.Choice(CHANNELS), default="cash", show_default=True)
@click.option("--document", required=True, help="The number of the slip or of the bank's line.")
@click.option("--bill", "bills", multiple=True, metavar="BILL[=AMOUNT]", help="What it is for.")
@click.option(
    "--rounding", type=Amount(), default="0", help="What is let go of beside cash, such as 0.04."
)
@click.option("--paid-at", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="Now, unless said.")
@click.option("--note", help="What else is to be known.")
@click.argument("community")
@click.argument("account")
@click.argument("amount", type=Amount())
def take(
    url: str,
    as_json: bool,
    actor: str,
    channel: str,
    document: str,
    bills: tuple[str, ...],
    rounding: int,
    paid_at: datetime | None,
    note: str | None,
    community: str,
    account: str,
    amount: int,
) -> None:
    """Enter that ACCOUNT of COMMUNITY has paid AMOUNT; the same document again is the same payment.

    Without --bill it pays what the community's policy puts first. Above the community's limit it
    waits until somebody else approves it.
    """
    now = datetime.now(UTC)
    handed = Handed(
        channel=channel,
        amount=amount,
        document=document,
        paid_at=paid_at or now,
        rounding=rounding,
        claims=dict(_named(each) for each in bills),
        note=note,
    )
    with changing(url) as connection:
        made = payments_desk.enter(connection, community, account, handed, actor=actor, now=now)
        _show(connection, made.id, as_json=as_json)


@payment.command()
@by_somebody
@click.argument("payment_id", type=int)
def approve(url: str, as_json: bool, actor: str, payment_id: int) -> None:
    """Approve PAYMENT_ID, which somebody else has entered, and post it."""
    _decide(url, payment_id, actor, approve=True, as_json=as_json)


@payment.command()
@by_somebody
@click.argument("payment_id", type=int)
def reject(url: str, as_json: bool, actor: str, payment_id: int) -> None:
    """Reject PAYMENT_ID: it is never posted, and stays to be seen."""
    _decide(url, payment_id, actor, approve=False, as_json=as_json)


@payment.command()
@by_somebody
@reason_option
@click.option("--as", "kind", type=click.Choice(REVERSALS), required=True)
@click.argument("payment_id", type=int)
def reverse(url: str, as_json: bool, actor: str, reason: str, kind: str, payment_id: int) -> None:
    """Undo PAYMENT_ID, which somebody else has entered: what it has paid is due again."""
    with changing(url) as connection:
        payments_desk.reverse(
            connection, payment_id, kind=kind, reason=reason, actor=actor, now=datetime.now(UTC)
        )
        _show(connection, payment_id, as_json=as_json)


@payment.command()
@database_option
@as_json_option
@click.argument("payment_id", type=int)
def show(url: str, as_json: bool, payment_id: int) -> None:
    """Print PAYMENT_ID with its receipt."""
    with reading(url) as connection:
        _show(connection, payment_id, as_json=as_json)


@payment.command()
@by_somebody
@click.argument("community")
@click.argument("account")
def use_credit(url: str, as_json: bool, actor: str, community: str, account: str) -> None:
    """Let the credit of ACCOUNT pay what it owes now; new bills take it by themselves."""
    with changing(url) as connection:
        who = payments_due.payer_named(connection, community, account)
        used = payments_credit.use(connection, who, actor=actor, now=datetime.now(UTC))
    if as_json:
        print_json({"used": str(from_fen(used))})
    else:
        click.echo(f"{from_fen(used)} of the credit is used")


@payment.command()
@by_somebody
@click.option("--first", type=click.Choice([each.value for each in First]), required=True)
@click.option("--charge", "charges", multiple=True, help="Revenue categories in their order.")
@click.option(
    "--four-eyes-above", type=Amount(), required=True, help="What one person may enter alone."
)
@click.argument("community")
def policy(
    url: str,
    as_json: bool,
    actor: str,
    first: str,
    charges: tuple[str, ...],
    four_eyes_above: int,
    community: str,
) -> None:
    """State how COMMUNITY applies money that names no bill, and what one person may enter alone."""
    stated = Policy(first=First(first), charges=charges, four_eyes_above=four_eyes_above)
    if stated.four_eyes_above < 0:
        raise click.UsageError("the limit is an amount of zero or more")
    with changing(url) as connection:
        payments_policy.state(connection, community, stated, actor=actor, now=datetime.now(UTC))
    if as_json:
        print_json({"first": first, "charges": charges, "limit": str(from_fen(four_eyes_above))})
    else:
        click.echo("Stated.")


def _named(text: str) -> tuple[str, int | None]:
    """Return the claim that `BILL` or `BILL=AMOUNT` names, and how much of it is meant."""
    number, equals, amount = text.partition("=")
    exact = number_in(amount)
    if equals and (exact is None or not exact.is_finite()):
        raise click.UsageError(f"{text!r} is no bill, nor a bill=amount")
    try:
        return f"{BILL}{number}", None if exact is None else to_fen(exact)
    except InexactMoneyError as error:
        raise click.UsageError(str(error)) from error


def _decide(url: str, payment_id: int, actor: str, *, approve: bool, as_json: bool) -> None:
    with changing(url) as connection:
        payments_desk.decide(
            connection, payment_id, approve=approve, actor=actor, now=datetime.now(UTC)
        )
        _show(connection, payment_id, as_json=as_json)


def _show(connection: Connection, payment_id: int, *, as_json: bool) -> None:
    paid = payments_book.read(connection, payment_id)
    receipt = payments_receipts.receipt_of(connection, payment_id)
    if as_json:
        print_json(
            {
                "id": paid.id,
                "state": paid.state,
                "channel": paid.channel,
                "transaction": paid.transaction_id,
                "amount": str(from_fen(paid.amount)),
                "paid_at": paid.paid_at.isoformat(),
                "entered_by": paid.entered_by,
                "decided_by": paid.decided_by,
                "reversed_by": paid.reversed_by,
                "receipt": None if receipt is None else receipt.number,
                "receipt_of": None if receipt is None else receipt.document,
            }
        )
        return
    amount = f"{from_fen(paid.amount)} {paid.currency}"
    click.echo(f"payment {paid.id}: {amount} by {paid.channel}, {paid.state}")
    if receipt is None:
        return
    click.echo(f"receipt {receipt.number}" + (" (undone since)" if receipt.reversed else ""))
    for each in receipt.document["pays"]:
        click.echo(f"  {each['claim']:<32} {each['amount']:>12}")
    click.echo(f"  {'credit':<32} {receipt.document['credit']:>12}")


def _dues(found: Dues) -> dict[str, Any]:
    who = found.payer
    return {
        "community": who.community,
        "account": who.account,
        "unit": who.unit,
        "payment_code": who.payment_code,
        "currency": who.currency,
        "due": str(from_fen(found.due)),
        "credit": str(from_fen(found.credit)),
        "payables": [
            {
                "claim": each.claim,
                "bill": each.number,
                "period": each.period,
                "due_on": each.due_on.isoformat(),
                "total": str(from_fen(each.total)),
                "paid": str(from_fen(each.paid)),
                "due": str(from_fen(each.due)),
            }
            for each in found.payables
        ],
    }


payment.add_command(refund)
