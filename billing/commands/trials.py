"""`tallygate billing try`: what a draft of a tariff would change of a month that is issued."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from billing.commands.opening import database_option, opened
from billing.money import from_fen
from billing.previewing import tariff_tried
from billing.store.frozen import NothingBilledError
from billing.store.registry import UnknownCommunityError
from billing.tariff import load_tariff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from billing.tariff import Tariff
    from billing.what_if.tried import Trial


@click.command(name="try")
@database_option
@click.option("--community", metavar="CODE", required=True, help="Whose month it is.")
@click.option("--period", metavar="MONTH", required=True, help="An issued month, as 2026-10.")
@click.option(
    "--instead-of", metavar="ID", default="", help="The tariff to replace, if its id is another."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("tariff", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def try_(
    *, url: str, community: str, period: str, instead_of: str, as_json: bool, tariff: Path
) -> None:
    """Say what the draft in the file TARIFF would have billed in a month that is issued.

    It is tried on what stands frozen behind that month's lines: per unit and in sum. Nothing is
    stored. Shares of pools, whose supply the tariff may price, stay out of it.
    """
    with opened(url) as database:
        draft = load_tariff(tariff)
        try:
            trial = tariff_tried(
                database, draft, community=community, period=period, instead_of=instead_of
            )
        except UnknownCommunityError as error:
            raise click.ClickException(str(error)) from error
        except NothingBilledError as error:
            hint = " (--instead-of ID)" if error.billed_by else ""
            raise click.ClickException(f"{community}: {error}{hint}") from error
    if as_json:
        about = {"tariff": draft.id, "version": draft.version, "period": period}
        click.echo(json.dumps({**about, **trial.document}, ensure_ascii=False))
        return
    for line in _lines(draft, trial, period):
        click.echo(line)


def _lines(draft: Tariff, trial: Trial, period: str) -> Iterator[str]:
    yield f"{draft.id}, version {draft.version}, tried on {period}, {draft.currency}"
    yield f"{'before':>14}{'now':>14}{'change':>14}  unit"
    for each in trial.changes:
        if each.amount:
            sums = _columns(each.before, each.now)
            yield f"{sums}  {each.holder.unit} ({each.holder.account})"
    yield f"{_columns(trial.before, trial.now)}  all {len(trial.changes)}"
    more = sum(each.amount > 0 for each in trial.changes)
    less = sum(each.amount < 0 for each in trial.changes)
    yield f"{more} pay more, {less} less, {len(trial.changes) - more - less} the same"
    for failed in trial.not_tried:
        yield f"not tried: {failed.holder.unit} ({failed.holder.account}): {failed.why}"


def _columns(before: int, now: int) -> str:
    return "".join(f"{from_fen(fen):>14}" for fen in (before, now, now - before))
