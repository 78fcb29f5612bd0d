"""`tallygate simulate meter`: meters of any type, over any way in."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from meters.catalog.choice import UnknownTypeError, chosen_type
from meters.definition import DefinitionError
from meters.interval import Interval
from simulators import foreground
from simulators.bench.meters import Bench, BenchError, on_lines
from simulators.broker import LOOPBACK
from simulators.envelope import Envelope
from simulators.faults import FaultError, FaultPlan, load_faults
from simulators.fleet import plan_for
from simulators.foreground import option
from simulators.framing import RtuFraming, TcpFraming
from simulators.line import LAST_UNIT, Absent, Line
from simulators.load import ANCHOR
from simulators.loads import Load
from simulators.modbus import ModbusBus
from simulators.mqtt import BrokerUnreachableError, Publisher
from simulators.ports import ListenError
from simulators.serial_port import LinkError, SerialMeters

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from meters.meter_type import MeterType
    from simulators.meter import SimulatedMeter

MQTT_PORT = 1883


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How the meters on the bench are reached, as the options say it."""

    host: str
    port: int
    unit: int
    rtu: bool
    pty: bool
    link: Path | None
    mqtt: str | None
    username: str | None
    every_s: int
    absent: str
    turnaround_ms: int
    baud: int
    as_json: bool
    follow_stdin: bool


@click.command()
@click.argument("type_", metavar="TYPE")
@click.option(
    "--types",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder with meter types of your own.",
)
@option("--count", type=click.IntRange(1), default=1, help="How many meters.")
@option("--seed", type=int, default=1, help="Draws loads, numbers and chance.")
@click.option(
    "--load",
    type=click.Choice([load.value for load in Load]),
    help="What stands behind each meter; by default a household, or mixed.",
)
@click.option("--first", metavar="VALUE", help="What the meters showed on 2025-01-06 (kWh, m³).")
@click.option(
    "--away",
    metavar="DAY/DAY",
    multiple=True,
    help="Nobody is at home from the first day to before the second.",
)
@click.option("--leak", metavar="RATE", default="0", help="What runs off each hour (kWh, m³).")
@click.option("--leak-from", metavar="TIME", help="Since when; by default since 2025-01-06.")
@option("--zone", default="Asia/Shanghai", help="Where people get up and go to bed.")
@click.option("--number", help="The meter's own number; by default drawn.")
@option("--host", default=LOOPBACK, help="Address to listen on.")
@option(
    "--port", type=foreground.PORT, default=5020, help="Port of the first line; 0 for free ones."
)
@option("--unit", type=click.IntRange(1, LAST_UNIT), default=1, help="Unit id of the first meter.")
@click.option("--rtu", is_flag=True, help="RTU frames over TCP, as transparent gateways carry.")
@click.option("--pty", is_flag=True, help="RTU on a serial port: prints the device to open.")
@click.option("--link", type=click.Path(path_type=Path), help="A name for that device.")
@click.option("--mqtt", metavar="HOST[:PORT]", help="The broker to publish to.")
@click.option(
    "--username", help=f"The broker's user; its password comes from {foreground.PASSWORD}."
)
@option("--every", "every_s", type=click.IntRange(1), default=60, help="Seconds between messages.")
@click.option("--topic", help="The topic; {id} and {number} stand for the meter's.")
@option(
    "--envelope",
    type=click.Choice([envelope.value for envelope in Envelope]),
    default=Envelope.CHIRPSTACK.value,
    help="The network server of LoRaWAN meters.",
)
@option(
    "--absent",
    type=click.Choice([choice.value for choice in Absent]),
    default=Absent.SILENCE.value,
    help="What answers for a unit that is not there.",
)
@option("--turnaround-ms", type=click.IntRange(0), default=0, help="Time a meter takes to answer.")
@option("--baud", type=click.IntRange(0), default=0, help="Speed of the line; 0 for at once.")
@click.option("--start", metavar="TIME", help="The meters' time at the start; by default now.")
@option("--speed", type=click.IntRange(1), default=1, help="How fast the meters' time goes.")
@foreground.faults_option
@foreground.json_option
@foreground.follow_option
def meter(**options: Any) -> None:
    """Simulate meters of TYPE, an id of the catalogue or a file.

    The meters are called meter-1, meter-2, …, and have the unit ids from --unit on. Modbus meters
    answer on Modbus TCP unless --rtu or --pty is given; the others publish to --mqtt, by default to
    a broker on this machine.
    """
    try:
        meter_type = chosen_type(options.pop("type_"), options.pop("types"))
    except (DefinitionError, UnknownTypeError) as error:
        raise click.ClickException(str(error)) from error
    clock = _clock(options.pop("start"), options.pop("speed"))
    faults: Path | None = options.pop("faults")
    ways = Ways(**{name: options.pop(name) for name in Ways.__dataclass_fields__})
    try:
        meters = _bench(meter_type, **options).meters()
        told = () if faults is None else load_faults(faults)
        plan = plan_for(meters, told, seed=options["seed"])
        if meter_type.modbus is None:
            _publish(meters, ways, clock, plan)
        else:
            _serve(meters, ways, clock, plan)
    except (
        BenchError,
        BrokerUnreachableError,
        DefinitionError,
        FaultError,
        LinkError,
        ListenError,
    ) as error:
        raise click.ClickException(str(error)) from error


def _bench(
    meter_type: MeterType,
    *,
    first: str | None,
    away: tuple[str, ...],
    leak: str,
    leak_from: str | None,
    load: str | None,
    zone: str,
    envelope: str,
    **same: Any,
) -> Bench:
    try:
        place = ZoneInfo(zone)
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise BenchError(f"there is no time zone {zone!r}; one is Asia/Shanghai") from error
    return Bench(
        meter_type=meter_type,
        first=None if first is None else _number(first, "--first"),
        away=tuple(_days(each, place) for each in away),
        leak=_number(leak, "--leak"),
        leak_from=ANCHOR if leak_from is None else _time(leak_from, "--leak-from"),
        load=None if load is None else Load(load),
        zone=place,
        envelope=Envelope(envelope),
        **same,
    )


def _number(text: str, name: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise BenchError(f"{name} must be a number such as 12.5, got {text!r}") from None
    if not number.is_finite() or number < 0:
        raise BenchError(f"{name} must not be negative, got {text!r}")
    return number


def _days(text: str, zone: ZoneInfo) -> Interval:
    try:
        first, after = (date.fromisoformat(day) for day in text.split("/"))
        return Interval(*(datetime(*day.timetuple()[:3], tzinfo=zone) for day in (first, after)))
    except ValueError:
        raise BenchError(f"--away must be 2026-10-01/2026-10-08, got {text!r}") from None


def _time(text: str, name: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BenchError(f"{name} must be a time such as 2026-10-01T00:00Z, got {text!r}") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


def _clock(start: str | None, speed: int) -> Callable[[], datetime]:
    """Return the meters' clock: from `start` on, `speed` times as fast as ours."""
    began = datetime.now(UTC)
    try:
        first = began if start is None else _time(start, "--start")
    except BenchError as error:
        raise click.ClickException(str(error)) from error
    if first < ANCHOR:
        raise click.ClickException(f"--start: the meters count from {ANCHOR:%Y-%m-%d} on")
    return lambda: first + (datetime.now(UTC) - began) * speed


def _serve(
    meters: tuple[SimulatedMeter, ...], ways: Ways, clock: Callable[[], datetime], plan: FaultPlan
) -> None:
    if ways.mqtt is not None:
        raise BenchError(
            f"{meters[0].meter_type.id} is read on Modbus and publishes nothing; leave --mqtt out"
        )
    units = on_lines(meters, ways.unit)
    if ways.pty and len(units) > 1:
        raise BenchError(
            f"{len(meters)} meters from unit {ways.unit} on are more than one serial line addresses"
        )
    lines = [
        Line(
            f"line {place}" if len(units) > 1 else "line",
            on_line,
            framing=RtuFraming() if ways.rtu or ways.pty else TcpFraming(),
            plan=plan,
            absent=Absent(ways.absent),
            turnaround_ms=ways.turnaround_ms,
            baud=ways.baud,
        )
        for place, on_line in enumerate(units, start=1)
    ]
    with foreground.stop_event(follow_stdin=ways.follow_stdin) as stop:
        if ways.pty:
            asyncio.run(_run_serial(lines[0], ways, clock, stop))
        else:
            asyncio.run(_run_ports(lines, ways, clock, stop))


async def _run_serial(
    line: Line, ways: Ways, clock: Callable[[], datetime], stop: threading.Event
) -> None:
    async with SerialMeters(line, clock=clock, link=ways.link) as serial:
        device = str(ways.link or serial.device)
        document = {"device": device, "units": list(line.units), "meters": _numbers(line)}
        text = f"RTU on {device}, {_units(line)}"
        click.echo(foreground.announcement(document, text, as_json=ways.as_json))
        await asyncio.to_thread(stop.wait)


async def _run_ports(
    lines: list[Line], ways: Ways, clock: Callable[[], datetime], stop: threading.Event
) -> None:
    async with AsyncExitStack() as stack:
        ports = [
            await stack.enter_async_context(
                ModbusBus(
                    line,
                    clock=clock,
                    host=ways.host,
                    port=ways.port + place if ways.port else 0,
                )
            )
            for place, line in enumerate(lines)
        ]
        document = {
            "lines": [
                {
                    "host": port.host,
                    "port": port.port,
                    "framing": "rtu" if port.line.framing.is_rtu else "tcp",
                    "units": list(port.line.units),
                    "meters": _numbers(port.line),
                }
                for port in ports
            ]
        }
        text = "\n".join(
            f"{'RTU over TCP' if port.line.framing.is_rtu else 'Modbus TCP'} on "
            f"{port.host}:{port.port}, {_units(port.line)}"
            for port in ports
        )
        click.echo(foreground.announcement(document, text, as_json=ways.as_json))
        await asyncio.to_thread(stop.wait)


def _units(line: Line) -> str:
    first, last = min(line.units), max(line.units)
    return f"unit {first}" if first == last else f"units {first} to {last}"


def _numbers(line: Line) -> dict[str, str]:
    return {each.id: each.number for each in line.meters}


def _publish(
    meters: tuple[SimulatedMeter, ...], ways: Ways, clock: Callable[[], datetime], plan: FaultPlan
) -> None:
    if ways.rtu or ways.pty:
        raise BenchError(
            f"{meters[0].meter_type.id} publishes to a broker and is not on Modbus; leave --rtu "
            "and --pty out"
        )
    host, _, port = (ways.mqtt or LOOPBACK).partition(":")
    if port and not port.isdecimal():
        raise BenchError(f"--mqtt must be a broker such as localhost:1883, got {ways.mqtt!r}")
    publisher = Publisher(
        meters,
        host=host,
        port=int(port or MQTT_PORT),
        clock=clock,
        plan=plan,
        username=ways.username,
        password=os.environ.get(foreground.PASSWORD),
        connect_timeout_s=foreground.CONNECT_TIMEOUT_S,
    )
    with foreground.stop_event(follow_stdin=ways.follow_stdin) as stop, publisher:
        document = {
            "host": host,
            "port": publisher.port,
            "topics": {each.id: each.topic for each in meters},
            "meters": {each.id: each.number for each in meters},
        }
        text = (
            f"{len(meters)} × {meters[0].meter_type.id} to {host}:{publisher.port}, each every "
            f"{ways.every_s} s; the first as {meters[0].topic}, number {meters[0].number}"
        )
        click.echo(foreground.announcement(document, text, as_json=ways.as_json))
        publisher.run(stop, every_s=ways.every_s)
