"""A device's place in the order of its bus: what it is due for, and how urgently."""

from __future__ import annotations

import math
from collections import deque
from enum import IntEnum
from typing import TYPE_CHECKING

from gateway.backoff import Backoff
from gateway.cadence import Cadence, jitter_s
from gateway.plan import Part, halves, plan_of

if TYPE_CHECKING:
    from asyncio import Future

    from gateway.cadence import Days
    from gateway.committer import Words
    from gateway.plan import Block
    from gateway.settings import PollTable
    from gateway.site import Device

IDENTITY_BEFORE_MIDNIGHT_S = 1800.0
"""From then on a device is asked who it is, once, before a day's boundary is read from it."""


class Priority(IntEnum):
    """What is read first where several devices wait."""

    NOW = 0
    """A person waits for it."""
    BOUNDARY = 1
    """The first reading of a local day, which bills rest on."""
    BILLING = 2
    GAUGES = 3


class Turn:
    """What is known of `device` between two of its turns on the bus; times in Unix seconds."""

    def __init__(self, device: Device, poll: PollTable, days: Days) -> None:
        self.device = device
        self.poll = poll
        self.backoff = Backoff()
        self.asked: deque[Future[Words]] = deque()
        """Who waits for a reading now."""
        self.served = 0
        """The number of its last turn on the bus."""
        self.not_before_s = 0.0
        """The second after the last answer: a reading's identity is its second."""
        self.priority = Priority.BILLING
        self.ready_s = 0.0
        """From when on it may have its turn."""
        self.changes_s = -math.inf
        """From when on `look` may find something else."""
        self.wakes_s = -math.inf
        """The earlier of the two: until then it need not be looked at."""
        self.is_billed = True
        """Whether it is due for what bills rest on."""
        self.order: tuple[int, bool, int] = (0, False, 0)
        """Who comes first of those that are ready: the more urgent, then who waited longest."""
        self.identity: str | None = None
        """The number that it stated last; None where it was not asked."""
        self.interruptions = 0
        """How often the other side of the line had gone away when it was identified."""
        self.plan = plan_of(device.type)
        self._identity_at_s = -math.inf
        self._days = days
        self._billing = Cadence(poll.billing_s, days)
        # a type without gauges would be due for ever, for nothing
        self._gauges = (
            Cadence(poll.gauges_s, days) if poll.gauges_s and self.plan.has_gauges else None
        )
        self._billing_due = self._gauges_due = False
        self._jitter_s = jitter_s(
            device.meter, min(poll.billing_s, poll.gauges_s or poll.billing_s)
        )
        self._doubtful = False
        """Whether what was read last has a time that nobody believes."""
        self._refused: set[Block] = set()

    def look(self, now_s: float, at: float) -> None:
        """Say anew how urgently it is due, at `now_s` by the wall clock and `at` by the other."""
        slot_s = now_s - self._jitter_s
        changes_s = due_s = self._billing.due_at(slot_s)
        priority = Priority.GAUGES
        self._billing_due = due_s <= slot_s
        if self._billing_due:
            owes = self._billing.owes_boundary(slot_s)
            priority = Priority.BOUNDARY if owes else Priority.BILLING
            _, changes_s = self._days.around(slot_s)
        if self._gauges is not None:
            gauges_s = self._gauges.due_at(slot_s)
            self._gauges_due = gauges_s <= slot_s
            due_s = min(due_s, gauges_s)
            if not self._gauges_due:
                changes_s = min(changes_s, gauges_s)
        # at most a second ahead, or a clock that was set back silences the device
        ready_s = self.not_before_s = min(self.not_before_s, now_s + 1.0)
        due_s += self._jitter_s
        is_dead = self.backoff.failures > 0
        if self.asked:
            priority = Priority.NOW
        elif is_dead:
            ready_s = max(ready_s, due_s, now_s + self.backoff.wait_s(at))
        else:
            ready_s = max(ready_s, due_s)
        self.ready_s = ready_s
        self.priority = priority
        # what is dead does not hold up the day's first readings of the others
        self.order = priority, is_dead and priority is Priority.BOUNDARY, self.served
        self.is_billed = priority is not Priority.GAUGES
        self.changes_s = changes_s = changes_s + self._jitter_s
        self.wakes_s = min(ready_s, changes_s)

    def look_again(self) -> None:
        """Have it looked at anew, whenever that is next."""
        self.changes_s = self.wakes_s = -math.inf

    def part(self, *, alone: bool) -> Part:
        """Return which registers were due when it was looked at last; for who asks now, all.

        What bills rest on goes without the gauges unless the device is `alone`: others wait for
        the bus.
        """
        if self.asked:
            return Part.ALL
        if not self._billing_due:
            return Part.GAUGES
        return Part.ALL if self._gauges_due and alone else Part.BILLING

    def serve(self, part: Part, began_s: float, *, trusted: bool) -> None:
        """Note that `part` was read in a turn that began at `began_s`."""
        slot_s = began_s - self._jitter_s
        if part is not Part.GAUGES:
            self._billing.serve(slot_s)
            self._doubtful = not trusted
        if self._gauges is not None and part is not Part.BILLING:
            self._gauges.serve(slot_s)

    def believe(self) -> None:
        """Note that the clock can be believed again: what was read meanwhile is read once more."""
        if self._doubtful:
            self._doubtful = False
            self._billing.forget()

    def wants_identity(self, now_s: float) -> bool:
        """Return whether it must say who it is before its registers count."""
        if self.plan.identity is None:
            return False
        midnight, next_midnight = self._days.around(now_s)
        check_s = next_midnight - IDENTITY_BEFORE_MIDNIGHT_S
        if now_s < check_s:
            check_s = midnight - IDENTITY_BEFORE_MIDNIGHT_S
        return not check_s <= self._identity_at_s <= now_s

    def identified(self, identity: str, at_s: float) -> None:
        """Note who it said that it is."""
        self.identity = identity
        self._identity_at_s = at_s

    def forget_identity(self) -> None:
        """Note that another device may answer from now on."""
        self.identity = None
        self._identity_at_s = -math.inf

    def blocks(self, part: Part) -> tuple[Block, ...]:
        """Return the requests that read `part`: smaller ones for what was refused whole."""
        blocks = self.plan.blocks[part]
        if not self._refused:
            return blocks
        return tuple(part for block in blocks for part in self._parts(block))

    def split(self, block: Block) -> tuple[Block, Block]:
        """Note that the device refuses `block`; return what to ask for instead, now and later."""
        self._refused.add(block)
        return halves(self.device.type, block)

    def _parts(self, block: Block) -> tuple[Block, ...]:
        if block not in self._refused:
            return (block,)
        first, second = halves(self.device.type, block)
        return (*self._parts(first), *self._parts(second))
