"""The shared fixtures themselves: real servers come up, survive, and nothing leaves the machine."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import paho.mqtt.client as mqtt
import pytest
from loopback import NetworkForbiddenError, is_loopback, is_open
from paho.mqtt import publish, subscribe
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import NullPool, create_engine, inspect, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from mosquitto_server import MosquittoServer
    from playwright.sync_api import Browser

    from simulators.broker import EmbeddedBroker

TEST_NET = ("192.0.2.1", 80)
"""An address of RFC 5737, which nobody has."""


def test_a_connection_beyond_loopback_is_refused_with_what_to_do() -> None:
    with (
        socket.socket() as endpoint,
        pytest.raises(NetworkForbiddenError, match=r"connect to '192\.0\.2\.1'.*loopback only"),
    ):
        endpoint.connect(TEST_NET)


def test_a_name_lookup_beyond_loopback_is_refused() -> None:
    with pytest.raises(NetworkForbiddenError, match=r"look up 'meters\.example'"):
        socket.getaddrinfo("meters.example", 1883)


def test_a_datagram_beyond_loopback_is_refused() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint,
        pytest.raises(NetworkForbiddenError, match="send to"),
    ):
        endpoint.sendto(b"?", TEST_NET)


def test_asyncio_is_guarded_too() -> None:
    async def connect() -> None:
        await asyncio.open_connection(*TEST_NET)

    with pytest.raises(NetworkForbiddenError):
        asyncio.run(connect())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", ""])
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "0.0.0.0.example", "10.0.0.1"])
def test_other_machines_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_a_free_port_has_no_listener(free_port: Callable[[], int]) -> None:
    assert not is_open(free_port())


def _tables(url: str, *statements: str) -> list[str]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
        return inspect(connection).get_table_names()


def test_each_test_gets_an_empty_postgresql_database(fresh_postgresql_url: str) -> None:
    assert _tables(fresh_postgresql_url) == []
    assert _tables(fresh_postgresql_url, "CREATE TABLE meter (id int)") == ["meter"]


def test_the_next_test_sees_nothing_of_it(fresh_postgresql_url: str) -> None:
    assert _tables(fresh_postgresql_url) == []


def test_the_database_is_postgresql_in_utf_8(postgresql_url: str) -> None:
    engine = create_engine(postgresql_url, poolclass=NullPool)
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW server_encoding")) == "UTF8"


def _connected(server: MosquittoServer, client_id: str) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    client.connect(server.host, server.port)
    client.loop_start()
    return client


def _disconnect(client: mqtt.Client) -> None:
    client.disconnect()
    client.loop_stop()


def test_mosquitto_keeps_a_retained_message_over_a_restart(mosquitto: MosquittoServer) -> None:
    port = mosquitto.port
    publisher = _connected(mosquitto, "publisher")
    publisher.publish("meters/w1", b"12.5", qos=1, retain=True).wait_for_publish(5)
    _disconnect(publisher)

    mosquitto.stop()
    assert not is_open(port)
    mosquitto.start()

    assert mosquitto.port == port
    kept = subscribe.simple("meters/w1", hostname=mosquitto.host, port=port, keepalive=5)
    assert isinstance(kept, mqtt.MQTTMessage)
    assert kept.payload == b"12.5"


def test_the_embedded_broker_carries_a_message(embedded_broker: EmbeddedBroker) -> None:
    host, port = embedded_broker.host, embedded_broker.port
    publish.single("meters/w1", b"7", qos=1, retain=True, hostname=host, port=port, keepalive=5)
    kept = subscribe.simple("meters/w1", hostname=host, port=port, keepalive=5)
    assert isinstance(kept, mqtt.MQTTMessage)
    assert kept.payload == b"7"


def test_mosquitto_can_be_killed_and_started_again(mosquitto: MosquittoServer) -> None:
    mosquitto.kill()
    assert not is_open(mosquitto.port)
    mosquitto.start()
    _disconnect(_connected(mosquitto, "after the kill"))


def test_chromium_renders_chinese_without_a_network(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content("<h1>公摊 0.01 元</h1>")
    assert page.inner_text("h1") == "公摊 0.01 元"
    page.close()
