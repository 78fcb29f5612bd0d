"""`tallygate billing import`, `import-template` and `export`: communities in files, and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from billing.commands.opening import database_option, opened
from billing.importing.report import ImportRefusedError, Place
from billing.importing.sources import read_community
from billing.importing.writing import write_community, write_template
from billing.money import from_fen
from billing.store import opening_balance, projects, registry, whole_community
from billing.store.opening_balance import Said

if TYPE_CHECKING:
    from billing.community import Community
    from billing.database import Database
    from billing.importing.report import Report

_NOBODY = "dry run"
"""Who is named for opening balances that are not kept."""
_xlsx = click.option(
    "--xlsx",
    "file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The workbook to write; one that is there already stays as it is.",
)


@click.command(name="import")
@database_option
@click.option("--dry-run", is_flag=True, help="Say what is wrong and what would come; keep none.")
@click.option(
    "--by", "actor", metavar="NAME", help="Who says what accounts open with, where one does."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
def import_(url: str, dry_run: bool, actor: str | None, as_json: bool, path: Path) -> None:
    """Bring in the community that PATH describes, all of it or nothing.

    PATH is a TOML file, an XLSX workbook (see import-template), or a folder of CSV files that are
    named after the workbook's sheets. Every problem is told with its cell.
    """
    try:
        with opened(url) as database:
            imported = read_community(path)
            community, report = imported.community, imported.report
            said = _said(path, _NOBODY if dry_run else actor)
            _store(database, path, community, report=report, said=said, keep=not dry_run)
    except ImportRefusedError as error:
        _refuse(error.report, path, as_json=as_json)
    if as_json:
        _print_json(path, report, community=community, stored=not dry_run)
        return
    for remark in report.remarks:
        click.echo(f"note: {remark}")
    click.echo(
        f"{community.code}: {len(community.unit)} units, {len(community.point)} points, "
        f"{len(community.account)} accounts" + (" (dry run, nothing is stored)" if dry_run else "")
    )
    if opened_with := opening_balance.stated(community.account):
        count, total = len(opened_with), from_fen(sum(opened_with.values()))
        click.echo(f"{count} accounts open with a balance, {total} in all")


@click.command()
@_xlsx
def import_template(file: Path) -> None:
    """Write an empty workbook with every sheet that an import reads, in Chinese and English."""
    with _new(file) as out:
        write_template(out)
    click.echo(f"wrote {file}")


@click.command()
@database_option
@_xlsx
@click.argument("community")
def export(url: str, file: Path, community: str) -> None:
    """Write the community COMMUNITY as the workbook from which it can be imported again."""
    with opened(url) as database, database.snapshot() as connection:
        known = registry.community_ids(connection)
        if community not in known:
            raise click.ClickException(
                f"no community {community!r}; known are {', '.join(known) or 'none'}"
            )
        read, left_out = whole_community.read(connection, known[community])
    with _new(file) as out:
        write_community(out, read)
    for each in left_out:
        click.echo(f"note: {each}")
    click.echo(f"wrote {file}")


def _said(path: Path, actor: str | None) -> Said | None:
    """Return who answers for what accounts open with: whoever imports the file."""
    if actor is None:
        return None
    return Said(actor, reason=f"import of {path.name}", now=datetime.now(UTC))


def _store(
    database: Database,
    path: Path,
    community: Community,
    *,
    report: Report,
    said: Said | None,
    keep: bool,
) -> None:
    """Store `community`; where not to `keep` it, only find out whether it could be stored."""
    try:
        with database.transaction() as connection, connection.begin_nested() as attempt:
            registry.import_community(connection, community, said=said)
            if not keep:
                attempt.rollback()
    except (
        projects.UnknownProjectError,
        registry.CommunityExistsError,
        registry.MeterTakenError,
    ) as error:
        report.problem(Place(str(path)), str(error))
        raise ImportRefusedError(report) from error


def _refuse(report: Report, path: Path, *, as_json: bool) -> NoReturn:
    if as_json:
        _print_json(path, report, community=None, stored=False)
        raise SystemExit(1)
    count = len(report.problems)
    heading = f"{count} problems, nothing is stored:\n" if count > 1 else ""
    raise click.ClickException(heading + "\n".join(map(str, report.problems)))


def _print_json(path: Path, report: Report, *, community: Community | None, stored: bool) -> None:
    counts: dict[str, Any] = {}
    if community is not None:
        counts = {
            "community": community.code,
            "units": len(community.unit),
            "points": len(community.point),
            "accounts": len(community.account),
            "opening_balances": {
                "accounts": len(opened_with := opening_balance.stated(community.account)),
                "sum": str(from_fen(sum(opened_with.values()))),
            },
        }
    document = {"path": str(path), "stored": stored, **counts, **report.document}
    click.echo(json.dumps(document, ensure_ascii=False))


def _new(file: Path) -> Any:
    try:
        return file.open("xb")
    except FileExistsError:
        raise click.ClickException(f"{file} is there already; name a new file") from None
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from error
