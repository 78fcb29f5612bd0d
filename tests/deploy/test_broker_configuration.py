"""The broker's shipped configuration, run for real: who gets in, and who may say what."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from loopback import HOST, free_port
from mosquitto_server import find_mosquitto
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from required_parts import missing
from server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paho.mqtt.reasoncodes import ReasonCode

DEPLOY = Path(__file__).parents[2] / "deploy"
SHIPPED = DEPLOY / "compose" / "mosquitto"
PATIENCE_S = 10
SILENCE_S = 1.0
"""How long a message that must not come is waited for; one that may come takes milliseconds."""


@dataclass(frozen=True)
class ShippedBroker:
    """A broker with the shipped configuration; its ports by what a client shows there."""

    certificate_port: int
    password_port: int
    tls: Path

    def with_certificate(self, name: str) -> Member:
        """Return a client that shows the certificate of `name`."""
        return Member(self.certificate_port, self.tls, name, None)

    def with_password(self, name: str, password: str | None) -> Member:
        """Return a client that says it is `name`."""
        login = None if password is None else (name, password)
        return Member(self.password_port, self.tls, None, login)


class Member:
    """A client of the broker, connected when it is made."""

    def __init__(
        self, port: int, tls: Path, certificate: str | None, login: tuple[str, str] | None
    ) -> None:
        self.received: list[tuple[str, bytes | bytearray]] = []
        self.came = threading.Event()
        self._answered = threading.Event()
        self._subscribed = threading.Event()
        self.reason: ReasonCode | None = None
        self._client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        context = ssl.create_default_context(cafile=str(tls / "ca.crt"))
        if certificate is not None:
            context.load_cert_chain(tls / f"{certificate}.crt", tls / f"{certificate}.key")
        self._client.tls_set_context(context)
        if login is not None:
            self._client.username_pw_set(*login)
        self._client.on_connect = lambda *told: self._connected(told[3])
        self._client.on_disconnect = lambda *_: self._answered.set()
        self._client.on_message = lambda *told: self._message(told[2])
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect(HOST, port)
        self._client.loop_start()
        self._answered.wait(PATIENCE_S)

    def _connected(self, reason: ReasonCode) -> None:
        self.reason = reason
        self._answered.set()

    def _message(self, message: MQTTMessage) -> None:
        self.received.append((message.topic, message.payload))
        self.came.set()

    @property
    def is_in(self) -> bool:
        return self.reason is not None and not self.reason.is_failure

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic, qos=1)
        assert self._subscribed.wait(PATIENCE_S)

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE_S)

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedBroker]:
    executable = find_mosquitto()
    if executable is None:
        missing.skip("Mosquitto", "mosquitto")
    folder = tmp_path_factory.mktemp("shipped")
    config = folder / "config"
    shutil.copytree(SHIPPED, config)
    (folder / "data").mkdir()
    tls = config / "tls"
    for arguments in (["server", "broker", HOST], ["client", "gateway-main"], ["client", "m-17"]):
        subprocess.run(["sh", DEPLOY / "certificates.sh", tls, *arguments], check=True)
    passwords = config / "passwords"
    passwords.touch(mode=0o600)
    for name in ("wmbusmeters", "m-18"):
        subprocess.run(["mosquitto_passwd", "-b", passwords, name, f"{name} secret"], check=True)
    ports = {8883: free_port(), 8884: free_port()}
    text = (config / "mosquitto.conf").read_text("utf-8").replace("/mosquitto/", f"{folder}/")
    for shipped, port in ports.items():
        text = text.replace(f"listener {shipped}\n", f"listener {port} {HOST}\n")
    if os.geteuid() == 0:
        text += "user root\n"  # or it becomes a user who may not read the key
    (config / "mosquitto.conf").write_text(text, "utf-8")
    server = ServerProcess(
        [executable, "-c", str(config / "mosquitto.conf")], port=ports[8884], log=folder / "log"
    )
    server.start()
    try:
        yield ShippedBroker(ports[8883], ports[8884], tls)
    finally:
        server.stop()


@pytest.fixture
def gateway(broker: ShippedBroker) -> Iterator[Member]:
    member = broker.with_certificate("gateway-main")
    yield member
    member.leave()


def test_a_gateway_with_a_certificate_hears_a_meter_with_a_password(
    broker: ShippedBroker, gateway: Member
) -> None:
    gateway.subscribe("meters/#")
    meter = broker.with_password("m-18", "m-18 secret")

    meter.publish("meters/m-18/state", b'{"total_m3": 1.5}')

    assert gateway.came.wait(PATIENCE_S)
    assert gateway.received == [("meters/m-18/state", b'{"total_m3": 1.5}')]
    meter.leave()


def test_a_meter_cannot_speak_for_another_one(broker: ShippedBroker, gateway: Member) -> None:
    gateway.subscribe("meters/#")
    meter = broker.with_certificate("m-17")

    meter.publish("meters/m-18/state", b"a lie")
    meter.publish("wmbusmeters/m-18", b"a lie")

    assert not gateway.came.wait(SILENCE_S)
    meter.leave()


def test_a_gateway_may_not_write(gateway: Member) -> None:
    gateway.subscribe("meters/#")

    gateway.publish("meters/m-18/state", b"a lie")

    assert not gateway.came.wait(SILENCE_S)


def test_a_receiver_of_wireless_meters_writes_its_branch(
    broker: ShippedBroker, gateway: Member
) -> None:
    gateway.subscribe("wmbusmeters/#")
    receiver = broker.with_password("wmbusmeters", "wmbusmeters secret")

    receiver.publish("wmbusmeters/cold-301", b"{}")

    assert gateway.came.wait(PATIENCE_S)
    receiver.leave()


@pytest.mark.parametrize(("name", "password"), [("m-18", "wrong"), ("m-18", None), ("x", "x")])
def test_nobody_gets_in_without_a_name(
    broker: ShippedBroker, name: str, password: str | None
) -> None:
    stranger = broker.with_password(name, password)

    assert not stranger.is_in
    stranger.leave()


def test_the_door_for_certificates_refuses_a_password(broker: ShippedBroker) -> None:
    stranger = Member(broker.certificate_port, broker.tls, None, ("m-18", "m-18 secret"))

    assert not stranger.is_in
    stranger.leave()


@pytest.mark.parametrize("name", ["a/b", "a+b", "a#", "../x"])
def test_a_name_that_would_be_a_topic_gets_no_certificate(name: str, tmp_path: Path) -> None:
    asked = subprocess.run(
        ["sh", DEPLOY / "certificates.sh", tmp_path, "client", name],
        capture_output=True,
        text=True,
        check=False,
    )

    assert asked.returncode == 2
    assert "letters, digits" in asked.stderr
    assert not list(tmp_path.glob("*.key"))
