"""`tallygate check`: load definitions of any kind, run their proofs, say what fails and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from billing.community import load_community
from billing.delivery.gateway import load_gateway
from billing.pools.pool import load_pool
from billing.tariff import load_tariff
from meters.checked import Checked, NothingToCheckError, definition_files, document, lines
from meters.definition import DefinitionError, Problem, read_document
from meters.proof import load_meter_types

if TYPE_CHECKING:
    from collections.abc import Callable

LOADERS: dict[str, Callable[[Path], object]] = {
    "meter-type": load_meter_types,
    "tariff": load_tariff,
    "pool": load_pool,
    "community": load_community,
    "message-gateway": load_gateway,
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(as_json: bool, paths: tuple[Path, ...]) -> None:  # noqa: FBT001  click passes it
    """Check the definitions at PATHS, files or folders: meter types, tariffs, pools, communities.

    Exit status 0 if all of them hold, 1 if any does not.
    """
    try:
        results = [Checked(path, problems_of(path)) for path in definition_files(paths)]
    except NothingToCheckError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(document(results), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(lines(results)))
    if any(checked.problems for checked in results):
        raise SystemExit(1)


def problems_of(path: Path) -> tuple[Problem, ...]:
    """Return everything that is wrong with the definition at `path`."""
    try:
        kind = read_document(path).get("kind")
        loader = LOADERS.get(str(kind))
        if loader is None:
            kinds = ", ".join(LOADERS)
            what = f"is {kind!r}; a definition says at the top which it is: {kinds}"
            return (Problem(str(path), "kind", what),)
        loader(path)
    except DefinitionError as error:
        return error.problems
    return ()
