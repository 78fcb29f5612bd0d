"""`tallygate billing statement | cost | loss | retire`: what pools rest on, and what they give."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from billing.commands.opening import database_option, opened
from billing.money import InexactMoneyError, to_fen
from billing.pools.supply import part_lines
from billing.store import definitions, papers, registry
from billing.store.views import statements
from billing.store.views.publication import publication
from billing.store.views.scope import Scope
from meters.quantity import InexactQuantityError, number_in, to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from sqlalchemy import Connection

EVERYTHING = Scope(unissued=True)

MENDABLE = (
    InexactMoneyError,
    InexactQuantityError,
    definitions.UnknownPoolError,
    papers.CostExistsError,
    papers.DecidedError,
    papers.SamePersonError,
    papers.UnknownCostError,
    registry.UnknownCommunityError,
)
"""What whoever enters something can mend, and is told in words."""

by_option = click.option("--by", "actor", required=True, metavar="NAME", help="Who does it.")
reason_option = click.option("--reason", required=True, help="Why; it is kept for ever.")
period_argument = click.argument("period", type=click.DateTime(["%Y-%m"]))


@click.command()
@database_option
@click.option("--masked", is_flag=True, help="Hide whose rooms they are, to publish it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("statement_id", type=int)
def statement(url: str, statement_id: int, *, masked: bool, as_json: bool) -> None:
    """Print the statement STATEMENT_ID of a pool: what it cost, and who bears what by which key."""
    with opened(url) as database, database.snapshot() as connection:
        view = statements.whole(connection, EVERYTHING, statement_id)
    if view is None:
        raise click.ClickException(f"there is no statement {statement_id}")
    document = publication(view, hide_rooms=masked)
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    supply, sums = document["supply"], document["sums"]
    click.echo(f"{document['pool']['id']} {document['period']}")
    click.echo(f"supply    {supply['quantity']} {supply['unit']}, {supply['amount']}")
    for cut in supply["cuts"]:
        click.echo(f"divided   from {cut['from']} on by {cut['by']}")
    for line in part_lines(supply["parts"], supply["unit"]):
        click.echo(f"  {line}")
    for key in document["method"]["keys"]:
        click.echo(f"shared    {key['part']} by {key['basis']}, {key['total']} {key['unit']}")
    for share in document["shares"]:
        who = share["unit"] or "company"
        keys = " + ".join(each for each in (share["key"], share["rest_key"]) if each is not None)
        click.echo(f"  {who:<12} {share['payer']:<8} {keys:>14} {share['amount']:>12}")
    click.echo(f"owners    {sums['owners']}, company {sums['company']}, rest {sums['remainder']}")


@click.group()
def cost() -> None:
    """Enter what documents say that pools cost; a second person approves it."""


@cost.command()
@database_option
@by_option
@click.option("--document", required=True, help="The number of the invoice or receipt.")
@click.argument("community")
@click.argument("pool")
@period_argument
@click.argument("amount")
def enter(url: str, community: str, pool: str, period: datetime, amount: str, **entry: Any) -> None:
    """Enter that POOL of COMMUNITY cost AMOUNT in PERIOD, such as 2026-10."""
    with _changing(url) as connection:
        cost_id = papers.enter_cost(
            connection,
            **_of_pool(connection, community, pool, period),
            amount=to_fen(_number(amount)),
            now=datetime.now(UTC),
            **entry,
        )
    click.echo(f"cost {cost_id}, to be approved by somebody else")


@cost.command()
@database_option
@by_option
@click.argument("cost_id", type=int)
def approve(url: str, cost_id: int, actor: str) -> None:
    """Approve COST_ID, which somebody else has entered."""
    with _changing(url) as connection:
        papers.decide_cost(connection, cost_id, "approved", actor=actor, now=datetime.now(UTC))
    click.echo(f"cost {cost_id} is approved")


@cost.command()
@database_option
@by_option
@click.argument("cost_id", type=int)
def reject(url: str, cost_id: int, actor: str) -> None:
    """Reject COST_ID: it does not count, and stays to be seen."""
    with _changing(url) as connection:
        papers.decide_cost(connection, cost_id, "rejected", actor=actor, now=datetime.now(UTC))
    click.echo(f"cost {cost_id} is rejected")


@click.group()
def loss() -> None:
    """Let losses pass that are outside their band."""


@loss.command(name="approve")
@database_option
@by_option
@reason_option
@click.argument("community")
@click.argument("pool")
@period_argument
@click.argument("lost")
def approve_loss(
    url: str, community: str, pool: str, period: datetime, lost: str, **approval: Any
) -> None:
    """Let POOL of COMMUNITY share a loss of exactly LOST in PERIOD."""
    with _changing(url) as connection:
        papers.approve_loss(
            connection,
            **_of_pool(connection, community, pool, period),
            lost=to_scaled(_number(lost)),
            now=datetime.now(UTC),
            **approval,
        )
    click.echo("It may pass; compute the run again.")


@click.command()
@database_option
@by_option
@reason_option
@click.argument("community")
@click.argument("pool")
@click.argument("from_day", type=click.DateTime(["%Y-%m-%d"]))
def retire(url: str, community: str, pool: str, from_day: datetime, **retirement: Any) -> None:
    """Share POOL of COMMUNITY no more in months that begin on FROM_DAY or later."""
    day: date = from_day.date()
    with _changing(url) as connection:
        definitions.retire_pool(
            connection,
            community_id=_community(connection, community),
            pool=pool,
            from_day=day,
            now=datetime.now(UTC),
            **retirement,
        )
    click.echo(f"pool {pool} is retired from {day} on")


@contextmanager
def _changing(url: str) -> Iterator[Connection]:
    """Open the database for a change, and turn what a user can mend into a message."""
    with opened(url) as database:
        try:
            with database.transaction() as connection:
                yield connection
        except MENDABLE as error:
            raise click.ClickException(str(error)) from error


def _of_pool(connection: Connection, community: str, pool: str, period: datetime) -> dict[str, Any]:
    community_id = _community(connection, community)
    definitions.assert_pool(connection, community_id, pool)
    return {"community_id": community_id, "pool": pool, "period": period.strftime("%Y-%m")}


def _community(connection: Connection, code: str) -> int:
    known = registry.community_ids(connection)
    if code not in known:
        raise registry.UnknownCommunityError(
            f"there is no community {code!r}; known are {', '.join(known) or 'none'}"
        )
    return known[code]


def _number(text: str) -> Decimal:
    number = number_in(text)
    if number is None or not number.is_finite():
        raise click.BadParameter(f"{text!r} is no number")
    return number
