"""A broker that asks for certificates and passwords lets the gateway in, and nobody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from mosquitto_server import MosquittoServer, find_mosquitto
from required_parts import missing

from gateway.committer import Committer
from gateway.health import Health
from gateway.intake import Intake
from gateway.mqtt import Subscriber
from gateway.site import Broker, MqttMeter
from gateway.spool import Spool
from meters.catalog import shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gateway.committer import Message

WATER = shipped()["wmbusmeters-water"]
METER = MqttMeter("w-1", WATER, "wmbusmeters/w-1", "76348799")
NOW = datetime(2026, 10, 3, tzinfo=UTC)

TLS = """
listener {port} 127.0.0.1
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
require_certificate true
tls_version tlsv1.2
allow_anonymous false
password_file {folder}/passwords
log_dest stdout
"""


@dataclass(frozen=True)
class Authority:
    """A certificate authority in `folder`, made for one test."""

    folder: Path

    def make(self) -> None:
        self._openssl("req", "-x509", *self._new("ca"), "-days", "2", "-subj", "/CN=Test CA")

    def certify(self, name: str, *, host: str | None = None) -> None:
        """Make `name`.pem and `name`.key, for a server at `host` or for a client."""
        self._openssl("req", *self._new(name, "csr"), "-subj", f"/CN={name}")
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName = IP:{host}\n" if host else "\n", "utf-8")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
        files = ("-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", str(extensions))
        self._openssl("x509", "-req", *files, *signed)

    def _new(self, name: str, kind: str = "pem") -> tuple[str, ...]:
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        return (*curve, "-keyout", f"{name}.key", "-out", f"{name}.{kind}")

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    if shutil.which("openssl") is None:
        missing.skip("openssl", "openssl")
    made = Authority(tmp_path)
    made.make()
    made.certify("server", host="127.0.0.1")
    made.certify("gateway")
    return made


@pytest.fixture
def broker(authority: Authority) -> Iterator[Broker]:
    """How the gateway is to reach a Mosquitto that trusts the authority alone."""
    executable = find_mosquitto()
    if executable is None or shutil.which("mosquitto_passwd") is None:
        missing.skip("Mosquitto", "mosquitto")
    folder = authority.folder
    passwords = ["mosquitto_passwd", "-b", "-c", str(folder / "passwords"), "north-1", "secret"]
    subprocess.run(passwords, check=True, capture_output=True)
    server = MosquittoServer(executable, folder)
    text = TLS.format(port=server.port, folder=folder)
    if os.geteuid() == 0:
        text += "user root\n"
    (folder / "mosquitto.conf").write_text(text, "utf-8")
    with server:
        yield Broker(
            "127.0.0.1",
            server.port,
            "tallygate-north-1",
            "3.1.1",
            60,
            86400,
            username="north-1",
            password="secret",  # noqa: S106 - of a broker that lives for one test
            tls=True,
            ca_file=folder / "ca.pem",
            cert_file=folder / "gateway.pem",
            key_file=folder / "gateway.key",
            meters=(METER,),
        )


def _until(condition: Callable[[], bool], *, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def _publish(broker: Broker, messages: int) -> None:
    telegrams = b"".join(
        b'{"id":"76348799","total_m3":%d,"max_flow_m3h":0,"timestamp":"%s"}\n'
        % (n, (NOW + timedelta(hours=n)).isoformat().encode())
        for n in range(messages)
    )
    folder = str(broker.ca_file).removesuffix("ca.pem")
    secured = ["--cafile", f"{folder}ca.pem", "--cert", f"{folder}gateway.pem"]
    secured += ["--key", f"{folder}gateway.key", "-u", "north-1", "-P", "secret"]
    where = ["-h", broker.host, "-p", str(broker.port), "-t", METER.topic, "-q", "1", "-l"]
    subprocess.run(["mosquitto_pub", *where, *secured], input=telegrams, check=True)


def test_messages_come_through_tls_and_are_acknowledged(broker: Broker, tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite") as spool:
        health = Health([])
        committer = Committer(Intake(spool, mqtt=[METER]), health=health, committed=lambda: None)
        committer.start()
        subscriber = Subscriber(
            broker, offer=committer.offer, health=health, now=lambda: NOW + timedelta(days=99)
        )
        subscriber.start()
        try:
            _until(lambda: subscriber.is_subscribed)
            _publish(broker, 500)
            _until(lambda: spool.tally().received == 1000)
            assert health.broker_error is None
        finally:
            subscriber.pause()
            assert committer.stop(10)
            subscriber.stop(10)
        spool.conservation()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"cert_file": None, "key_file": None}, "connection lost"),
        ({"password": "guessed"}, "the broker refuses the connection"),
        ({"ca_file": None}, "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_without_what_the_broker_asks_for_nothing_is_received(
    broker: Broker, wrong: dict[str, str | None], says: str
) -> None:
    health = Health([])
    offered: list[Message] = []
    subscriber = Subscriber(
        replace(broker, **wrong),  # type: ignore[arg-type] # each is a key of Broker
        offer=lambda parcel: bool(offered.extend(parcel.messages)) or True,
        health=health,
        now=lambda: NOW,
    )
    subscriber.start()
    try:
        _until(lambda: health.broker_error is not None)
        assert says in (health.broker_error or "")
        assert not subscriber.is_subscribed
        assert subscriber.is_alive
    finally:
        subscriber.stop(10)


@pytest.mark.parametrize(
    ("name", "says"), [("ca_file", "mqtt.ca_file"), ("cert_file", "mqtt.cert_file")]
)
def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path, name: str, says: str) -> None:
    file = tmp_path / "missing.pem"
    broker = Broker("127.0.0.1", 1, "c", "3.1.1", 60, 86400, tls=True)
    wrong = replace(broker, **{name: file})  # type: ignore[arg-type] # a key of Broker
    with pytest.raises(OSError, match=says):
        Subscriber(wrong, offer=lambda _: True, health=Health([]), now=lambda: NOW)
