"""`tallygate check`: load definitions of any kind, run their proofs, say what fails and where."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from billing.community import load_community
from billing.pool import load_pool
from billing.tariff import load_tariff
from meters.definition import DefinitionError, Problem, read_document
from meters.proof import load_meter_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LOADERS: dict[str, Callable[[Path], object]] = {
    "meter-type": load_meter_types,
    "tariff": load_tariff,
    "pool": load_pool,
    "community": load_community,
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(as_json: bool, paths: tuple[Path, ...]) -> None:  # noqa: FBT001  click passes it
    """Check the definitions at PATHS, files or folders: meter types, tariffs, pools, communities.

    Exit status 0 if all of them hold, 1 if any does not.
    """
    results = [(path, problems_of(path)) for path in _files(paths)]
    failing = [path for path, problems in results if problems]
    if as_json:
        document = [
            {"path": str(path), "ok": not problems, "problems": [asdict(each) for each in problems]}
            for path, problems in results
        ]
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        _print(results, failing)
    if failing:
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


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        found = sorted(path.rglob("*.toml")) if path.is_dir() else [path]
        if not found:
            raise click.ClickException(f"{path} holds no .toml file")
        yield from found


def _print(results: Sequence[tuple[Path, tuple[Problem, ...]]], failing: Sequence[Path]) -> None:
    for path, problems in results:
        if not problems:
            click.echo(f"ok    {path}")
        for problem in problems:
            click.echo(f"FAIL  {problem}")
    click.echo(f"{len(results) - len(failing)} of {len(results)} definitions hold")
