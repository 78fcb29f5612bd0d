"""`tallygate docs`: write the documents that are generated from the program, or check them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.app import create_app
from api.settings import ApiSettings
from meters.catalog import shipped
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meters.meter_type import MeterType, Register

HEADINGS = {
    "en": {
        "title": "Meter types",
        "intro": "Generated from the files in `meters/catalog/`; each holds a proof.",
        "type": ("Model", "Medium", "Way in", "Also known as"),
        "register": ("register", "kind", "unit", "step", "wraps at", "at most an hour", "where"),
        "proofs": "Proven by",
        "caveats": "Mind",
        "electricity": "electricity",
        "water": "water",
    },
    "zh": {
        "title": "表计类型",
        "intro": "由 `meters/catalog/` 中的文件生成；每个文件都带有验证样例。",
        "type": ("型号", "介质", "接入方式", "别名"),
        "register": ("寄存器", "种类", "单位", "分辨率", "满量程", "每小时上限", "位置"),
        "proofs": "验证依据",
        "caveats": "注意",
        "electricity": "电",
        "water": "水",
    },
}


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
    """Write the generated documents: meter types, commands, API."""
    stale = [path for path, text in _documents(folder) if not _is_fresh(path, text)]
    if check_only and stale:
        raise click.ClickException(
            f"{', '.join(map(str, stale))} is stale; run `tallygate docs` and commit what it writes"
        )
    for path, text in _documents(folder):
        if path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            click.echo(f"wrote {path}")


def _documents(folder: Path) -> Iterator[tuple[Path, str]]:
    yield folder / "meters.md", _catalogue("en")
    yield folder / "meters.zh-CN.md", _catalogue("zh")
    yield folder / "commands.md", _commands()
    yield folder / "openapi.json", _openapi()


def _is_fresh(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def _catalogue(language: str) -> str:
    words = HEADINGS[language]
    lines = [f"# {words['title']}", "", str(words["intro"]), ""]
    lines += _table(words["type"])
    for meter_type in shipped().values():
        medium = str(words[meter_type.medium])
        aliases = ", ".join(meter_type.aliases)
        link = f"[{meter_type.name}](#{meter_type.id})"
        lines.append(_row((link, medium, _way_in(meter_type), aliases)))
    for meter_type in shipped().values():
        lines += ["", f'<a id="{meter_type.id}"></a>', f"## {meter_type.name}", ""]
        lines += [f"`{meter_type.id}` · {meter_type.manufacturer}", ""]
        lines += _table(words["register"])
        lines += [
            _row(_register(name, register)) for name, register in meter_type.registers.items()
        ]
        lines += ["", f"{words['proofs']}:", ""]
        lines += [f"- {proof.source}" for proof in meter_type.proof]
        if meter_type.caveats:
            lines += ["", f"{words['caveats']}:", "", *(f"- {each}" for each in meter_type.caveats)]
    return "\n".join(lines) + "\n"


def _way_in(meter_type: MeterType) -> str:
    access = meter_type.modbus
    return "MQTT (JSON)" if access is None else f"Modbus, function {access.function}"


def _register(name: str, register: Register) -> tuple[str, ...]:
    modulus, rate = register.modulus, register.canonical_max_rate
    where = register.pointer or f"{register.address or 0:#06x} {register.type}"
    return (
        f"`{name}`",
        str(register.kind),
        register.canonical_unit,
        plain(register.smallest_step),
        "" if modulus is None else plain(modulus),
        "" if rate is None else plain(rate),
        f"`{where}`",
    )


def _table(headings: object) -> list[str]:
    columns = tuple(headings) if isinstance(headings, tuple) else ()
    return [_row(columns), _row(("---",) * len(columns))]


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


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
