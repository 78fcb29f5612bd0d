"""`tallygate billing unit`: what changes of a unit, from which day on, and who holds it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from billing.commands.opening import database_option, opened
from billing.money import InexactMoneyError, to_fen
from billing.store import changes, holders, opening_balance
from billing.store.changes import Change
from billing.store.holders import Shown
from meters.quantity import number_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    Command = Callable[..., None]


class _Day(click.ParamType[date]):
    """A local day."""

    name = "day"

    def convert(self, value: Any, param: Any, ctx: Any) -> date:
        try:
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no day such as 2026-10-15", param, ctx)


class _Stated(click.ParamType[tuple[str, Decimal | None]]):
    """A name and its exact number: `persons=5`; without a number, what is not known any more."""

    name = "name=number"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, Decimal | None]:
        name, equals, text = str(value).partition("=")
        number = number_in(text) if text else None
        if not (name and equals) or (text and (number is None or not number.is_finite())):
            self.fail(f"{value!r} is no name=number such as persons=5", param, ctx)
        return name, number


class _Shown(click.ParamType[tuple[str, str, Decimal]]):
    """What the meter of a point showed: `W-101:volume=30.5`."""

    name = "point:register=number"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str, Decimal]:
        point, _, rest = str(value).rpartition(":")
        register, _, text = rest.partition("=")
        number = number_in(text)
        if not (point and register) or number is None:
            self.fail(f"{value!r} is not as W-101:volume=30.5", param, ctx)
        return point, register, number


def _changing(command: Command) -> Command:
    """Add what every change says: of which unit, since when, why, and by whom."""
    for option in (
        click.option("--by", "actor", required=True, metavar="NAME", help="Who says so."),
        click.option("--reason", required=True, help="Why; it stands in the audit log."),
        click.option("--since", type=_Day(), required=True, help="The first day that it holds."),
        click.argument("unit"),
        click.argument("community"),
        database_option,
    ):
        command = option(command)
    return command


_showing = click.option(
    "--shown",
    type=_Shown(),
    multiple=True,
    help="What a meter showed when that day began, as W-101:volume=30.5; more than once.",
)
_photo = click.option("--photo", metavar="NAME", help="Under what the picture of it is kept.")


@click.group()
def unit() -> None:
    """Change what a unit is billed by from a day on, and who holds it."""


@unit.command(name="set")
@_changing
@click.option(
    "--attribute",
    "attributes",
    type=_Stated(),
    multiple=True,
    help="An attribute such as area=89.5 or persons=5; `persons=` is not known any more.",
)
@click.option("--class", "customer_class", metavar="CLASS", help="Its customer class.")
@click.option("--tariff", "tariffs", multiple=True, help="Its own tariffs, in order.")
@click.option("--tariffs-of-class", is_flag=True, help="Back to the tariffs of its class.")
def set_(
    url: str,
    attributes: tuple[tuple[str, Decimal | None], ...],
    customer_class: str | None,
    tariffs: tuple[str, ...],
    *,
    tariffs_of_class: bool,
    **which: Any,
) -> None:
    """Change attributes, customer class or own tariffs of UNIT in COMMUNITY."""
    if not (attributes or customer_class or tariffs or tariffs_of_class):
        raise click.UsageError("say what changes: --attribute, --class or --tariff")
    if tariffs and tariffs_of_class:
        raise click.UsageError("a unit has its own tariffs or those of its class, not both")

    def change_all(connection: Connection, change: Change) -> None:
        for name, value in attributes:
            changes.set_attribute(connection, change, name, value)
        if customer_class is not None:
            changes.set_class(connection, change, customer_class)
        if tariffs or tariffs_of_class:
            changes.set_tariffs(connection, change, tariffs or None)

    _change(url, change_all, **which)


@unit.command()
@_changing
@click.option("--until", type=_Day(), help="The first day that it is lived in again.")
def vacant(url: str, until: date | None, **which: Any) -> None:
    """Let UNIT be vacant."""
    _change(url, lambda at, change: changes.set_vacant(at, change, until=until), **which)


@unit.command()
@_changing
def occupied(url: str, **which: Any) -> None:
    """Let the vacant UNIT be lived in again."""
    _change(url, changes.set_occupied, **which)


@unit.command(name="move-in")
@_changing
@click.option("--account", "code", required=True, metavar="CODE", help="The holder's account.")
@click.option("--holder", required=True, metavar="NAME", help="Who holds the unit.")
@_showing
@_photo
def move_in(
    url: str, code: str, holder: str, shown: tuple[Any, ...], photo: str | None, **which: Any
) -> None:
    """Let an account hold UNIT; whoever held it before does so no longer."""
    seen = _seen(shown, photo)
    _change(
        url,
        lambda at, change: holders.move_in(at, change, code=code, holder=holder, shown=seen),
        **which,
    )


@unit.command(name="move-out")
@_changing
@_showing
@_photo
def move_out(url: str, shown: tuple[Any, ...], photo: str | None, **which: Any) -> None:
    """Let nobody hold UNIT."""
    seen = _seen(shown, photo)
    _change(url, lambda at, change: holders.move_out(at, change, shown=seen), **which)


@unit.command(name="read")
@_changing
@_showing
@_photo
def read_(url: str, shown: tuple[Any, ...], photo: str | None, **which: Any) -> None:
    """Keep what the meters of UNIT showed when a day began, as a person read it."""
    seen = _seen(shown, photo)
    if not seen:
        raise click.UsageError("say what a meter showed, as --shown W-101:volume=30.5")
    _change(url, lambda at, change: holders.record(at, change, seen), **which)


@click.command(name="opening-balance")
@database_option
@click.option("--by", "actor", required=True, metavar="NAME", help="Who says so.")
@click.option("--reason", required=True, help="Why; it stands in the audit log.")
@click.argument("community")
@click.argument("account")
@click.argument("amount")
def enter_opening_balance(url: str, community: str, account: str, amount: str, **said: str) -> None:
    """Enter what ACCOUNT of COMMUNITY owed before its first bill; below zero: had paid too much."""
    number = number_in(amount)
    try:
        fen = to_fen(number) if number is not None else None
    except InexactMoneyError as error:
        raise click.UsageError(str(error)) from error
    if not fen:
        raise click.UsageError(f"{amount!r} is no amount other than 0, such as 123.45")
    with opened(url) as database, database.transaction() as connection:
        opening_balance.enter(connection, community, account, fen, now=datetime.now(UTC), **said)
    click.echo("Entered.")


def _seen(shown: tuple[tuple[str, str, Decimal], ...], photo: str | None) -> list[Shown]:
    by_point: dict[str, dict[str, Decimal]] = {}
    for point, register, value in shown:
        by_point.setdefault(point, {})[register] = value
    return [Shown(point, registers, photo) for point, registers in by_point.items()]


def _change(url: str, make: Callable[[Connection, Change], None], **said: Any) -> None:
    """Make a change in a transaction, and say which issued months it concerns."""
    change = Change(now=datetime.now(UTC), **said)
    with opened(url) as database, database.transaction() as connection:
        make(connection, change)
        issued = changes.issued_from(connection, change)
    if issued is None:
        click.echo("Changed.")
    else:
        click.echo(
            f"Changed. Bills from {issued} on are issued; a correction bills the difference."
        )
