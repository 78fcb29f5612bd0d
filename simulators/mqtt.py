"""MQTT meters: publish what their types describe, at QoS 1, to any broker."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from simulators.delivery import Delivery
from simulators.faults import FaultPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from types import TracebackType

    from simulators.meter import SimulatedMeter

log = logging.getLogger(__name__)

_QUEUE = 10_000
_RETRY_S = 0.2


class BrokerUnreachableError(ConnectionError):
    """No broker answered, or it refused the client."""


class UnacknowledgedError(ConnectionError):
    """The broker did not acknowledge a message in time; it may have it or not."""


class Publisher:
    """Publishes the messages of `meters` to the broker at `host`:`port` while the block lasts.

    `clock` says what time it is for the meters (UTC). After a lost connection paho connects again
    and sends what was not acknowledged, at most 10,000 messages.
    """

    def __init__(
        self,
        meters: Iterable[SimulatedMeter],
        *,
        host: str,
        port: int,
        clock: Callable[[], datetime],
        plan: FaultPlan | None = None,
        username: str | None = None,
        password: str | None = None,
        connect_timeout_s: int = 10,
    ) -> None:
        self.host = host
        self.port = port
        self.published = 0
        """Messages handed over since the start."""
        self._meters = {meter.id: meter for meter in meters}
        self._clock = clock
        self._plan = FaultPlan() if plan is None else plan
        self._delivery = Delivery()
        self._connect_timeout_s = connect_timeout_s
        self._accepted = threading.Event()
        self._refusal: str | None = None
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311
        )
        self._client.max_queued_messages_set(_QUEUE)
        self._client.on_connect = self._on_connect
        if username is not None:
            self._client.username_pw_set(username, password)

    def connect(self) -> Self:
        """Return once the broker has accepted the client; raise `BrokerUnreachableError`."""
        deadline = time.monotonic() + self._connect_timeout_s
        while True:
            try:
                self._client.connect(self.host, self.port)
                break
            except OSError as error:
                if time.monotonic() >= deadline:
                    raise self._unreachable(error.strerror or str(error)) from error
                time.sleep(_RETRY_S)
        self._client.loop_start()
        if not self._accepted.wait(max(deadline - time.monotonic(), _RETRY_S)):
            self.close()
            # brokers tell a wrong password in words, or close the connection without any
            raise self._unreachable(self._refusal or "it closes the connection, or is no broker")
        return self

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self.connect()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def publish(
        self,
        meters: Iterable[str] | None = None,
        *,
        at: datetime | None = None,
        timeout_s: int = 10,
    ) -> int:
        """Publish a message of each meter of `meters` (by default all), dated `at` (default now).

        Return how many messages the broker has acknowledged, which is all that were sent: raises
        `UnacknowledgedError` otherwise, and `KeyError` for a meter that is not among these.
        """
        handed = [
            info
            for meter in (self._meters if meters is None else meters)
            for info in self._hand_over(self._meters[meter], at or self._clock())
        ]
        deadline = time.monotonic() + timeout_s
        for info in handed:
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                info.wait_for_publish(max(deadline - time.monotonic(), 0))
        acknowledged = sum(
            info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS and info.is_published() for info in handed
        )
        if acknowledged < len(handed):
            raise UnacknowledgedError(
                f"the broker at {self.host}:{self.port} acknowledged {acknowledged} of "
                f"{len(handed)} messages in {timeout_s} s; is it still there?"
            )
        return acknowledged

    def run(self, stop: threading.Event, *, every_s: int) -> None:
        """Publish each meter once in `every_s`, one after the other, until `stop` is set.

        Where that is faster than can be, the next round begins as soon as the last has ended.
        """
        pause_s = every_s / max(len(self._meters), 1)
        due = time.monotonic()
        while not stop.is_set():
            for meter in self._meters.values():
                for info in self._hand_over(meter, self._clock()):
                    if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
                        log.warning("%s: dropped, %d messages wait already", meter.id, _QUEUE)
                due += pause_s
                if stop.wait(max(due - time.monotonic(), 0)):
                    return
            due = max(due, time.monotonic())

    def _hand_over(self, meter: SimulatedMeter, now: datetime) -> list[paho.MQTTMessageInfo]:
        condition = self._plan.next(meter.id, now)
        messages = self._delivery.of(meter.id, meter.messages(now, condition), condition)
        self.published += len(messages)
        return [
            self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)
            for message in messages
        ]

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _p: Any
    ) -> None:
        if reason.is_failure:
            self._refusal = f"it refuses the client: {reason}"
            return
        log.info("connected to %s:%d", client.host, client.port)
        self._accepted.set()

    def _unreachable(self, reason: str) -> BrokerUnreachableError:
        return BrokerUnreachableError(
            f"the MQTT broker at {self.host}:{self.port} cannot be used: {reason}; check address, "
            "port and credentials, or start one with `tallygate simulate broker`"
        )
