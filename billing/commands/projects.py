"""`tallygate project`: the property companies of an installation."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from billing.commands.opening import database_option, opened
from billing.store import projects


@click.group()
def project() -> None:
    """Manage projects: property companies that share an installation and see nothing of each other.

    What is imported, added or keyed without naming one is of the project `default`.
    """


@project.command()
@database_option
@click.option("--by", "actor", required=True, metavar="NAME", help="Who does it.")
@click.argument("code")
@click.argument("name")
def add(*, url: str, actor: str, code: str, name: str) -> None:
    """Add the project CODE, which people know as NAME."""
    try:
        with opened(url) as database, database.transaction() as connection:
            projects.add(connection, code, name, actor=actor, now=datetime.now(UTC))
    except projects.ProjectExistsError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"added {code}")


@project.command("list")
@database_option
def list_projects(*, url: str) -> None:
    """List the projects by code."""
    with opened(url) as database, database.snapshot() as connection:
        for each in projects.listed(connection):
            click.echo(f"{each.code}  {each.name}")
