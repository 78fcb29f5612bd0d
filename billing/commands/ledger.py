"""`tallygate ledger`: balances, days that are closed, what channels settle, exports, statements."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from billing.commands.opening import database_option
from billing.commands.till import DAY, Amount, as_json_option, by_somebody, changing, print_json
from billing.commands.till import reading as opened_to_read
from billing.journal import as_beancount, as_csv
from billing.money import from_fen
from billing.store import day_close, journal_views, payments_due, registry, settlements
from billing.store import ledger as journal
from billing.store.journal_views import Kind
from billing.store.settlements import Settlement

if TYPE_CHECKING:
    from sqlalchemy import Connection

_from = click.option("--from", "first", type=DAY, required=True, help="The first day.")
_to = click.option("--to", "last", type=DAY, required=True, help="The last day, included.")


@click.group()
def ledger() -> None:
    """Balances, days that are closed, what channels settle, exports and statements."""


@ledger.command()
@database_option
@as_json_option
@click.option("--community", metavar="CODE", help="Of this community only.")
@click.option("--through", type=DAY, help="Of the entries until this day, included.")
def trial_balance(url: str, as_json: bool, community: str | None, through: datetime | None) -> None:
    """Print the balance of every ledger account; they sum to zero, or it fails."""
    with opened_to_read(url) as connection:
        community_id = None if community is None else _community(connection, community)
        last = None if through is None else through.date()
        found = journal.trial_balance(connection, community_id, through=last)
    difference = sum(found.values())
    if as_json:
        print_json({name: str(from_fen(amount)) for name, amount in sorted(found.items())})
    else:
        for name, amount in sorted(found.items()):
            click.echo(f"{name:<36} {from_fen(amount):>16}")
        click.echo(f"{'sum':<36} {from_fen(difference):>16}")
    if difference:
        raise click.ClickException(f"the trial balance is off by {from_fen(difference)}")


@ledger.command()
@by_somebody
@click.argument("community")
@click.argument("day", type=DAY)
def close(url: str, as_json: bool, actor: str, community: str, day: datetime) -> None:
    """Close DAY of COMMUNITY and all before it: what comes late counts on the next open day."""
    with changing(url) as connection:
        closed = day_close.close(
            connection, community, day.date(), actor=actor, now=datetime.now(UTC)
        )
    if as_json:
        balance = {name: str(from_fen(each)) for name, each in sorted(closed.balance.items())}
        print_json({**asdict(closed), "balance": balance})
    else:
        click.echo(f"{community} is closed through {closed.day}, {closed.entries} entries")


@ledger.command()
@by_somebody
@click.option("--kept", type=Amount(), default="0", help="What the channel keeps as its fee.")
@click.option("--document", required=True, help="The bank's line.")
@click.argument("community")
@click.argument("channel")
@click.argument("day", type=DAY)
@click.argument("gross", type=Amount())
def settle(
    url: str,
    as_json: bool,
    actor: str,
    kept: int,
    document: str,
    community: str,
    channel: str,
    day: datetime,
    gross: int,
) -> None:
    """Post that GROSS of what CHANNEL took for COMMUNITY, less its fee, is in the bank on DAY."""
    settled = Settlement(channel=channel, document=document, gross=gross, kept=kept, day=day.date())
    with changing(url) as connection:
        counts_on = settlements.settle(
            connection, community, settled, actor=actor, now=datetime.now(UTC)
        )
    if as_json:
        print_json({"day": counts_on, "gross": str(from_fen(gross)), "kept": str(from_fen(kept))})
    else:
        click.echo(
            f"{from_fen(gross - kept)} is in the bank, {from_fen(kept)} kept, on {counts_on}"
        )


@ledger.command()
@database_option
@as_json_option
@_from
@_to
@click.option(
    "--format", "form", type=click.Choice(["csv", "beancount"]), default="csv", show_default=True
)
@click.argument("community")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
def export(
    url: str,
    as_json: bool,
    first: datetime,
    last: datetime,
    form: str,
    community: str,
    path: Path,
) -> None:
    """Write the entries of COMMUNITY from day to day to FILE, as CSV or Beancount."""
    with opened_to_read(url) as connection:
        community_id = _community(connection, community)
        entries = journal_views.booked(connection, community_id, first.date(), last.date())
        currency = journal_views.currency_of(connection, community_id)
    text = as_csv(entries) if form == "csv" else as_beancount(entries, currency, title=community)
    try:
        path.write_bytes(text.encode())
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
    if as_json:
        print_json({"entries": len(entries), "file": str(path)})
    else:
        click.echo(f"{len(entries)} entries in {path}")


@ledger.command()
@database_option
@as_json_option
@_from
@_to
@click.argument("community")
@click.argument("account")
def statement(
    url: str, as_json: bool, first: datetime, last: datetime, community: str, account: str
) -> None:
    """Print what ACCOUNT owed at first, what changed from day to day, and what it owes at last."""
    with opened_to_read(url) as connection:
        who = payments_due.payer_named(connection, community, account)
        found = journal_views.statement_of(connection, who.account_id, first.date(), last.date())
    if as_json:
        print_json(
            {
                "account": account,
                "from": first.date(),
                "to": last.date(),
                "opening": str(from_fen(found.opening)),
                "totals": {str(kind): str(from_fen(found.total(kind))) for kind in Kind},
                "closing": str(from_fen(found.closing)),
                "lines": [
                    {**asdict(line), "amount": str(from_fen(line.amount))} for line in found.lines
                ],
            }
        )
        return
    click.echo(f"{'opening':<48} {from_fen(found.opening):>14}")
    for line in found.lines:
        click.echo(f"{line.day} {line.kind:<10} {line.reference:<26} {from_fen(line.amount):>14}")
    click.echo(f"{'closing':<48} {from_fen(found.closing):>14}")


def _community(connection: Connection, code: str) -> int:
    known = registry.community_ids(connection)
    if code not in known:
        raise registry.UnknownCommunityError(f"there is no community {code!r}")
    return known[code]
