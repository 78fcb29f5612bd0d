"""`tallygate simulate`: meters and a broker without hardware, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from meters.definition import DefinitionError
from simulators.broker import LOOPBACK, BrokerStartError, EmbeddedBroker
from simulators.community import ModbusAddress, demo_community
from simulators.faults import FaultError, load_faults
from simulators.fleet import Fleet
from simulators.modbus import Absent, ModbusBus
from simulators.mqtt import BrokerUnreachableError, Publisher
from simulators.ports import ListenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulators.community import Community, MqttAddress
    from simulators.faults import FaultPlan

P = ParamSpec("P")
R = TypeVar("R")

CONNECT_TIMEOUT_S = 10
"""How long a broker that was started at the same time may take to come up."""

_PORT = click.IntRange(0, 65535)


def _now() -> datetime:
    return datetime.now(UTC)


def _option(*names: str, **settings: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return click.option(*names, show_default=True, **settings)


_seed = _option("--seed", type=int, default=1, help="The community that the number stands for.")
_host = _option("--host", default=LOOPBACK, help="Address to listen on.")
_faults = click.option(
    "--faults",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A TOML file of faults.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
_follow = click.option(
    "--follow-stdin",
    is_flag=True,
    help="Stop when standard input ends: so a process ends with the one that started it.",
)


@click.group()
def simulate() -> None:
    """Simulate meters and a broker, for tests and demonstrations."""


@simulate.command()
@_seed
@_as_json
def community(*, seed: int, as_json: bool) -> None:
    """Print the community: its units, and where each meter answers."""
    described = demo_community(seed)
    if as_json:
        click.echo(json.dumps(_document(described), ensure_ascii=False))
        return
    click.echo(f"{described.name.zh} · {described.name.en} (seed {seed})")
    for unit in described.units:
        state = "vacant" if unit.vacant else f"{unit.persons} registered"
        click.echo(f"  {unit.id:8} {unit.area:>7} m²  {state:10} {unit.owner.zh} {unit.owner.en}")
    for meter in described.meters:
        click.echo(f"  {meter.id:14} {meter.type_id:18} {_where(meter.address)}")


def _where(address: ModbusAddress | MqttAddress) -> str:
    if isinstance(address, ModbusAddress):
        return f"{address.bus} unit {address.unit_id}"
    return f"{address.topic} number {address.number}"


def _document(described: Community) -> dict[str, Any]:
    """Return `described` as JSON holds it; areas as text, since they are exact."""
    return {
        **asdict(described),
        "zone": described.zone.key,
        "units": [{**asdict(unit), "area": str(unit.area)} for unit in described.units],
    }


@simulate.command()
@_host
@_option("--port", type=_PORT, default=1883, help="Port for MQTT 3.1.1; 0 for a free one.")
@_option("--port-v5", type=_PORT, default=1884, help="Port for MQTT 5; 0 for a free one.")
@_as_json
@_follow
def broker(*, host: str, port: int, port_v5: int, as_json: bool, follow_stdin: bool) -> None:
    """Run an MQTT broker that keeps messages in memory only."""
    try:
        with (
            _stop_event(follow_stdin=follow_stdin) as stop,
            EmbeddedBroker(host=host, port=port, port_v5=port_v5) as running,
        ):
            where = {"host": host, "port": running.port, "port_v5": running.port_v5}
            _say(
                as_json,
                where,
                f"MQTT broker on {host}: port {running.port} for MQTT 3.1.1, "
                f"{running.port_v5} for MQTT 5",
            )
            while not stop.wait(1):
                if not running.is_running:
                    raise click.ClickException("the broker's process has ended; start it again")
    except (ListenError, BrokerStartError) as error:
        raise click.ClickException(str(error)) from error


@simulate.command()
@_seed
@_host
@_option("--port", type=_PORT, default=5020, help="Port of the first bus; 0 for free ones.")
@_option(
    "--absent",
    type=click.Choice([choice.value for choice in Absent]),
    default=Absent.SILENCE.value,
    help="What answers for a unit that is not there.",
)
@_option("--turnaround-ms", type=click.IntRange(0), default=0, help="Time a meter takes to answer.")
@_faults
@_as_json
@_follow
def modbus(
    *,
    seed: int,
    host: str,
    port: int,
    absent: str,
    turnaround_ms: int,
    faults: Path | None,
    as_json: bool,
    follow_stdin: bool,
) -> None:
    """Run the community's Modbus TCP meters, each bus on a port of its own."""
    fleet, plan = _fleet(seed, faults)
    buses = [
        ModbusBus(
            bus.id,
            fleet.on_bus(bus.id),
            clock=_now,
            host=host,
            port=port + number if port else 0,
            plan=plan,
            absent=Absent(absent),
            turnaround_ms=turnaround_ms,
        )
        for number, bus in enumerate(fleet.community.buses)
    ]
    try:
        with _stop_event(follow_stdin=follow_stdin) as stop:
            asyncio.run(_run_buses(buses, stop, as_json=as_json))
    except ListenError as error:
        raise click.ClickException(str(error)) from error


async def _run_buses(buses: list[ModbusBus], stop: threading.Event, *, as_json: bool) -> None:
    async with AsyncExitStack() as stack:
        for bus in buses:
            await stack.enter_async_context(bus)
        _say(
            as_json,
            {"buses": {bus.name: {"host": bus.host, "port": bus.port} for bus in buses}},
            "\n".join(
                f"{bus.name} on {bus.host}:{bus.port}, units {min(bus.units)} to {max(bus.units)}"
                for bus in buses
            ),
        )
        await asyncio.to_thread(stop.wait)


@simulate.command()
@_seed
@_option("--host", default=LOOPBACK, help="The broker's address.")
@_option("--port", type=_PORT, default=1883, help="The broker's port.")
@_option("--every", "every_s", type=click.IntRange(1), default=60, help="Seconds between messages.")
@click.option("--username", help="The broker's user; the password comes from the environment.")
@_faults
@_as_json
@_follow
def mqtt(
    *,
    seed: int,
    host: str,
    port: int,
    every_s: int,
    username: str | None,
    faults: Path | None,
    as_json: bool,
    follow_stdin: bool,
) -> None:
    """Publish the community's MQTT meters to a broker.

    A password is read from TALLYGATE_MQTT_PASSWORD.
    """
    fleet, plan = _fleet(seed, faults)
    meters = fleet.on_mqtt()
    publisher = Publisher(
        meters,
        host=host,
        port=port,
        clock=_now,
        plan=plan,
        username=username,
        password=os.environ.get("TALLYGATE_MQTT_PASSWORD"),
        connect_timeout_s=CONNECT_TIMEOUT_S,
    )
    try:
        with _stop_event(follow_stdin=follow_stdin) as stop, publisher:
            _say(
                as_json,
                {"host": host, "port": port, "meters": len(meters)},
                f"{len(meters)} meters publish to {host}:{port}, each every {every_s} s",
            )
            publisher.run(stop, every_s=every_s)
    except BrokerUnreachableError as error:
        raise click.ClickException(str(error)) from error


def _fleet(seed: int, faults: Path | None) -> tuple[Fleet, FaultPlan]:
    fleet = Fleet(demo_community(seed))
    try:
        return fleet, fleet.plan(() if faults is None else load_faults(faults))
    except (DefinitionError, FaultError) as error:
        raise click.ClickException(str(error)) from error


def _say(as_json: bool, document: dict[str, Any], text: str) -> None:
    """Tell that everything is up, at once: a process that started this one waits for the line."""
    click.echo(json.dumps(document) if as_json else text)
    sys.stdout.flush()


@contextmanager
def _stop_event(*, follow_stdin: bool) -> Iterator[threading.Event]:
    """Yield an event that SIGTERM, Ctrl+C or, where asked for, the end of input sets."""
    stop = threading.Event()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    if follow_stdin:
        threading.Thread(target=_wait_for_end_of_input, args=(stop,), daemon=True).start()
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _wait_for_end_of_input(stop: threading.Event) -> None:
    # the file descriptor itself: a buffered reader would hold its lock while the process ends
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()
