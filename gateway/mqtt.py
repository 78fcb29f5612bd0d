"""The subscriber. The only file that knows paho-mqtt.

Messages come with QoS 1 in a session that the broker keeps, and are acknowledged by hand after the
spool has committed, so what the broker counts as delivered is on disk. The network thread does
nothing but put messages into a bounded queue. Where that is full the thread waits for a moment, so
that the broker waits too; where it stays full the connection is dropped on purpose, before the
keep-alive breaks it, and the broker delivers again what was not acknowledged.

The network loop is ours and not paho's, so that an exception in a callback cannot end it unseen,
and its last turn shows whether it still runs.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client, topic_matches_sub
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.backoff import Backoff
from gateway.committer import Message

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from paho.mqtt.client import ConnectFlags, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

    from gateway.health import Health
    from gateway.site import Broker

log = logging.getLogger(__name__)

TURN_S = 0.25
"""How long one turn of the network loop waits for something to happen."""
STALLED_AFTER_S = 30.0
CONNECT_TIMEOUT_S = 5.0
GOODBYE_S = 1.0
PATIENCE_S = 5.0
"""How long a full queue is waited for: as long as the shortest keep-alive."""
SESSION_EXPIRY_S = 30 * 86400
"""How long an MQTT 5 broker keeps messages for a gateway that is away."""
RECEIVE_MAXIMUM = 1000
"""How many unacknowledged messages an MQTT 5 broker may send: one batch."""


class Subscriber:
    """Receives for `broker`'s meters, on a thread of its own, and offers messages to `offer`.

    `offer` returns False where the queue is full. Unknown topics come through `broker.listen`.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        offer: Callable[[Message], bool],
        health: Health,
        now: Callable[[], datetime],
    ) -> None:
        self._broker = broker
        self._offer = offer
        self._health = health
        self._now = now
        self._guard = threading.Lock()
        self._epoch = 0
        self._connected = False
        self._subscribed = False
        self._refusal: str | None = None
        self._paused = False
        self._dropped = False
        self._stopping = threading.Event()
        self._backoff = Backoff(first_s=0.5, longest_s=60.0)
        self._last_turn = time.monotonic()
        self._client = self._make_client()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the network loop turns. A blocked or ended one receives nothing, ever."""
        return self._thread.is_alive() and (
            time.monotonic() - self._last_turn < STALLED_AFTER_S + self._broker.keepalive_s
        )

    @property
    def is_subscribed(self) -> bool:
        """Whether the broker has confirmed the subscriptions of this connection."""
        return self._subscribed

    def pause(self) -> None:
        """Take no more messages; those that still come stay unacknowledged with the broker."""
        self._paused = True

    def stop(self, within_s: float) -> None:
        """Send what acknowledgements wait, disconnect and end."""
        self._stopping.set()
        self._thread.join(within_s)

    def acknowledge(self, epoch: int, mid: int, qos: int) -> None:
        """Acknowledge a message of the connection `epoch`, unless that connection is gone.

        Message ids begin anew with a new session, so that a stale acknowledgement would confirm a
        message that was never taken in.
        """
        with self._guard:
            if epoch == self._epoch:
                self._client.ack(mid, qos)

    # on the network thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._last_turn = time.monotonic()
            try:
                self._turn()
            except Exception:
                # the loop's edge: whatever a packet provokes, the loop goes on
                log.exception("mqtt %s: the connection is dropped", self._broker.host)
                self._drop()
        self._disconnect()

    def _turn(self) -> None:
        if self._client.socket() is None:
            wait_s = self._backoff.wait_s(time.monotonic())
            if self._stopping.wait(min(wait_s, TURN_S)) or wait_s > TURN_S:
                return
            self._connect()
            return
        if code := self._client.loop(TURN_S):
            hint = "" if self._connected else "; check user name, password and mqtt.protocol"
            self._lost(f"connection lost ({code.name}){hint}")

    def _connect(self) -> None:
        with self._guard:
            self._epoch += 1
        self._dropped = False
        try:
            self._client.reconnect()
        except (OSError, ValueError) as error:
            self._lost(f"cannot connect: {error}")

    def _lost(self, reason: str) -> None:
        with self._guard:
            self._epoch += 1
        if self._refusal is not None:
            reason = self._refusal
        self._connected = self._subscribed = False
        self._refusal = None
        wait_s = self._backoff.failed(time.monotonic())
        self._health.broker_error = f"{self._broker.host}:{self._broker.port}: {reason}"
        log.warning("mqtt %s; next try in %.1f s", self._health.broker_error, wait_s)

    def _drop(self) -> None:
        """Break the connection; the loop then sees it as lost. What still comes is not taken."""
        self._dropped = True
        endpoint = self._client.socket()
        if isinstance(endpoint, socket.socket):
            with suppress(OSError):
                endpoint.shutdown(socket.SHUT_RDWR)

    def _disconnect(self) -> None:
        with suppress(OSError, ValueError):
            deadline = time.monotonic() + GOODBYE_S
            while self._client.want_write() and time.monotonic() < deadline:
                if self._client.loop(0.05):
                    break
            self._client.disconnect()
            while self._client.socket() is not None and time.monotonic() < deadline:
                if self._client.loop(0.05):
                    break

    def _on_connect(
        self,
        client: Client,
        _userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refusal = f"the broker refuses the connection: {reason}"
            return
        self._connected = True
        self._backoff.succeeded()
        self._health.broker_error = None
        log.info(
            "mqtt: connected to %s:%d, session %s",
            self._broker.host,
            self._broker.port,
            "resumed" if flags.session_present else "new",
        )
        client.subscribe([(topic, 1) for topic in filters(self._broker)])

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        for topic, reason in zip(filters(self._broker), reasons, strict=False):
            if reason.is_failure:
                self._health.broker_error = f"the broker refuses the subscription to {topic!r}"
                log.error("mqtt: %s: %s", self._health.broker_error, reason)
        self._subscribed = True

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        if self._paused or self._dropped:
            return
        epoch, mid, qos = self._epoch, message.mid, message.qos
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "(a topic that is not UTF-8)"
        arrival = Message(
            topic,
            bytes(message.payload),
            self._now(),
            message.retain,
            lambda: self.acknowledge(epoch, mid, qos),
        )
        if not self._offer_patiently(arrival):
            log.warning("mqtt: too much waits for the spool, the connection is dropped for a while")
            self._drop()

    def _offer_patiently(self, arrival: Message) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while not self._offer(arrival):
            if self._paused or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def _make_client(self) -> Client:
        broker = self._broker
        is_v5 = broker.protocol == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            clean_session=None if is_v5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        # with this set, acknowledgements from other threads are sent by the network thread alone
        client.on_socket_register_write = lambda *_: None
        client.suppress_exceptions = False
        client.connect_timeout = CONNECT_TIMEOUT_S
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            client.tls_set_context(ssl.create_default_context(cafile=broker.ca_file))
        properties = None
        if is_v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho has no annotation
            properties.SessionExpiryInterval = SESSION_EXPIRY_S
            properties.ReceiveMaximum = RECEIVE_MAXIMUM
        client.connect_async(
            broker.host,
            broker.port,
            broker.keepalive_s,
            clean_start=False if is_v5 else MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
        )
        return client


def filters(broker: Broker) -> list[str]:
    """Return the topic filters to subscribe to: no topic that a filter of `listen` covers already.

    A broker may deliver a message once for each of a client's filters that it matches.
    """
    listen = sorted(set(broker.listen))
    topics = {
        meter.topic
        for meter in broker.meters
        if not any(topic_matches_sub(each, meter.topic) for each in listen)
    }
    return [*listen, *sorted(topics)]
