"""`tallygate billing`: set up the database, bring in communities and definitions, check runs."""

from __future__ import annotations

import getpass
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from billing.commands.defining import define_pool, define_tariff
from billing.commands.opening import database_option, opened
from billing.commands.pools import cost, loss, retire, statement
from billing.commands.reviews import review
from billing.commands.runs import run
from billing.commands.trials import try_
from billing.commands.units import enter_opening_balance, unit
from billing.importing.commands import export, import_, import_template
from billing.pools.pool import load_pool
from billing.store import registry
from billing.store.verification import verify_run
from billing.tariff import load_tariff
from meters.definition import read_document


@click.group()
def billing() -> None:
    """Set up billing: its database, communities, tariffs and pools."""


@billing.command()
@database_option
def migrate(url: str) -> None:
    """Make or upgrade the tables of the billing database."""
    with opened(url, at_version=False) as database:
        database.migrate()
    click.echo("The billing database is at the newest version.")


@billing.command()
@database_option
@click.option("--by", "actor", metavar="NAME", help="Who does it; else the system's user.")
@click.option("--community", metavar="CODE", help="Whose pools they are; needed for pools.")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
def define(url: str, actor: str | None, community: str | None, paths: tuple[Path, ...]) -> None:
    """Store the tariffs and pools in the files PATHS as new versions."""
    by, now = actor or system_user(), datetime.now(UTC)
    with opened(url) as database, database.transaction() as connection:
        for path in paths:
            if read_document(path).get("kind") != "pool":
                tariff = load_tariff(path)
                define_tariff(connection, tariff, actor=by, now=now)
                click.echo(f"tariff {tariff.id}, version {tariff.version}")
                continue
            known = registry.community_ids(connection)
            if community is None or community not in known:
                raise click.ClickException(
                    f"{path} is a pool: say with --community whose it is; known are "
                    f"{', '.join(known) or 'none'}"
                )
            pool = load_pool(path)
            define_pool(connection, known[community], pool, actor=by, now=now)
            click.echo(f"pool {pool.id}, version {pool.version}")


@billing.command()
@database_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("run_id", type=int)
def verify(url: str, as_json: bool, run_id: int) -> None:
    """Recompute every line of run RUN_ID from its evidence and check that everything adds up."""
    with opened(url) as database, database.snapshot() as connection:
        verified = verify_run(connection, run_id)
    if as_json:
        click.echo(json.dumps(asdict(verified), ensure_ascii=False))
    else:
        click.echo(
            f"{verified.lines} lines recomputed, {verified.statements} statements and "
            f"{verified.usages} usages checked, {verified.audit_entries} audit entries unbroken"
        )
        for failure in verified.failures:
            click.echo(failure, err=True)
    if verified.failures:
        raise SystemExit(1)


def system_user() -> str:
    """Return who the operating system says that runs this: a name, else a number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


for command in (
    export,
    import_,
    import_template,
    review,
    run,
    try_,
    cost,
    loss,
    retire,
    statement,
    unit,
    enter_opening_balance,
):
    billing.add_command(command)
