"""The thread that commits: what buses and broker bring waits in a queue, and is kept in batches.

A batch is one transaction of the spool and ends with the messages' acknowledgement, so that the
cost of a durable write is shared, and nothing is acknowledged before it is durable. Where the disk
is full nothing is, the buses wait, and an alarm says so until it goes on by itself.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from gateway.backoff import Backoff
from gateway.inbox import Inbox
from gateway.quarantine import Fault
from gateway.quota import SpoolFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from typing import Any

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
SPOOL_ALARM = "spool"

Answer = TypeVar("Answer")


class Words(NamedTuple):
    """What a device on a bus answered, when: address → word. See `Intake.words`."""

    meter: str
    time: datetime
    image: Mapping[int, int]
    now: datetime | None = None
    identity: str | None = None
    trusted: bool = True


class Message(NamedTuple):
    """What came through the broker; `again` says that it may have come before."""

    topic: str
    payload: bytes
    received_at: datetime
    retained: bool
    again: bool = False


class Parcel(NamedTuple):
    """Messages in their order; `acknowledge` is called once they are durable."""

    messages: Sequence[Message]
    acknowledge: Callable[[], None]


class Errand(NamedTuple):
    """Something to be done with the intake, between two batches; then `done` is told."""

    run: Callable[[], Any]
    done: Future[Any]


Arrival = Words | Parcel | Errand


def weight(arrival: Arrival) -> int:
    """Return for how many messages `arrival` counts."""
    return len(arrival.messages) if isinstance(arrival, Parcel) else 1


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
        self._inbox: Inbox[Arrival] = Inbox(capacity, weight=weight)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def offer(self, arrival: Words | Parcel) -> bool:
        """Take `arrival` in, or return False where the queue is full. Any thread may call it."""
        return self._inbox.offer(arrival)

    async def put(self, arrival: Words | Parcel) -> None:
        """Take `arrival` in as soon as there is room."""
        while not self.offer(arrival):  # noqa: ASYNC110 - the queue is emptied by a thread
            await asyncio.sleep(ROOM_S)

    def call(self, run: Callable[[], Answer]) -> Future[Answer]:
        """Have `run` called on the committer's thread, which alone may use the intake.

        What it takes in is durable when the future is done; it raises what `run` raised.
        """
        done: Future[Answer] = Future()
        self._inbox.insist(Errand(run, done))
        return done

    def stop(self, within_s: float) -> bool:
        """Commit what is queued and end; return False where that took longer than `within_s`."""
        self._stopping.set()
        self._inbox.close()
        self._thread.join(within_s)
        if self._thread.is_alive():
            log.error("the spool did not take everything before the stop; see the errors above")
            return False
        return True

    def _run(self) -> None:
        while True:
            batch = self._inbox.collect(BATCH, linger_s=LINGER_S, lull_s=LULL_S)
            if batch is None:
                return
            finish: list[Callable[[], None]] = []
            for arrival in batch:
                if isinstance(arrival, Words):
                    self._take_words(arrival)
                elif isinstance(arrival, Parcel):
                    self._take_messages(arrival.messages)
                    finish.append(arrival.acknowledge)
                else:
                    finish.append(_answered(arrival))
            if not self._commit():
                return
            for each in finish:
                each()

    def _take_words(self, words: Words) -> None:
        self._intake.words(
            words.meter,
            words.time,
            words.image,
            now=words.now,
            identity=words.identity,
            trusted=words.trusted,
        )

    def _take_messages(self, messages: Sequence[Message]) -> None:
        heard: dict[str, datetime] = {}
        for message in messages:
            try:
                meter = self._intake.payload(
                    message.topic,
                    message.payload,
                    received_at=message.received_at,
                    retained=message.retained,
                    again=message.again,
                )
            except Exception as error:
                # the loop's edge: a message that finds a bug would be delivered again for ever
                log.exception("a message under %r could not be taken in", message.topic)
                self._intake.set_aside(
                    message.received_at,
                    f"mqtt:{message.topic}",
                    Fault.PAYLOAD,
                    f"{type(error).__name__}: {error}; this is a defect of the gateway, report it",
                    message.payload,
                )
            else:
                if meter is not None:
                    heard[meter] = message.received_at
        for meter, at in heard.items():
            self._health.answered(meter, at)

    def _commit(self) -> bool:
        """Commit; try until the disk takes it. Return False where a stop came first."""
        backoff = Backoff(first_s=0.5, longest_s=30.0)
        while True:
            try:
                committed = self._intake.commit()
            except (sqlite3.OperationalError, SpoolFullError) as error:
                self._health.alarm(SPOOL_ALARM, f"nothing is acknowledged: {error}")
                wait_s = backoff.failed(time.monotonic())
                log.warning(
                    "the spool cannot be written, nothing is acknowledged, next try in %.1f s: %s",
                    wait_s,
                    error,
                )
                if self._stopping.wait(wait_s) and backoff.failures > 1:
                    return False
            else:
                if backoff.succeeded():
                    log.info("the spool takes readings again")
                    self._health.all_clear(SPOOL_ALARM)
                if committed.readings:
                    self._committed()
                return True


def _answered(errand: Errand) -> Callable[[], None]:
    """Do `errand` and return what tells its outcome."""
    if not errand.done.set_running_or_notify_cancel():
        return lambda: None
    try:
        answer = errand.run()
    except Exception as error:  # noqa: BLE001 - who asked shall hear it, and the loop goes on
        failure = error
        return lambda: errand.done.set_exception(failure)
    return lambda: errand.done.set_result(answer)
