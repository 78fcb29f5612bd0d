"""`tallygate docs`: write the documents that are generated from the program, or check them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.app import create_app
from api.settings import ApiSettings
from deploy.catalogue_page import catalogue_page
from deploy.guide import guide
from deploy.tariff_page import tariff_page

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command()
@click.option("--check", "check_only", is_flag=True, help="Change nothing; fail if any is stale.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("docs"),
    show_default=True,
    help="Where the documents are.",
)
def docs(*, check_only: bool, folder: Path) -> None:
    """Write the generated documents: meter types, tariffs, guides, commands, API."""
    documents = dict(_documents(folder))
    stale = [path for path, text in documents.items() if not _is_fresh(path, text)]
    if check_only and stale:
        raise click.ClickException(
            f"{', '.join(map(str, stale))} is stale; run `tallygate docs` and commit what it writes"
        )
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(documents[path], encoding="utf-8")
        click.echo(f"wrote {path}")


def _documents(folder: Path) -> Iterator[tuple[Path, str]]:
    yield folder / "meters.md", catalogue_page("en")
    yield folder / "meters.zh-CN.md", catalogue_page("zh")
    yield folder / "tariff-reference.md", tariff_page("en")
    yield folder / "tariff-reference.zh-CN.md", tariff_page("zh")
    for name in ("add-a-meter-type.md", "add-a-meter-type.zh-CN.md"):
        yield folder / name, guide(name)
    yield folder / "commands.md", _commands()
    yield folder / "openapi.json", _openapi()


def _is_fresh(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def _commands() -> str:
    root = click.get_current_context().find_root()
    lines = ["# Commands", "", "Generated from `tallygate --help` and what is below it.", ""]
    for path, command, context in _walk(root.command, "tallygate"):
        lines += [f"## `{path}`", "", "```text", command.get_help(context).rstrip(), "```", ""]
    return "\n".join(lines)


def _openapi() -> str:
    with tempfile.TemporaryDirectory() as empty:
        url = f"sqlite:///{empty}/none.sqlite"
        app = create_app(ApiSettings(database_url=url, archive_url=url))
        app.state.resources.close()
    return json.dumps(app.openapi(), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command, click.Context]]:
    context = click.Context(command, info_name=path, max_content_width=88, terminal_width=88)
    yield path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _walk(inner, f"{path} {name}")
