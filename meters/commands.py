"""`tallygate usage`: try any history of a register, as a gateway and a bill would take it."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from meters.catalog.choice import UnknownTypeError, chosen_type
from meters.definition import DefinitionError
from meters.quantity import plain
from meters.reading import Reason, Series, Verdict
from meters.reading_list import ReadingListError, parse_readings
from meters.replay import replay

if TYPE_CHECKING:
    from datetime import datetime

    from meters.meter_type import MeterType, Register
    from meters.reading import Observation
    from meters.replay import Replayed
    from meters.usage import Usage

COLOURS = {Verdict.GOOD: "green", Verdict.SUSPECT: "yellow", Verdict.INVALID: "red"}

WHY = {
    Reason.SENTINEL: "the meter's own pattern for no value",
    Reason.NOT_A_NUMBER: "no number",
    Reason.FALLING: "went down",
    Reason.RATE: "rose faster than it can count",
    Reason.ROLLOVER: "wrapped after its last digit",
    Reason.LATE: "older than the last good one, and contradicts it",
    Reason.NO_SCALE: "its scale factor says nothing that the type knows",
    Reason.RESCALED: "its scale factor is not that of the last good one",
    Reason.OUT_OF_RANGE: "beyond the digits of the counter",
    Reason.AMBIGUOUS: "went down after time enough for any number of turns",
    Reason.UNANSWERED: "goes on from what contradicts the last good one",
    Reason.UNCONFIRMED: "the first, or after a jump",
    Reason.RESTARTED: "readings that agree replaced an unconfirmed one",
    Reason.STUCK: "stands still under load",
    Reason.IDENTITY: "another meter answered",
    Reason.CROSS_CHECK: "contradicts what was read with it",
    Reason.CLOCK: "the clock was not to be trusted",
}
"""Each reason in a few words."""


def _multiplier(context: click.Context, option: click.Parameter, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        what = f"{text!r} is no number above zero; write it as 40 or 37.5"
        raise click.BadParameter(what, context, option)
    return number


@click.command()
@click.argument("readings", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--type", "type_id", required=True, metavar="TYPE", help="The meter's type.")
@click.option("--register", "name", required=True, metavar="R", help="The register that was read.")
@click.option(
    "--multiplier",
    callback=_multiplier,
    default="1",
    metavar="N",
    help="The ratio of the transformers in front of the meter.",
)
@click.option(
    "--types",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder with own types; they go before the shipped ones.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def usage(
    readings: Path,
    type_id: str,
    name: str,
    multiplier: Decimal,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Judge the history in the file READINGS, and print what was used.

    READINGS is CSV with the columns time (ISO 8601 with a zone) and value (in kWh or m3), in the
    order in which the readings came.
    """
    meter_type = _type(type_id, folder)
    register = _register(meter_type, name)
    observations = _observations(readings, Series(readings.stem, name))
    replayed = replay(observations, register, meter_type=type_id, multiplier=multiplier)
    if as_json:
        document = _document(replayed, meter_type, register, name, multiplier)
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        _print(replayed, register)


def _type(type_id: str, folder: Path | None) -> MeterType:
    try:
        return chosen_type(type_id, folder)
    except (DefinitionError, UnknownTypeError) as error:
        raise click.ClickException(str(error)) from error


def _register(meter_type: MeterType, name: str) -> Register:
    if name not in meter_type.registers:
        known = ", ".join(meter_type.billing_registers)
        raise click.ClickException(
            f"{meter_type.id} has no register {name!r}; those that bills may rest on are {known}"
        )
    return meter_type.registers[name]


def _observations(path: Path, series: Series) -> list[Observation]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            observations = parse_readings(lines, series)
    except ReadingListError as error:
        raise click.ClickException(f"{path}: {error}") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{path} is not UTF-8 text; save it as CSV UTF-8") from error
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from error
    if not observations:
        raise click.ClickException(f"{path} lists no reading; write one a line below the columns")
    return observations


def _document(
    replayed: Replayed,
    meter_type: MeterType,
    register: Register,
    name: str,
    multiplier: Decimal,
) -> dict[str, Any]:
    used = replayed.usage
    return {
        "type": meter_type.id,
        "register": name,
        "unit": register.canonical_unit,
        "multiplier": plain(multiplier),
        "start": None if used is None else _instant(used.interval.start),
        "end": None if used is None else _instant(used.interval.end),
        "quantity": None if used is None or used.quantity is None else plain(used.quantity),
        "billable": replayed.is_billable,
        "readings": [
            {
                "time": _instant(each.time),
                "value": None if each.value is None else plain(each.value),
                "verdict": each.verdict.name.lower(),
                "reasons": [str(reason) for reason in each.reasons],
                "later": replayed.later(each),
            }
            for each in replayed.readings
        ],
        "findings": [
            {"kind": type(each).__name__, "text": str(each), "blocks": each.blocks}
            for each in (() if used is None else used.findings)
        ],
        "question": None if replayed.question is None else str(replayed.question),
    }


def _print(replayed: Replayed, register: Register) -> None:
    console = Console(highlight=False)
    console.print(_table(replayed, register.canonical_unit))
    console.print()
    used = replayed.usage
    if used is None:
        console.print("No usage: fewer than two readings stand.", style="bold")
    else:
        _print_usage(console, used)
    if replayed.question is not None:
        console.print(Text("question: ", "yellow") + Text(str(replayed.question)))


def _table(replayed: Replayed, unit: str) -> Table:
    table = Table("Time", box=None, pad_edge=False)
    table.add_column(unit, justify="right")
    table.add_column("Verdict")
    table.add_column("Reasons", overflow="fold")
    for each in replayed.readings:
        reasons = [f"{reason}: {WHY[reason]}" for reason in each.reasons]
        if later := replayed.later(each):
            reasons.append(f"{later} by later ones")
        table.add_row(
            _instant(each.time),
            "" if each.value is None else plain(each.value),
            Text(each.verdict.name.lower(), COLOURS[each.verdict]),
            "; ".join(reasons),
        )
    return table


def _print_usage(console: Console, used: Usage) -> None:
    if used.quantity is None:
        console.print("No usage: what is found below stands in the way.", style="bold")
    else:
        span = f" from {_instant(used.interval.start)} to {_instant(used.interval.end)}"
        console.print(Text(f"Used {plain(used.quantity)} {used.unit}", "bold") + Text(span))
    for segment in used.segments if used.quantity is not None else ():
        opening, closing, modulus = segment.opening.value, segment.closing.value, segment.modulus
        wrapped = f" + {plain(modulus)}" if modulus is not None and closing < opening else ""
        console.print(
            f"  ({plain(closing)} - {plain(opening)}{wrapped}) x {plain(segment.multiplier)}"
            f" = {plain(segment.quantity)}"
        )
    for finding in used.findings:
        label = Text("no bill yet: ", "yellow") if finding.blocks else Text("note: ")
        console.print(label + Text(str(finding)))


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
