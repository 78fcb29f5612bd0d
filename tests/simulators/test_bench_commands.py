"""`tallygate simulate meter`: any type, over any way in, and plain words where it cannot be."""

from __future__ import annotations

import queue
import signal
import socket
import struct
import subprocess
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as paho
import pytest
import serial
from click.testing import CliRunner
from paho.mqtt.enums import CallbackAPIVersion
from simulator_process import ended, running

from meters.catalog import shipped
from meters.decoding import decode_identity, decode_image, decode_payload
from meters.frame import crc16, parse_response
from simulators.broker import EmbeddedBroker
from simulators.commands import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TYPES = shipped()
OWN = """
kind = "meter-type"
id = "garage"
name = "Garage meter"
manufacturer = "Own"
medium = "electricity"

[modbus]
function = 3
identity = { address = 100, type = "bcd48" }

[register.import_energy]
kind = "total"
unit = "kWh"
address = 8
type = "bcd32"
scale = "0.1"
max_rate = "25"

[[proof]]
kind = "display"
source = "the display showed 1234.5 kWh"
words = "0001 2345"
expect = { import_energy = "1234.5" }
"""


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as started:
        yield started


def ask_tcp(port: int, unit: int, function: int, address: int, count: int) -> tuple[int, ...]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(struct.pack(">HHHBBHH", 1, 0, 6, unit, function, address, count))
        answer = client.recv(300)
    return struct.unpack(f">{count}H", answer[9:])


def rtu(unit: int, function: int, address: int, count: int) -> bytes:
    body = struct.pack(">BBHH", unit, function, address, count)
    return body + crc16(body).to_bytes(2, "little")


def stopped(process: Any) -> None:
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (0, "")


def test_meters_answer_on_modbus_tcp_from_the_unit_that_was_asked_for() -> None:
    arguments = ("meter", "eastron-sdm630", "--port", "0", "--unit", "246", "--count", "3")
    with running(*arguments) as process:
        first, second = process.said["lines"]
        assert (first["framing"], first["units"], second["units"]) == ("tcp", [246, 247], [1])
        words = ask_tcp(second["port"], 1, 3, 0xFC00, 2)
        assert decode_identity(TYPES["eastron-sdm630"], words) == second["meters"]["meter-3"]
        stopped(process)


def test_meters_answer_rtu_over_tcp() -> None:
    with running("meter", "abb-b23", "--port", "0", "--rtu", "--number", "1234567") as process:
        (line,) = process.said["lines"]
        assert line["framing"] == "rtu"
        assert line["meters"] == {"meter-1": "1234567"}
        register = TYPES["abb-b23"].registers["import_energy"]
        with socket.create_connection(("127.0.0.1", line["port"]), timeout=10) as client:
            client.sendall(rtu(1, 3, register.span.start, 4))
            assert len(parse_response(client.recv(300)).words) == 4
        stopped(process)


def test_meters_answer_on_a_serial_port_by_its_name(tmp_path: Path) -> None:
    link = tmp_path / "ttyMeters"
    arguments = ("meter", "eastron-sdm120", "--pty", "--link", str(link), "--first", "500")
    with running(*arguments) as process:
        assert process.said["device"] == str(link)
        with serial.Serial(str(link), timeout=10) as master:
            master.write(rtu(1, 4, 0x48, 2))
            answer = parse_response(master.read(9))
        image = dict(enumerate(answer.words, start=0x48))
        value = decode_image(TYPES["eastron-sdm120"], image)["import_energy"].value
        assert value is not None
        assert value > 500
        stopped(process)
    assert not link.is_symlink()


@pytest.mark.parametrize(
    ("type_id", "options"),
    [
        ("wmbusmeters-water", ()),
        ("json-electricity", ("--topic", "site/{id}/{number}")),
        ("homie-electricity", ()),
        ("axioma-qalcosonic-w1", ()),
        ("axioma-qalcosonic-w1", ("--envelope", "chirpstack3")),
        ("dragino-sw3l", ("--envelope", "ttn")),
    ],
)
def test_meters_publish_to_a_broker(
    broker: EmbeddedBroker, type_id: str, options: tuple[str, ...]
) -> None:
    where = f"{broker.host}:{broker.port}"
    meter_type = TYPES[type_id]
    with running("meter", type_id, "--mqtt", where, "--every", "1", *options) as process:
        topic = process.said["topics"]["meter-1"]
        decoded = {}
        for message in received(broker, topic, count=max(len(meter_type.topics), 1)):
            subtopic = message.topic[len(topic) + 1 :]
            telegram = decode_payload(meter_type, bytes(message.payload), subtopic=subtopic)
            decoded |= telegram.registers
            if meter_type.states_identity:
                assert telegram.identity == process.said["meters"]["meter-1"]
        assert decoded.keys() == meter_type.registers.keys()
        assert all(found.value is not None for found in decoded.values())
        stopped(process)


def received(broker: EmbeddedBroker, topic: str, count: int) -> list[paho.MQTTMessage]:
    """Return one message of each topic from `topic` on."""
    inbox: queue.Queue[paho.MQTTMessage] = queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: inbox.put(message)
    client.connect(broker.host, broker.port)
    client.loop_start()
    client.subscribe(f"{topic}/#", qos=1)
    found: dict[str, paho.MQTTMessage] = {}
    while len(found) < count:
        message = inbox.get(timeout=20)
        found[message.topic] = message
    client.disconnect()
    client.loop_stop()
    return list(found.values())


@pytest.mark.parametrize("named", ["garage", "file"])
def test_a_type_in_a_folder_of_ones_own_is_simulated(tmp_path: Path, named: str) -> None:
    path = tmp_path / "garage.toml"
    path.write_text(OWN, "utf-8")
    wanted = [str(path)] if named == "file" else ["garage", "--types", str(tmp_path)]
    with running(
        "meter", *wanted, "--port", "0", "--first", "1234.5", "--load", "vacant"
    ) as process:
        (line,) = process.said["lines"]
        digits = "".join(f"{word:04x}" for word in ask_tcp(line["port"], 1, 3, 8, 2))
        assert Decimal(digits) > 12345
        number = "".join(f"{word:04x}" for word in ask_tcp(line["port"], 1, 3, 100, 3))
        assert number == line["meters"]["meter-1"]
        stopped(process)


def test_the_meters_time_may_begin_elsewhere_and_run_faster() -> None:
    def value(*options: str) -> Decimal:
        with running("meter", "eastron-sdm120", "--port", "0", "--first", "0", *options) as process:
            (line,) = process.said["lines"]
            words = ask_tcp(line["port"], 1, 4, 0x48, 2)
            stopped(process)
        image = dict(enumerate(words, start=0x48))
        found = decode_image(TYPES["eastron-sdm120"], image)["import_energy"].value
        assert found is not None
        return found

    early = value("--start", "2025-02-01")
    assert 10 < early < 1_000
    assert value("--start", "2025-02-01", "--speed", "100000000") > early


def test_faults_befall_the_meters_on_the_bench(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(
        'kind = "faults"\n[[fault]]\nmeter = "meter-2"\nkind = "exception"\ncode = 6\n', "utf-8"
    )
    arguments = ("--port", "0", "--count", "2", "--faults", str(path))
    with running("meter", "eastron-sdm120", *arguments) as process:
        (line,) = process.said["lines"]
        assert len(ask_tcp(line["port"], 1, 4, 0x48, 2)) == 2
        with socket.create_connection(("127.0.0.1", line["port"]), timeout=10) as client:
            client.sendall(struct.pack(">HHHBBHH", 1, 0, 6, 2, 4, 0x48, 2))
            assert client.recv(300)[-2:] == b"\x84\x06"
        stopped(process)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eastron"], "there is no meter type 'eastron'; known are eastron-sdm120"),
        (["missing.toml"], "missing.toml"),
        (["eastron-sdm120", "--mqtt", "localhost"], "is read on Modbus and publishes nothing"),
        (["wmbusmeters-water", "--pty"], "publishes to a broker and is not on Modbus"),
        (["wmbusmeters-water", "--mqtt", "localhost:x"], "--mqtt must be a broker such as"),
        (["eastron-sdm120", "--pty", "--count", "248"], "more than one serial line addresses"),
        (["eastron-sdm120", "--first", "many"], "--first must be a number such as 12.5"),
        (["eastron-sdm120", "--leak", "-1"], "--leak must not be negative"),
        (["eastron-sdm120", "--away", "October"], "--away must be 2026-10-01/2026-10-08"),
        (["eastron-sdm120", "--leak-from", "June"], "--leak-from must be a time"),
        (["eastron-sdm120", "--start", "2024-01-01"], "--start: the meters count from 2025-01-06"),
        (["eastron-sdm120", "--zone", "Moon/East"], "no time zone 'Moon/East'"),
        (["eastron-sdm120", "--load", "leak"], "cannot have the load 'leak'"),
    ],
)
def test_what_cannot_be_is_told_in_words_before_anything_listens(
    arguments: list[str], message: str
) -> None:
    result = CliRunner().invoke(simulate, ["meter", *arguments, "--port", "0"])
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())


def test_it_ends_with_its_standard_input_where_it_was_asked_to() -> None:
    arguments = ("meter", "eastron-sdm120", "--port", "0", "--follow-stdin")
    with running(*arguments, stdin=subprocess.PIPE) as process:
        process.stdin.close()
        process.stdin = None
        assert ended(process) == (0, "")
