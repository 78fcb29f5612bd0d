"""`tallygate meters …`: meter types, and the meters on a line, for the engineer beside them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.bench.address import FORMS, parse_address
from gateway.bench.dump import dump as dump_words
from gateway.bench.report import (
    dump_document,
    dump_lines,
    found_document,
    found_lines,
    visit_document,
    visit_lines,
)
from gateway.bench.scan import scan as scan_line
from gateway.bench.visit import visit
from gateway.connection import ModbusConnection
from gateway.modbus import ModbusError, NoAnswerError
from gateway.plan import plan
from meters.catalog.commands import (
    AS_JSON,
    TYPES,
    Number,
    check,
    decode,
    list_types,
    meter_type_of,
    new,
    redecode,
    types_in,
)
from meters.catalog.data_sheet import data_sheet, way_in

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from gateway.bench.scan import FoundUnit
    from gateway.bench.visit import Visit
    from gateway.line import Line
    from meters.meter_type import MeterType

T = TypeVar("T")

LAST_UNIT = 247
DEFAULT_LINE = "9600 8N1"

ADDRESS = click.argument("address")
UNIT = click.option(
    "--unit", type=click.IntRange(1, LAST_UNIT), default=1, show_default=True, help="Its unit id."
)
LINE = click.option(
    "--line", help="How a serial line is set; by default as the type's factory does, or 9600 8N1."
)


@click.group(
    epilog=f"ADDRESS is {FORMS}. Meters are only ever read: function codes 3 and 4, nothing else."
)
def meters() -> None:
    """Look up, make and prove meter types, and read meters on a line with them."""


for _command in (list_types, new, check, decode, redecode):
    meters.add_command(_command)


@meters.command()
@click.argument("type_", metavar="TYPE")
@TYPES
@AS_JSON
def show(type_: str, folder: Path | None, *, as_json: bool) -> None:
    """Show what is known of a meter type.

    What its meters say, how they are reached, and how far that is proven.
    TYPE is an id of the catalogue, a file (own.toml), or a variant in it (own.toml#v2).
    """
    meter_type = meter_type_of(type_, folder)
    requests = _requests(meter_type)
    if as_json:
        shown = meter_type.model_dump(mode="json", by_alias=True, exclude_none=True)
        shown |= {"way": way_in(meter_type), "requests": requests}
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    click.echo("\n".join(data_sheet(meter_type)))
    if requests:
        click.echo(
            f"requests: {requests['billing']} for what bills rest on, {requests['all']} for all"
        )


def _requests(meter_type: MeterType) -> dict[str, int] | None:
    if meter_type.modbus is None:
        return None
    names = {"billing": meter_type.billing_registers, "all": meter_type.registers}
    return {which: len(plan(meter_type, wanted)) for which, wanted in names.items()}


@meters.command()
@ADDRESS
@click.option("--type", "type_", metavar="TYPE", required=True, help="The meter's type.")
@UNIT
@LINE
@click.option(
    "--timeout", type=click.FloatRange(0.01), default=1.0, show_default=True, help="Seconds."
)
@click.option("--identity", help="The number on its plate; another meter's answer is refused.")
@TYPES
@AS_JSON
def read(
    address: str,
    type_: str,
    unit: int,
    line: str | None,
    timeout: float,
    identity: str | None,
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    """Read and judge what a meter says.

    Exit status 1 where it does not answer, bears another number, or what bills rest on cannot be
    trusted.
    """
    meter_type = _on_modbus(meter_type_of(type_, folder))
    if identity is not None and not meter_type.states_identity:
        raise click.ClickException(
            f"{meter_type.id} knows no register with the meter's number, so --identity {identity} "
            "cannot be checked"
        )
    where = _line(address, line, meter_type)

    async def _visit() -> Visit:
        async with ModbusConnection(where, timeout_s=timeout) as connection:
            return await visit(
                connection, unit, meter_type, now=lambda: datetime.now(UTC), expected=identity
            )

    began = time.monotonic()
    found = _run(_visit())
    took_s = time.monotonic() - began
    if as_json:
        shown = visit_document(found, took_s=took_s) | {"unit": unit}
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(visit_lines(found, expected=identity, took_s=took_s)))
    if not found.is_sound:
        raise click.exceptions.Exit(1)


@meters.command()
@ADDRESS
@UNIT
@click.option(
    "--function", type=click.IntRange(3, 4), default=3, show_default=True, help="Function code."
)
@click.option("--start", type=Number(), required=True, help="First address: 72 or 0x0048.")
@click.option("--words", type=Number(), default=2, show_default=True, help="How many words.")
@LINE
@click.option(
    "--timeout", type=click.FloatRange(0.01), default=1.0, show_default=True, help="Seconds."
)
@AS_JSON
def dump(
    address: str,
    unit: int,
    function: int,
    start: int,
    words: int,
    line: str | None,
    timeout: float,
    *,
    as_json: bool,
) -> None:
    """Print words of a meter, and a proof to fill in.

    Each address is shown as several kinds of number that may begin there.
    """
    span = range(start, start + words)
    if not words or span.stop > 0x10000:
        raise click.ClickException(
            f"{words} words from {start:#06x} are none, or go beyond the last address, 0xffff"
        )
    where = _line(address, line)

    async def _dump() -> dict[int, int]:
        async with ModbusConnection(where, timeout_s=timeout) as connection:
            return await dump_words(connection, unit, function, span)

    image = _run(_dump())
    if not image:
        other = 7 - function
        raise click.ClickException(
            f"unit {unit} answers, but has none of these addresses; try --function {other}, or one "
            "address less: some tables count from 1, or write 40001 for address 0"
        )
    if as_json:
        shown = {"unit": unit, "function": function, **dump_document(image, span)}
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(dump_lines(image, span)))


@meters.command()
@ADDRESS
@click.option("--units", default=f"1-{LAST_UNIT}", show_default=True, help="As 1-9 or 1,3,20-30.")
@click.option("--type", "wanted", metavar="TYPE", multiple=True, help="Only these types; repeat.")
@LINE
@click.option(
    "--timeout",
    type=click.FloatRange(0.01),
    default=0.3,
    show_default=True,
    help="Seconds that a silent unit costs.",
)
@TYPES
@AS_JSON
def scan(
    address: str,
    units: str,
    wanted: tuple[str, ...],
    line: str | None,
    timeout: float,
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    """Say which units of a line answer, and like what.

    Types that share a map cannot be told apart: what is named is a guess with its reasons, not a
    proof. Exit status 1 where nobody answers.
    """
    asked = _units(units)
    types = (
        [meter_type_of(each, folder) for each in wanted]
        if wanted
        else list(types_in(folder).values())
    )
    where = _line(address, line, types[0] if len(types) == 1 else None)

    progress = _Progress(len(asked))

    async def _scan() -> list[FoundUnit]:
        found = []
        async with ModbusConnection(where, timeout_s=timeout, settle_s=0.0) as connection:
            async for each in scan_line(connection, asked, types, progress=progress):
                found.append(each)
                progress.make_way()
                if not as_json:
                    click.echo("\n".join(found_lines(each)))
        return found

    found = _run(_scan())
    progress.make_way()
    if as_json:
        click.echo(
            json.dumps([found_document(each) for each in found], ensure_ascii=False, indent=2)
        )
    if not found:
        raise click.ClickException(
            f"none of {len(asked)} units answers at {where}; check the line's settings (--line), "
            "A and B of the cable, and --timeout"
        )


class _Progress:
    """Says on standard error which unit is asked, each tenth where nobody looks on."""

    def __init__(self, count: int) -> None:
        self._place = 0
        self._count = count
        self._is_live = sys.stderr.isatty()

    def __call__(self, unit: int) -> None:
        self._place += 1
        if self._is_live:
            click.echo(f"\runit {unit} ({self._place} of {self._count}) ", err=True, nl=False)
        elif self._place % 10 == 1:
            click.echo(f"unit {unit} ({self._place} of {self._count})", err=True)

    def make_way(self) -> None:
        """Clear the line that says so, before others are written."""
        if self._is_live:
            click.echo("\r\033[K", err=True, nl=False)


def _units(text: str) -> list[int]:
    """Return the units that `text` names, each once, in order."""
    units: set[int] = set()
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            units.update(range(int(first), int(last or first) + 1))
    except ValueError:
        units = set()
    if not units or min(units) < 1 or max(units) > LAST_UNIT:
        raise click.ClickException(
            f"--units {text}: write 1-{LAST_UNIT}, or 1,3,20-30; unit ids go from 1 to {LAST_UNIT}"
        )
    return sorted(units)


def _on_modbus(meter_type: MeterType) -> MeterType:
    if meter_type.modbus is None:
        raise click.ClickException(
            f"{meter_type.id} is not on Modbus: it reports through a broker; give a message of it "
            "to `tallygate meters decode`"
        )
    return meter_type


def _line(address: str, line: str | None, meter_type: MeterType | None = None) -> Line:
    """Return the line at `address`, set as told, as the type's factory does, or as most are."""
    access = None if meter_type is None else meter_type.modbus
    try:
        return parse_address(address, line or (access and access.serial) or DEFAULT_LINE)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except NoAnswerError as error:
        raise click.ClickException(
            f"{error}; check the unit id and the line's settings (--line), and whether a serial "
            "server passes on the bytes as they are (rtu://)"
        ) from error
    except ModbusError as error:
        raise click.ClickException(str(error)) from error
