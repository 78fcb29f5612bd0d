"""`tallygate simulate` in processes of its own: it says where it listens, and stops cleanly."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
from click.testing import CliRunner
from paho.mqtt.enums import CallbackAPIVersion
from simulator_process import ended, running

from meters.decoding import decode_payload
from simulators.broker import EmbeddedBroker
from simulators.commands import simulate

if TYPE_CHECKING:
    from simulators.fleet import Fleet


def test_the_community_is_printed_for_people_and_for_programs() -> None:
    text = CliRunner().invoke(simulate, ["community", "--seed", "7"])
    assert text.exit_code == 0
    assert "garden-water" in text.output
    assert "bus-b1 unit 15" in text.output
    document = json.loads(CliRunner().invoke(simulate, ["community", "--json"]).output)
    assert len(document["units"]) == 24
    assert document["zone"] == "Asia/Shanghai"
    assert document["units"][0]["area"].count(".") == 1


def test_modbus_meters_answer_and_stop_at_sigterm() -> None:
    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(bytes.fromhex("0001 0000 0006 02 03 0007 0002"))
        answer = await asyncio.wait_for(reader.readexactly(13), 5)
        writer.close()
        await writer.wait_closed()
        return answer

    with running("modbus", "--port", "0", "--seed", "7") as process:
        buses = process.said["buses"]
        assert sorted(buses) == ["bus-b1", "bus-b2", "bus-grounds"]
        answer = asyncio.run(ask(buses["bus-grounds"]["port"]))
        assert answer[:9] == bytes.fromhex("0001 0000 0007 02 03 04")
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (0, "")


def test_a_broker_and_its_meters_work_together_and_stop(fleet: Fleet) -> None:
    with running("broker", "--port", "0", "--port-v5", "0") as broker:
        port = str(broker.said["port"])
        with running("mqtt", "--port", port, "--every", "1", "--seed", "7") as meters:
            assert meters.said["meters"] == 24
            topic, payload = first_message(int(port))
            meter = fleet.meters[topic.removeprefix("wmbusmeters/")]
            assert decode_payload(meter.meter_type, payload).registers["volume"].value
            meters.send_signal(signal.SIGTERM)
            assert ended(meters) == (0, "")
        broker.send_signal(signal.SIGINT)
        assert ended(broker) == (0, "")


def first_message(port: int) -> tuple[str, bytes]:
    received: queue.Queue[paho.MQTTMessage] = queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: received.put(message)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("wmbusmeters/#", qos=1)
    message = received.get(timeout=20)
    client.disconnect()
    client.loop_stop()
    return message.topic, bytes(message.payload)


@pytest.mark.parametrize("command", ["modbus", "broker"])
def test_a_taken_port_is_a_message_and_an_exit_status_and_no_traceback(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with running(command, "--port", str(port)) as process:
            assert process.said is None
            status, errors = ended(process)
    assert status == 1
    assert f"cannot listen on 127.0.0.1:{port}: the port is taken; stop what listens" in errors
    assert "choose another port" in errors
    assert "Traceback" not in errors


def test_a_missing_broker_is_a_message_and_an_exit_status(
    monkeypatch: pytest.MonkeyPatch, free_port: Any
) -> None:
    port = free_port()
    monkeypatch.setattr("simulators.foreground.CONNECT_TIMEOUT_S", 0)
    result = CliRunner().invoke(simulate, ["mqtt", "--port", str(port)])
    assert result.exit_code == 1
    assert f"the MQTT broker at 127.0.0.1:{port} cannot be used" in result.output


@pytest.mark.parametrize("command", ["modbus", "broker"])
def test_a_command_ends_with_its_standard_input_where_it_was_asked_to(command: str) -> None:
    ports = ["--port", "0"] + (["--port-v5", "0"] if command == "broker" else [])
    with running(command, *ports, "--follow-stdin", stdin=subprocess.PIPE) as process:
        process.stdin.close()
        process.stdin = None
        assert ended(process) == (0, "")


def test_the_broker_command_tells_when_its_broker_has_died() -> None:
    with running("broker", "--port", "0", "--port-v5", "0") as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii")
        (child,) = map(int, children.split())
        os.kill(child, signal.SIGKILL)
        status, errors = ended(process)
    assert status == 1
    assert "the broker's process has ended" in errors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('kind = "faults"\n[[fault]]\nmeter = "x"\nkind = "dead"\n', "is not there"),
        ('kind = "faults"\n[[fault]]\nmeter = "x"\n', "fault[1].kind: is missing"),
    ],
)
def test_a_wrong_faults_file_is_told_before_anything_listens(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(text, "utf-8")
    result = CliRunner().invoke(simulate, ["modbus", "--port", "0", "--faults", str(path)])
    assert result.exit_code == 1
    assert message in result.output


def test_a_password_comes_from_the_environment_and_is_never_an_option() -> None:
    output = CliRunner().invoke(simulate, ["mqtt", "--help"]).output
    assert "TALLYGATE_MQTT_PASSWORD" in output
    assert "--password" not in output


def test_the_embedded_broker_is_the_one_that_the_command_runs() -> None:
    with EmbeddedBroker() as broker:
        result = CliRunner().invoke(
            simulate, ["broker", "--port", str(broker.port), "--port-v5", "0"]
        )
    assert result.exit_code == 1
    assert "the MQTT broker (MQTT 3.1.1) cannot listen" in result.output


def test_a_broker_is_down_while_a_fault_says_so_and_has_forgotten_everything(
    tmp_path: Path,
) -> None:
    start = datetime.now(UTC) + timedelta(seconds=4)
    until = start + timedelta(seconds=2)
    path = tmp_path / "faults.toml"
    path.write_text(
        'kind = "faults"\n[[fault]]\nkind = "broker-loss"\n'
        f"from = {start.isoformat()}\nuntil = {until.isoformat()}\n",
        "utf-8",
    )

    def accepts(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def wait(port: int, *, accepting: bool) -> None:
        for _ in range(200):
            if accepts(port) is accepting:
                return
            time.sleep(0.1)
        pytest.fail(f"the broker went on {'refusing' if accepting else 'accepting'}")

    faults = ("--faults", str(path))
    with running("broker", "--port", "0", "--port-v5", "0", *faults) as process:
        port = process.said["port"]
        wait(port, accepting=False)
        wait(port, accepting=True)
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (0, "")
