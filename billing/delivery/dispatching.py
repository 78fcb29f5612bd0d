"""Sending what is due: take one, read what it says, send it, keep what came of it, take the next.

No transaction is open while somebody is called. Any number of processes may do this at once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from billing.store import delivery_outbox, delivery_queue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.database import Database
    from billing.delivery.schedule import Result
    from billing.store.delivery_outbox import Hearer
    from billing.store.delivery_queue import Leased

AT_A_TIME = 4
"""Messages that are on their way at once."""


class Sender(Protocol):
    """One channel. `repeatable`: whoever hears something twice over it knows, or does not mind."""

    @property
    def channel(self) -> str: ...

    @property
    def repeatable(self) -> bool: ...

    def prepare(self, connection: Connection, leased: Leased) -> Callable[[datetime], Result]:
        """Read what is to be sent, and return what sends it at a moment."""
        ...


class Dispatcher:
    """Delivers over `senders`, and to the `groups` that settings name, until `stop` is called."""

    def __init__(
        self,
        database: Database,
        senders: Sequence[Sender],
        now: Callable[[], datetime],
        groups: Sequence[Hearer] = (),
    ) -> None:
        self._database = database
        self._senders = {each.channel: each for each in senders}
        self._repeatable = [each.channel for each in senders if each.repeatable]
        self._now = now
        self._groups = groups
        self._stopped = False

    def stop(self) -> None:
        """End after what is being sent just now."""
        self._stopped = True

    def deliver(self) -> int:
        """Spread what has happened, send everything that is due, and return how many were tried."""
        self._spread()
        if not self._is_anything_due():
            return 0
        with self._database.transaction() as connection:
            delivery_queue.recover(connection, self._repeatable, now=self._now())
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            return sum(pool.map(lambda _: self._work(), range(AT_A_TIME)))

    def _spread(self) -> None:
        while not self._stopped:
            with self._database.snapshot() as connection:
                if not delivery_outbox.is_anything_to_spread(connection):
                    return
            with self._database.transaction() as connection:
                delivery_outbox.spread(connection, self._groups, now=self._now())

    def _is_anything_due(self) -> bool:
        with self._database.snapshot() as connection:
            return delivery_queue.is_anything_due(connection, list(self._senders), now=self._now())

    def _work(self) -> int:
        tried = 0
        while not self._stopped and self._is_anything_due():
            with self._database.transaction() as connection:
                leased = delivery_queue.lease(connection, list(self._senders), now=self._now())
            if leased is None:
                break
            self._send(leased)
            tried += 1
        return tried

    def _send(self, leased: Leased) -> None:
        sender = self._senders[leased.channel]
        with self._database.snapshot() as connection:
            send = sender.prepare(connection, leased)
        begun = self._now()
        result = send(begun)
        with self._database.transaction() as connection:
            delivery_queue.record(connection, leased, result, begun=begun, now=self._now())
