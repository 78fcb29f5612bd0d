"""A bounded queue between the threads that receive and the one that commits.

It is counted in messages, and handed over in whole parcels: a lock and a wake-up for each message
would cost more than the message.
"""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """Takes items of together at most `capacity`, as `weight` counts them, from any thread."""

    def __init__(self, capacity: int, *, weight: Callable[[Item], int]) -> None:
        self._capacity = capacity
        self._weight = weight
        self._items: deque[Item] = deque()
        self._held = 0
        self._closed = False
        self._changed = threading.Condition()

    def offer(self, item: Item) -> bool:
        """Take `item`, or return False where there is no room for it. An empty inbox takes any."""
        weight = self._weight(item)
        with self._changed:
            if self._items and self._held + weight > self._capacity:
                return False
            self._add(item, weight)
        return True

    def insist(self, item: Item) -> None:
        """Take `item`, whether there is room or not."""
        with self._changed:
            self._add(item, self._weight(item))

    def close(self) -> None:
        """Say that nothing more comes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def collect(self, most: int, *, linger_s: float, lull_s: float) -> list[Item] | None:
        """Wait for items and return those that come together; None at the end.

        They are of weight `most` or a little more, and waited for no longer than `linger_s`, and no
        longer than `lull_s` after the last one.
        """
        with self._changed:
            while not self._items:
                if self._closed:
                    return None
                self._changed.wait()
            deadline = monotonic() + linger_s
            while self._held < most and not self._closed and monotonic() < deadline:
                if not self._changed.wait(lull_s):
                    break
            batch: list[Item] = []
            taken = 0
            while self._items and taken < most:
                item = self._items.popleft()
                taken += self._weight(item)
                batch.append(item)
            self._held -= taken
            return batch

    def _add(self, item: Item, weight: int) -> None:
        self._items.append(item)
        self._held += weight
        self._changed.notify()
