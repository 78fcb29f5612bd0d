"""`tallygate simulate`: meters, a broker, a payment provider, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from meters.definition import DefinitionError
from simulators import foreground
from simulators.bench.commands import meter
from simulators.broker import LOOPBACK, BrokerStartError, EmbeddedBroker
from simulators.community import ModbusAddress, demo_community
from simulators.faults import FaultError, FaultKind, load_faults
from simulators.fleet import Fleet
from simulators.foreground import option
from simulators.framing import RtuFraming, TcpFraming
from simulators.line import Absent, Line
from simulators.modbus import ModbusBus
from simulators.mqtt import BrokerUnreachableError, Publisher
from simulators.ports import ListenError
from simulators.wechat_pay.commands import wechat_pay

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from simulators.community import Community, MqttAddress
    from simulators.faults import Fault, FaultPlan


def _now() -> datetime:
    return datetime.now(UTC)


_seed = option("--seed", type=int, default=1, help="The community that the number stands for.")
_host = option("--host", default=LOOPBACK, help="Address to listen on.")


@click.group()
def simulate() -> None:
    """Simulate meters, a broker and payment providers, for tests and demonstrations."""


@simulate.command()
@_seed
@foreground.json_option
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
    for each in described.meters:
        click.echo(f"  {each.id:14} {each.type_id:18} {_where(each.address)}")


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
@option("--port", type=foreground.PORT, default=1883, help="Port for MQTT 3.1.1; 0 for a free one.")
@option("--port-v5", type=foreground.PORT, default=1884, help="Port for MQTT 5; 0 for a free one.")
@foreground.faults_option
@foreground.json_option
@foreground.follow_option
def broker(
    *,
    host: str,
    port: int,
    port_v5: int,
    faults: Path | None,
    as_json: bool,
    follow_stdin: bool,
) -> None:
    """Run an MQTT broker that keeps messages in memory only."""
    try:
        losses = [
            fault
            for fault in (() if faults is None else load_faults(faults))
            if fault.kind is FaultKind.BROKER_LOSS
        ]
        with (
            foreground.stop_event(follow_stdin=follow_stdin) as stop,
            EmbeddedBroker(host=host, port=port, port_v5=port_v5) as running,
        ):
            where = {"host": host, "port": running.port, "port_v5": running.port_v5}
            text = (
                f"MQTT broker on {host}: port {running.port} for MQTT 3.1.1, "
                f"{running.port_v5} for MQTT 5"
            )
            click.echo(foreground.announcement(where, text, as_json=as_json))
            _keep_up(running, losses, stop)
    except (DefinitionError, ListenError, BrokerStartError) as error:
        raise click.ClickException(str(error)) from error


def _keep_up(running: EmbeddedBroker, losses: list[Fault], stop: threading.Event) -> None:
    """Watch `running` until `stop`; take it down while one of `losses` lasts."""
    while not stop.wait(0.2):
        if any(loss.covers(_now()) for loss in losses):
            running.stop()
            while any(loss.covers(_now()) for loss in losses):
                if stop.wait(0.2):
                    return
            running.start()
        if not running.is_running:
            raise click.ClickException("the broker's process has ended; start it again")


@simulate.command()
@_seed
@_host
@option(
    "--port", type=foreground.PORT, default=5020, help="Port of the first bus; 0 for free ones."
)
@option(
    "--absent",
    type=click.Choice([choice.value for choice in Absent]),
    default=Absent.SILENCE.value,
    help="What answers for a unit that is not there.",
)
@option("--turnaround-ms", type=click.IntRange(0), default=0, help="Time a meter takes to answer.")
@click.option("--rtu", is_flag=True, help="RTU frames over TCP, as transparent gateways carry.")
@foreground.faults_option
@foreground.json_option
@foreground.follow_option
def modbus(
    *,
    seed: int,
    host: str,
    port: int,
    absent: str,
    turnaround_ms: int,
    rtu: bool,
    faults: Path | None,
    as_json: bool,
    follow_stdin: bool,
) -> None:
    """Run the community's Modbus meters, each bus on a port of its own."""
    fleet, plan = _fleet(seed, faults)
    buses = [
        ModbusBus(
            Line(
                bus.id,
                fleet.on_bus(bus.id),
                framing=RtuFraming() if rtu else TcpFraming(),
                plan=plan,
                absent=Absent(absent),
                turnaround_ms=turnaround_ms,
            ),
            clock=_now,
            host=host,
            port=port + number if port else 0,
        )
        for number, bus in enumerate(fleet.community.buses)
    ]
    try:
        with foreground.stop_event(follow_stdin=follow_stdin) as stop:
            asyncio.run(_run_buses(buses, stop, as_json=as_json))
    except ListenError as error:
        raise click.ClickException(str(error)) from error


async def _run_buses(buses: list[ModbusBus], stop: threading.Event, *, as_json: bool) -> None:
    async with AsyncExitStack() as stack:
        for bus in buses:
            await stack.enter_async_context(bus)
        where = {"buses": {bus.line.name: {"host": bus.host, "port": bus.port} for bus in buses}}
        text = "\n".join(
            f"{bus.line.name} on {bus.host}:{bus.port}, "
            f"units {min(bus.line.units)} to {max(bus.line.units)}"
            for bus in buses
        )
        click.echo(foreground.announcement(where, text, as_json=as_json))
        await asyncio.to_thread(stop.wait)


@simulate.command()
@_seed
@option("--host", default=LOOPBACK, help="The broker's address.")
@option("--port", type=foreground.PORT, default=1883, help="The broker's port.")
@option("--every", "every_s", type=click.IntRange(1), default=60, help="Seconds between messages.")
@click.option("--username", help="The broker's user; the password comes from the environment.")
@foreground.faults_option
@foreground.json_option
@foreground.follow_option
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
        password=os.environ.get(foreground.PASSWORD),
        connect_timeout_s=foreground.CONNECT_TIMEOUT_S,
    )
    try:
        with foreground.stop_event(follow_stdin=follow_stdin) as stop, publisher:
            where = {"host": host, "port": port, "meters": len(meters)}
            text = f"{len(meters)} meters publish to {host}:{port}, each every {every_s} s"
            click.echo(foreground.announcement(where, text, as_json=as_json))
            publisher.run(stop, every_s=every_s)
    except BrokerUnreachableError as error:
        raise click.ClickException(str(error)) from error


def _fleet(seed: int, faults: Path | None) -> tuple[Fleet, FaultPlan]:
    fleet = Fleet(demo_community(seed))
    try:
        return fleet, fleet.plan(() if faults is None else load_faults(faults))
    except (DefinitionError, FaultError) as error:
        raise click.ClickException(str(error)) from error


simulate.add_command(meter)
simulate.add_command(wechat_pay)
