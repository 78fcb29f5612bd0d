"""`tallygate audit`: who did what, and whether the log of it is whole."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from pydantic import BaseModel, ConfigDict, ValidationError

from billing.canonical import canonical_json, read_json
from billing.commands.opening import database_option, opened
from billing.store import audit as log

LISTED = 50


class KeptHead(BaseModel):
    """The file that holds the last entry of a log."""

    model_config = ConfigDict(extra="forbid")

    position: int
    digest: str


@click.group()
def audit() -> None:
    """Show and check the audit log."""


@audit.command()
@database_option
@click.option(
    "--head",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Hold the log against the last entry that this file keeps, then keep the present one "
    "there. Keep the file where whoever changes the database cannot write.",
)
def verify(url: str, path: Path | None) -> None:
    """Check that every entry is what was written, and say the first that is not.

    Without --head, entries that were cut off at the end are not missed.
    """
    kept = None if path is None or not path.exists() else _kept(path)
    with opened(url) as database, database.snapshot() as connection:
        try:
            count = log.verify(connection, head=kept)
        except log.AuditBrokenError as error:
            raise click.ClickException(str(error)) from error
        last = log.last(connection)
    if path is not None:
        _keep(path, last)
    click.echo(f"{count} entries, unbroken; the last digest is {last.digest}")


@audit.command("list")
@database_option
@click.option("--actor", help="Only what this person or client did.")
@click.option("--action", help="Only this, such as run.approve.")
@click.option("--subject", help="Only what was done to this.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=LISTED, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an entry a line.")
def list_entries(
    url: str,
    actor: str | None,
    action: str | None,
    subject: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List entries, the newest first."""
    wanted = log.Wanted(actor=actor, action=action, subject=subject)
    with opened(url) as database, database.snapshot() as connection:
        found = log.entries(connection, wanted, limit=limit)
    for each in found:
        if as_json:
            entry = {**asdict(each), "at": each.at.isoformat(), "detail": read_json(each.detail)}
            click.echo(canonical_json(entry))
        else:
            detail = "" if each.detail == "{}" else f"  {each.detail}"
            click.echo(
                f"{each.position}  {each.at:%Y-%m-%dT%H:%M:%SZ}  {each.actor}  {each.action}  "
                f"{each.subject}{detail}"
            )


def _kept(path: Path) -> log.Head:
    try:
        kept = KeptHead.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise click.ClickException(
            f"{path} holds no last entry of an audit log; name the file that an earlier --head "
            "wrote, or one that does not exist yet"
        ) from error
    return log.Head(kept.position, kept.digest)


def _keep(path: Path, head: log.Head) -> None:
    try:
        path.write_text(json.dumps(asdict(head)) + "\n", "utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
