"""`tallygate bill`: one bill as a bundle that others can check, and the check."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from billing.bundle import LARGEST_BYTES, BundleError, digest_of, sealed
from billing.bundle_check import check_bundle
from billing.commands.opening import database_option, opened
from billing.money import from_fen
from billing.store.views.bundles import bundle_document

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def bill() -> None:
    """One bill: as a bundle that anybody can check, and the check."""


@bill.command()
@database_option
@click.argument("number", metavar="BILL")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
def export(url: str, number: str, path: Path) -> None:
    """Write BILL with all it rests on as a bundle to FILE; neighbours are numbers in it."""
    with opened(url) as database, database.snapshot() as connection:
        document = bundle_document(connection, number)
    if document is None:
        raise click.ClickException(f"there is no bill {number}; numbers are like {NUMBER}")
    file = sealed(document)
    try:
        path.write_bytes(file)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"bill {number} in {path}, {len(file)} bytes, digest {digest_of(document)}")


NUMBER = "osmanthus-2026-10-0001"
"""What the number of a bill looks like."""


@bill.command()
@as_json_option
@click.argument("path", metavar="BUNDLE", type=click.Path(path_type=Path, dir_okay=False))
def verify(as_json: bool, path: Path) -> None:
    """Recompute a bill from the bundle in the file BUNDLE alone, and say what differs.

    It needs no database. A bundle holds if nothing differs and if its digest is the one that the
    property company says.
    """
    try:
        with path.open("rb") as opened_file:
            checked = check_bundle(opened_file.read(LARGEST_BYTES + 1))
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from error
    except BundleError as error:
        raise click.ClickException(f"{path} {error}") from error
    if as_json:
        click.echo(json.dumps(asdict(checked), ensure_ascii=False))
    else:
        click.echo(
            f"bill {checked.bill}, {from_fen(checked.total)} {checked.currency}: {checked.lines} "
            f"lines, {checked.usages} usages and {checked.statements} statements recomputed, "
            f"digest {checked.digest}"
        )
        for difference in checked.differences:
            click.echo(difference, err=True)
        if checked.differences:
            click.echo(f"It does not hold: {len(checked.differences)} differences.")
    if checked.differences:
        raise SystemExit(1)
