"""The subscriber. The only file that knows paho-mqtt.

Messages come with QoS 1 in a session that the broker keeps, and are acknowledged by hand after the
spool has committed, so what the broker counts as delivered is on disk. The network thread does
nothing but hand messages on, a parcel at a time, to a bounded queue. Where that is full the thread
waits for a moment, so that the broker waits too; where it stays full the connection is dropped on
purpose, before the keep-alive breaks it, and the broker delivers again what was not acknowledged.

The network loop is ours and not paho's, so that an exception in a callback cannot end it unseen,
and its last turn shows whether it still runs. Other threads only leave it notes: what to
acknowledge, and what to subscribe to from now on.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.backoff import Backoff
from gateway.certificates import client_context, secured
from gateway.committer import Message, Parcel
from gateway.endpoint import Endpoint
from gateway.topics import filters

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from paho.mqtt.client import ConnectFlags, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

    from gateway.health import Health
    from gateway.site import Broker, MqttMeter

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
PARCEL = 250
"""How many messages are handed on together at most."""
FILTERS_A_REQUEST = 500
"""Ten thousand meters' topics in one packet are more than a broker takes."""


class _Client(Client):
    """paho's client, on a socket that reads and writes in large pieces."""

    tls: ssl.SSLContext | None = None

    def _create_socket(self) -> Endpoint:
        connection = self._create_socket_connection()
        if self.tls is not None:
            connection = secured(connection, self.tls, self.host, within_s=CONNECT_TIMEOUT_S)
        return Endpoint(connection)


class Subscriber:
    """Receives for `broker`'s meters, on a thread of its own, and offers parcels to `offer`.

    `offer` returns False where the queue is full. Unknown topics come through `broker.listen`.
    Raises `OSError` where a certificate cannot be read.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        offer: Callable[[Parcel], bool],
        health: Health,
        now: Callable[[], datetime],
    ) -> None:
        self._broker = broker
        self._offer = offer
        self._health = health
        self._now = now
        self._guard = threading.Lock()
        # notes that other threads leave, under the guard
        self._epoch = 0
        self._durable: list[int] = []
        self._wanted = filters(broker.meters, broker.listen)
        # what the network thread alone knows
        self._subscribed_to: set[str] = set()
        self._asked: dict[int | None, list[str]] = {}
        self._arrived: list[Message] = []
        self._mids: list[int] = []
        self._received_at = now()
        self._connected = False
        self._refusal: str | None = None
        self._dropped = False
        self._backoff = Backoff(first_s=0.5, longest_s=60.0)
        # flags that any thread may look at
        self._paused = False
        self._stopping = threading.Event()
        self._last_turn = time.monotonic()
        self._client = self._make_client()
        self._bell, self._rung = socket.socketpair()
        for each in (self._bell, self._rung):
            each.settimeout(0)
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
        """Whether the broker has confirmed what this connection wants, and wants no longer."""
        return self._connected and not self._asked and self._subscribed_to == set(self._wanted)

    def want(self, meters: Sequence[MqttMeter], listen: Sequence[str]) -> None:
        """Receive for `meters` and `listen` from now on, and no longer for others."""
        wanted = filters(meters, listen)
        with self._guard:
            self._wanted = wanted
        self._ring()

    def pause(self) -> None:
        """Take no more messages; those that still come stay unacknowledged with the broker."""
        self._paused = True

    def stop(self, within_s: float) -> None:
        """Send what acknowledgements wait, disconnect and end."""
        self._stopping.set()
        self._ring()
        if self._thread.ident is not None:
            self._thread.join(within_s)
        if not self._thread.is_alive():
            self._bell.close()
            self._rung.close()

    def acknowledge(self, epoch: int, mids: Sequence[int]) -> None:
        """Acknowledge messages of the connection `epoch`, unless that connection is gone.

        Message ids begin anew with a new session, so that a stale acknowledgement would confirm a
        message that was never taken in.
        """
        with self._guard:
            if epoch == self._epoch:
                self._durable += mids
        self._ring()

    def _ring(self) -> None:
        """Wake the network thread; a bell that rings already has no room for more."""
        with suppress(OSError):
            self._bell.send(b"!")

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
        endpoint = self._client.socket()
        if not isinstance(endpoint, Endpoint):
            wait_s = self._backoff.wait_s(time.monotonic())
            if self._stopping.wait(min(wait_s, TURN_S)) or wait_s > TURN_S:
                return
            self._connect()
            return
        code = self._receive(endpoint) if self._wait(endpoint) else 0
        self._send_acknowledgements(endpoint)
        if self._connected:
            self._subscribe()
        code = code or self._client.loop_misc()
        if not code and self._client.want_write():
            code = self._client.loop_write()
        with suppress(OSError):  # it may be closed already; the next read finds out
            endpoint.flush()
        if code:
            hint = "" if self._connected else "; check user name, password and mqtt.protocol"
            self._lost(f"connection lost ({MQTTErrorCode(code).name}){hint}")

    def _wait(self, endpoint: Endpoint) -> bool:
        """Wait until something can be done; return whether something can be read."""
        if endpoint.pending():
            return True
        wait_s = 0 if self._client.want_write() else TURN_S
        poll = select.poll()
        poll.register(self._rung, select.POLLIN)
        poll.register(endpoint, select.POLLIN | (select.POLLOUT if endpoint.has_unsent else 0))
        ready = dict(poll.poll(wait_s * 1000))
        if self._rung.fileno() in ready:
            with suppress(OSError):
                self._rung.recv(4096)
        return bool(ready.get(endpoint.fileno(), 0) & ~select.POLLOUT)

    def _receive(self, endpoint: Endpoint) -> int:
        """Read what is there, at most a parcel, and hand it on; return paho's code."""
        self._received_at = self._now()
        code = self._client.loop_read()
        while not code and len(self._arrived) < PARCEL and endpoint.pending():
            code = self._client.loop_read()
        if self._arrived:
            messages, mids, epoch = self._arrived, self._mids, self._epoch
            self._arrived, self._mids = [], []
            parcel = Parcel(messages, lambda: self.acknowledge(epoch, mids))
            if not self._offer_patiently(parcel, endpoint):
                log.warning("mqtt: too much waits for the spool, the connection is dropped")
                self._drop()
        return code

    def _offer_patiently(self, parcel: Parcel, endpoint: Endpoint) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while not self._offer(parcel):
            if self._paused or time.monotonic() > deadline:
                return False
            self._send_acknowledgements(endpoint)
            time.sleep(0.01)
        return True

    def _send_acknowledgements(self, endpoint: Endpoint) -> None:
        if not self._durable:
            return
        with self._guard:
            mids, self._durable = self._durable, []
        endpoint.acknowledge(mids)
        with suppress(OSError):  # the next turn finds out
            endpoint.flush()

    def _connect(self) -> None:
        self._forget_connection()
        self._dropped = False
        try:
            self._client.reconnect()
        except (OSError, ValueError) as error:
            self._lost(f"cannot connect: {error}")

    def _lost(self, reason: str) -> None:
        self._forget_connection()
        if self._refusal is not None:
            reason = self._refusal
        self._refusal = None
        wait_s = self._backoff.failed(time.monotonic())
        self._health.broker_error = f"{self._broker.host}:{self._broker.port}: {reason}"
        log.warning("mqtt %s; next try in %.1f s", self._health.broker_error, wait_s)

    def _forget_connection(self) -> None:
        with self._guard:
            self._epoch += 1
            self._durable = []
        self._connected = False
        self._subscribed_to = set()
        self._asked = {}
        self._arrived, self._mids = [], []

    def _drop(self) -> None:
        """Break the connection; the loop then sees it as lost. What still comes is not taken."""
        self._dropped = True
        endpoint = self._client.socket()
        if isinstance(endpoint, Endpoint):
            endpoint.shut_down()

    def _disconnect(self) -> None:
        with suppress(OSError, ValueError):
            endpoint = self._client.socket()
            if isinstance(endpoint, Endpoint):
                self._send_acknowledgements(endpoint)
                deadline = time.monotonic() + GOODBYE_S
                while not endpoint.flush() and time.monotonic() < deadline:
                    time.sleep(0.01)
            self._client.disconnect()
            self._client.loop_write()

    def _subscribe(self) -> None:
        """Ask for what is wanted and was not asked for, and give up what is not wanted."""
        wanted = set(self._wanted)
        if wanted == self._subscribed_to:
            return
        for few in _in_parts(sorted(self._subscribed_to - wanted)):
            _, mid = self._client.unsubscribe(few)
            self._asked[mid] = []
        for few in _in_parts(sorted(wanted - self._subscribed_to)):
            _, mid = self._client.subscribe([(each, 1) for each in few])
            self._asked[mid] = few
        self._subscribed_to = wanted

    def _on_connect(
        self,
        _client: Client,
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

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: object,
        mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        for topic, reason in zip(self._asked.pop(mid, []), reasons, strict=False):
            if reason.is_failure:
                self._health.broker_error = f"the broker refuses the subscription to {topic!r}"
                log.error("mqtt: %s: %s", self._health.broker_error, reason)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        if self._paused or self._dropped:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "(a topic that is not UTF-8)"
        self._arrived.append(
            Message(topic, bytes(message.payload), self._received_at, message.retain, message.dup)
        )
        if message.qos:
            self._mids.append(message.mid)

    def _make_client(self) -> Client:
        broker = self._broker
        is_v5 = broker.protocol == "5"
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            clean_session=None if is_v5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.on_connect = self._on_connect
        client.on_subscribe = client.on_unsubscribe = self._on_subscribe
        client.on_message = self._on_message
        # with this set, paho leaves what is to be sent to our loop
        client.on_socket_register_write = lambda *_: None
        client.suppress_exceptions = False
        client.connect_timeout = CONNECT_TIMEOUT_S
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            client.tls = client_context(broker)
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


def _in_parts(topics: list[str]) -> list[list[str]]:
    return [
        topics[start : start + FILTERS_A_REQUEST]
        for start in range(0, len(topics), FILTERS_A_REQUEST)
    ]
