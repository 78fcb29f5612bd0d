"""`tallygate meters list`, `new`, `check`, `decode`, `redecode`: types without a meter at hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meters.catalog.answer import (
    AnswerError,
    answer_document,
    answer_lines,
    from_bytes,
    from_frame,
    from_raw,
    from_words,
)
from meters.catalog.choice import UnknownTypeError, chosen_type, known_types
from meters.catalog.data_sheet import WAYS, found, listing, proven, proven_facts, summary
from meters.catalog.draft import check_register, draft, parse_register
from meters.catalog.overlay import overlay_document, overlay_lines, redecoded
from meters.checked import Checked, NothingToCheckError, definition_files, document, lines
from meters.decoding import decode_payload
from meters.definition import DefinitionError
from meters.frame import FrameError
from meters.interval import Interval
from meters.meter_type import Kind
from meters.payload import PayloadError
from meters.proof import load_meter_types
from meters.redecoding import RedecodingError
from meters.words import WordOrder, from_hex, wire_from_hex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meters.decoding import Telegram
    from meters.meter_type import MeterType

FIRST, AFTER = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
TIME = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"])
MEDIA = ("electricity", "water")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
TYPES = click.option(
    "--types",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder with meter types of your own.",
)


class Number(click.ParamType[int]):
    """A whole number, as 72 or 0x0048."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number that `value` writes."""
        try:
            number = value if isinstance(value, int) else int(str(value), 0)
        except ValueError:
            number = -1
        if not 0 <= number <= 0xFFFF:
            self.fail(f"{value!r} is no address or count; write 72 or 0x0048", param, ctx)
        return number


def meter_type_of(wanted: str, folder: Path | None) -> MeterType:
    """Return the type that a person named; raise `ClickException` where there is none."""
    try:
        return chosen_type(wanted, folder)
    except (DefinitionError, UnknownTypeError) as error:
        raise click.ClickException(str(error)) from error


def types_in(folder: Path | None) -> Mapping[str, MeterType]:
    """Return the shipped types and those in `folder`; raise `ClickException` where one fails."""
    try:
        return known_types() if folder is None else known_types(folder)
    except DefinitionError as error:
        raise click.ClickException(str(error)) from error


@click.command("list")
@click.argument("text", default="")
@click.option("--medium", type=click.Choice(MEDIA), help="Only of this medium.")
@click.option("--way", type=click.Choice(WAYS), help="Only those reached so.")
@TYPES
@AS_JSON
def list_types(
    text: str, medium: str | None, way: str | None, folder: Path | None, *, as_json: bool
) -> None:
    """List the meter types that are known.

    With TEXT those whose id, name, maker or other name holds it.
    """
    types = found(types_in(folder).values(), text, medium=medium, way=way)
    if as_json:
        click.echo(json.dumps([summary(each) for each in types], ensure_ascii=False, indent=2))
    elif types:
        click.echo("\n".join(listing(types)))
    if not types:
        raise click.ClickException(
            "no meter type is like that; `tallygate meters list` shows all, and `tallygate meters "
            "new` begins one of your own"
        )


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@AS_JSON
def check(paths: tuple[Path, ...], *, as_json: bool) -> None:
    """Run the proofs of meter types.

    PATHS are files or folders. Says of each register what shows that it is read rightly, or what
    is wrong. Exit status 1 if any does not hold.
    """
    try:
        results = [_checked(path) for path in definition_files(paths)]
    except NothingToCheckError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(document(results), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(lines(results)))
    if any(checked.problems for checked in results):
        raise click.exceptions.Exit(1)


def _checked(path: Path) -> Checked:
    try:
        types = load_meter_types(path)
    except DefinitionError as error:
        return Checked(path, error.problems)
    shows = [line for each in types for line in (each.id, *proven(each))]
    return Checked(path, (), tuple(shows), {"types": [proven_facts(each) for each in types]})


@click.command()
@click.argument("type_", metavar="TYPE")
@click.option("--words", help="Register words as hex: '462a 7521'.")
@click.option("--frame", help="A captured RTU answer as hex, with its CRC.")
@click.option("--at", type=Number(), help="Address of the first word of --words or --frame.")
@click.option("--register", help="The register whose reading keeps --words as raw.")
@click.option(
    "--payload", type=click.File("rb"), help="A file with a message of the broker; - for input."
)
@click.option("--subtopic", default="", help="The topic of --payload, below the meter's.")
@click.option("--bytes", "binary", help="The binary payload of an uplink, as hex.")
@TYPES
@AS_JSON
def decode(type_: str, folder: Path | None, *, as_json: bool, **given: Any) -> None:
    """Say what an answer of a meter means.

    Give what a meter of TYPE answered or sent as one of --words, --frame, --payload and --bytes.
    """
    meter_type = meter_type_of(type_, folder)
    if sum(given[name] is not None for name in ("words", "frame", "payload", "binary")) != 1:
        raise click.UsageError("give one of --words, --frame, --payload and --bytes")
    try:
        answer = _answer(meter_type, **given)
    except (AnswerError, FrameError, PayloadError, ValueError) as error:
        raise click.ClickException(f"it cannot be decoded: {error}") from error
    if as_json:
        shown = answer_document(meter_type, answer)
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(answer_lines(meter_type, answer)))
    if not answer.registers and answer.identity is None:
        raise click.ClickException(f"that is no message of {meter_type.id} that holds readings")


def _answer(
    meter_type: MeterType,
    *,
    words: str | None,
    frame: str | None,
    at: int | None,
    register: str | None,
    payload: Any,
    subtopic: str,
    binary: str | None,
) -> Telegram:
    if register is not None and words is None:
        raise AnswerError("--register says whose raw words --words are; give them too")
    if words is not None and register is not None:
        return from_raw(meter_type, register, from_hex(words))
    if words is not None:
        return from_words(meter_type, from_hex(words), at)
    if frame is not None:
        return from_frame(meter_type, wire_from_hex(frame), at)
    if binary is not None:
        return from_bytes(meter_type, wire_from_hex(binary))
    if meter_type.modbus is not None:
        raise AnswerError(f"{meter_type.id} is on Modbus; give --words or --frame")
    return decode_payload(meter_type, payload.read(), subtopic=subtopic)


@click.command()
@click.argument("archive_url", envvar="TALLYGATE_ARCHIVE_URL")
@click.option("--meter", required=True, help="The meter whose readings are read again.")
@click.option("--type", "type_", metavar="TYPE", required=True, help="The corrected type.")
@click.option(
    "--was",
    metavar="TYPE",
    help="The type by which they were stored; by default the shipped one of the same id.",
)
@click.option("--from", "since", type=TIME, help="First time (UTC).")
@click.option("--to", "until", type=TIME, help="First time (UTC) that is left out.")
@TYPES
@AS_JSON
def redecode(
    archive_url: str,
    meter: str,
    type_: str,
    was: str | None,
    since: datetime | None,
    until: datetime | None,
    folder: Path | None,
    *,
    as_json: bool,
) -> None:
    """Show what stored words say by another type.

    Reads the raw words again that the archive at ARCHIVE_URL keeps of a meter.
    The archive is not changed: what is shown is for a person to enter as a correction. Verdicts
    are given from --from on, as if nothing had been read before.
    """
    # the archive's libraries are large: the other commands do without them
    from meters.archive.open import open_archive  # noqa: PLC0415 - see above
    from meters.archive.protocol import (  # noqa: PLC0415 - see above
        ArchiveUnavailableError,
        ArchiveUrlError,
    )
    from meters.archive.tables import ArchiveSchemaError  # noqa: PLC0415 - see above

    corrected = meter_type_of(type_, folder)
    stored_by = meter_type_of(was or corrected.id, folder if was else None)
    start = FIRST if since is None else since.replace(tzinfo=UTC)
    after = AFTER if until is None else until.replace(tzinfo=UTC)
    if start >= after:
        raise click.ClickException(f"--from {start:%Y-%m-%d} is not before --to {after:%Y-%m-%d}")
    try:
        archive = open_archive(archive_url)
        try:
            span = Interval(start, after)
            found = redecoded(archive, meter, span, stored_by=stored_by, corrected=corrected)
        finally:
            archive.close()
    except (
        ArchiveSchemaError,
        ArchiveUnavailableError,
        ArchiveUrlError,
        RedecodingError,
    ) as error:
        raise click.ClickException(str(error)) from error
    if not (found.overlays or found.untold or found.unchanged):
        raise click.ClickException(
            f"the archive holds no reading of {meter!r} from {start:%Y-%m-%d} to {after:%Y-%m-%d}"
        )
    if as_json:
        click.echo(json.dumps(overlay_document(found), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(overlay_lines(found, stored_by, corrected)))


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--id", "id_", help="Its id; by default the file's name.")
@click.option("--name", help="What people call the model.")
@click.option("--manufacturer", help="Who makes it.")
@click.option("--medium", type=click.Choice(MEDIA))
@click.option("--way", type=click.Choice(WAYS), help="How it is reached.")
@click.option("--function", type=click.Choice(("3", "4")), help="Modbus: holding or input.")
@click.option(
    "--order",
    type=click.Choice([each.value for each in WordOrder]),
    help="Modbus: the order of bytes.",
)
@click.option(
    "--register",
    "registers",
    multiple=True,
    metavar="'NAME KEY=VALUE …'",
    help="A register with the keys of the file: kind, unit, address, pointer, topic or byte, type, "
    "resolution, digits, max_rate.",
)
def new(file: Path, **told: Any) -> None:
    """Begin a meter type in FILE.

    Asks for what no option tells, and leaves proofs to fill in. Where --register tells a register,
    none is asked for. An existing file is left alone.
    """
    if file.suffix != ".toml":
        raise click.ClickException(f"{file}: a meter type is a .toml file; call it {file}.toml")
    if file.exists():
        raise click.ClickException(f"{file} exists, and is left as it is; choose another name")
    head = _asked_head(file, told)
    access = _asked_access(told)
    (way,) = access
    try:
        named = [parse_register(each) for each in told["registers"]] or _asked_registers(way)
    except ValueError as error:
        raise click.ClickException(f"--register: {error}") from error
    try:
        text = draft(head, access, named, str(file))
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as target:
            target.write(text)
    except DefinitionError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from error
    click.echo(f"wrote {file}; fill in its proof, then: tallygate meters check {file}")


def _asked_head(file: Path, told: Mapping[str, Any]) -> dict[str, str]:
    return {
        "id": told["id_"] or file.stem,
        "name": told["name"] or click.prompt("What people call the model"),
        "manufacturer": told["manufacturer"] or click.prompt("Who makes it"),
        "medium": told["medium"] or click.prompt("Medium", type=click.Choice(MEDIA)),
    }


def _asked_access(told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    way = told["way"] or click.prompt("How it is reached", type=click.Choice(WAYS))
    if way != "modbus":
        for name in ("function", "order"):
            if told[name] is not None:
                raise click.ClickException(f"--{name} is for meters on Modbus, not for {way}")
        return {way: {}}
    function = told["function"] or click.prompt(
        "Function code that reads it: 3 holding, 4 input registers", type=click.Choice(("3", "4"))
    )
    order = told["order"] or click.prompt(
        "Order of bytes",
        type=click.Choice([each.value for each in WordOrder]),
        default=str(WordOrder.ABCD),
    )
    return {way: {"function": int(function), "order": str(order)}}


def _asked_registers(way: str) -> list[tuple[str, dict[str, Any]]]:
    registers: list[tuple[str, dict[str, Any]]] = []
    while name := click.prompt("Register, such as import_energy (empty: no more)", default=""):
        try:
            text = " ".join([name, *_asked_register(way)])
            parsed_name, register = parse_register(text)
            registers.append(check_register(parsed_name, register))
        except ValueError as error:
            click.echo(f"  {error}\n  once more, please:")
    return registers


def _asked_register(way: str) -> list[str]:
    """Return key=value of everything that a person says of one register."""
    kind = click.prompt(
        "  Kind", type=click.Choice([each.value for each in Kind]), default=str(Kind.TOTAL)
    )
    told = {"kind": str(kind), "unit": click.prompt("  Unit (kWh, m3, V, W, …)")}
    is_on_wire = way == "modbus"
    if way == "modbus":
        told["address"] = click.prompt("  Address, as on the wire (0x0048)")
    elif way == "lorawan":
        told["byte"] = click.prompt("  First byte in the binary payload (empty: JSON)", default="")
        is_on_wire = bool(told["byte"])
    else:
        told["topic"] = click.prompt("  Topic below the meter's (empty: its own)", default="")
    if is_on_wire:
        told["type"] = click.prompt("  Type (uint32, float32, bcd32, …)")
    else:
        told["pointer"] = click.prompt("  JSON pointer (empty: plain text)", default="")
    told["resolution"] = click.prompt("  The display's smallest step", default="0.01")
    if Kind(kind) is not Kind.GAUGE:
        told["digits"] = click.prompt("  Digits of the display, decimals included", default="")
    if Kind(kind).is_billing:
        told["max_rate"] = click.prompt("  The most that it can count in an hour")
    return [f"{key}={value}" for key, value in told.items() if value]
