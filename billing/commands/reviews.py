"""`tallygate billing review`: what validation found, and what a clerk decides about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from billing.commands.opening import database_option, opened
from billing.store import reviews
from billing.vee.reviews import Decision, Review
from meters.estimate import Method
from meters.interval import utc
from meters.quantity import number_in

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., None]


METHODS = tuple(map(str, (Method.INTERPOLATE, Method.LIKE_DAY, Method.PREVIOUS_AVERAGE)))
"""The methods that estimate what nobody read."""


class _Quantity(click.ParamType[Decimal]):
    """An exact number."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> Decimal:
        number = value if isinstance(value, Decimal) else number_in(str(value))
        if number is None or not number.is_finite():
            self.fail(f"{value!r} is no number", param, ctx)
        return number


class _Moment(click.ParamType[datetime]):
    """An instant with its zone."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        try:
            return utc(datetime.fromisoformat(str(value)))
        except ValueError:
            self.fail(f"{value!r} is no time such as 2026-11-01T00:00:00+08:00", param, ctx)


def _about_a_register(command: Command) -> Command:
    """Add what every decision says: of which register, why, and by whom."""
    for option in (
        click.option("--by", "author", required=True, metavar="NAME", help="Who decides."),
        click.option("--reason", required=True, help="Why; it stands in the evidence."),
        click.argument("register"),
        click.argument("point"),
        click.argument("period"),
        click.argument("community"),
        database_option,
    ):
        command = option(command)
    return command


@click.group()
def review() -> None:
    """Look at what validation found in usage, and decide about it."""


@review.command(name="list")
@database_option
@click.option("--community", metavar="CODE", help="Only of this community.")
@click.option("--period", metavar="MONTH", help="Only of this month, such as 2026-10.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(url: str, community: str | None, period: str | None, *, as_json: bool) -> None:
    """List what waits for a decision in runs that are not issued; what blocks comes first."""
    with opened(url) as database, database.snapshot() as connection:
        queue = reviews.queue(connection, community=community, period=period)
    if as_json:
        documents = [
            {"community": code, "period": month, **asdict(item)} for code, month, item in queue
        ]
        click.echo(json.dumps(documents, ensure_ascii=False))
        return
    for code, month, item in queue:
        blocks = "blocks" if item.blocks else "flagged"
        click.echo(f"{code} {month} {item.point} {item.register}: {item.finding} ({blocks})")
        click.echo(f"    {item.text}")
    if not queue:
        click.echo("Nothing waits for a decision.")


@review.command()
@_about_a_register
@click.argument("finding")
def accept(url: str, finding: str, **which: Any) -> None:
    """Bill what REGISTER of POINT counted in PERIOD although validation says FINDING."""
    _decide(url, decision=Decision.ACCEPT, finding=finding, **which)


@review.command()
@_about_a_register
@click.option(
    "--method",
    type=click.Choice(METHODS),
    required=True,
    help="How the register at the end of the period is estimated.",
)
def estimate(url: str, method: str, **which: Any) -> None:
    """Let REGISTER of POINT close PERIOD with an estimate; the next reading corrects it."""
    _decide(url, decision=Decision.ESTIMATE, method=Method(method), **which)


@review.command()
@_about_a_register
@click.option("--value", type=_Quantity(), help="What the register showed, in its unit.")
@click.option("--at", type=_Moment(), help="When it showed that.")
@click.option("--use", type=_Quantity(), help="What the period used, in place of a register.")
def override(
    url: str, value: Decimal | None, at: datetime | None, use: Decimal | None, **which: Any
) -> None:
    """State what REGISTER of POINT showed at an instant of PERIOD, or what PERIOD used."""
    if (value is None) != (at is None) or (value is None) == (use is None):
        raise click.UsageError("state --value and --at, or --use alone")
    if use is not None and use < 0:
        raise click.UsageError(f"a use of {use} cannot be: correct what was billed too much")
    _decide(url, decision=Decision.OVERRIDE, value=value, at=at, use=use, **which)


@review.command()
@_about_a_register
def withdraw(url: str, **which: Any) -> None:
    """Let nothing count any more that was decided about REGISTER of POINT in PERIOD."""
    _decide(url, decision=Decision.WITHDRAW, **which)


def _decide(url: str, community: str, **decided: Any) -> None:
    decision = Review(made_at=datetime.now(UTC), **decided)
    with opened(url) as database, database.transaction() as connection:
        reviews.decide(connection, community, decision)
    click.echo("Decided. It counts when the run of the period is computed again.")
