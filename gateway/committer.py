"""The thread that commits: what buses and broker bring waits in a queue, and is kept in batches.

A batch is one transaction of the spool and ends with the messages' acknowledgement, so that the
cost of a durable write is shared, and nothing is acknowledged before it is durable.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from gateway.backoff import Backoff
from gateway.quarantine import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from gateway.health import Health
    from gateway.intake import Intake

log = logging.getLogger(__name__)

CAPACITY = 10_000
BATCH = 1000
LINGER_S = 0.02
"""How long a batch may wait to become larger."""
LULL_S = 0.002
"""A batch that nothing joins for so long does not wait: the sender may wait for us."""
ROOM_S = 0.02


class Words(NamedTuple):
    """What a device on a bus answered, when: address → word."""

    meter: str
    time: datetime
    image: Mapping[int, int]


class Message(NamedTuple):
    """What came through the broker; `acknowledge` is called once it is durable."""

    topic: str
    payload: bytes
    received_at: datetime
    retained: bool
    acknowledge: Callable[[], None]


Arrival = Words | Message


class Committer:
    """Feeds `intake` from a bounded queue, on a thread of its own.

    `committed` is called on that thread after each batch that holds readings.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        health: Health,
        committed: Callable[[], None],
        capacity: int = CAPACITY,
    ) -> None:
        self._intake = intake
        self._health = health
        self._committed = committed
        self._queue: queue.Queue[Arrival | None] = queue.Queue(capacity)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def offer(self, arrival: Arrival) -> bool:
        """Take `arrival` in, or return False where the queue is full. Any thread may call it."""
        try:
            self._queue.put_nowait(arrival)
        except queue.Full:
            return False
        return True

    async def put(self, arrival: Arrival) -> None:
        """Take `arrival` in as soon as there is room."""
        while not self.offer(arrival):  # noqa: ASYNC110 - the queue is emptied by a thread
            await asyncio.sleep(ROOM_S)

    def stop(self, within_s: float) -> bool:
        """Commit what is queued and end; return False where that took longer than `within_s`."""
        self._stopping.set()
        deadline = time.monotonic() + within_s
        while self._thread.is_alive() and time.monotonic() < deadline:
            try:
                self._queue.put(None, timeout=0.1)
            except queue.Full:
                continue
            break
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            log.error("the spool did not take everything before the stop; see the errors above")
            return False
        return True

    def _run(self) -> None:
        while True:
            batch, is_last = self._collect()
            acknowledge = [ack for ack in map(self._take_in, batch) if ack is not None]
            if not self._commit():
                return
            for each in acknowledge:
                each()
            if is_last:
                return

    def _collect(self) -> tuple[list[Arrival], bool]:
        """Return the next batch, and whether it is the last one."""
        first = self._queue.get()
        if first is None:
            return [], True
        batch: list[Arrival] = [first]
        deadline = time.monotonic() + LINGER_S
        while len(batch) < BATCH and time.monotonic() < deadline:
            try:
                arrival = self._queue.get(timeout=LULL_S)
            except queue.Empty:
                break
            if arrival is None:
                return batch, True
            batch.append(arrival)
        return batch, False

    def _take_in(self, arrival: Arrival) -> Callable[[], None] | None:
        if isinstance(arrival, Words):
            self._intake.words(arrival.meter, arrival.time, arrival.image)
            return None
        try:
            meter = self._intake.payload(
                arrival.topic,
                arrival.payload,
                received_at=arrival.received_at,
                retained=arrival.retained,
            )
        except Exception as error:
            # the loop's edge: a message that finds a bug would be delivered again for ever
            log.exception("a message under %r could not be taken in", arrival.topic)
            self._intake.set_aside(
                arrival.received_at,
                f"mqtt:{arrival.topic}",
                Fault.PAYLOAD,
                f"{type(error).__name__}: {error}; this is a defect of the gateway, report it",
                arrival.payload,
            )
        else:
            if meter is not None:
                self._health.answered(meter, arrival.received_at)
        return arrival.acknowledge

    def _commit(self) -> bool:
        """Commit; try until the disk takes it. Return False where a stop came first."""
        backoff = Backoff(first_s=0.5, longest_s=30.0)
        while True:
            try:
                committed = self._intake.commit()
            except sqlite3.OperationalError as error:
                wait_s = backoff.failed(time.monotonic())
                log.warning(
                    "the spool cannot be written, nothing is acknowledged, next try in %.1f s: %s",
                    wait_s,
                    error,
                )
                if self._stopping.wait(wait_s) and backoff.failures > 1:
                    return False
            else:
                if committed.readings:
                    self._committed()
                return True
