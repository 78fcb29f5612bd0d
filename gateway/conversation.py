"""What is said in one turn of a device: whether it lives, who it is, what its registers hold."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from gateway.committer import Words
from gateway.modbus import NoAnswerError, RefusedError
from meters.decoding import decode_identity
from meters.image import Image

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from gateway.clock import Moment, WatchedClock
    from gateway.plan import Block, Part
    from gateway.turn import Turn
    from meters.image import Run

log = logging.getLogger(__name__)

TOGETHER_S = 5.0
"""Answers that lie further apart do not share one time."""

NOT_STATED = ""
"""The number of a device that has a register for it and does not say it: no meter's number."""


class Connection(Protocol):
    """What a device is asked through: see `gateway.connection.ModbusConnection`."""

    interruptions: int
    """How often the other side went away: behind it may be another device since."""

    async def read(self, unit: int, function: int, address: int, words: int) -> tuple[int, ...]:
        """Return the words, or raise a `ModbusError`."""

    def close(self) -> None:
        """Drop the connection."""


class Conversation:
    """One turn of the device of `turn`. What it answers goes to `deliver`, all at once.

    The registers of a turn carry the time of its first answer, so that they can be held against
    each other; those that bills rest on are read first.
    """

    def __init__(
        self,
        turn: Turn,
        connection: Connection,
        clock: WatchedClock,
        deliver: Callable[[Words], Awaitable[None]],
    ) -> None:
        self.remarks: list[str] = []
        """What is wrong although the device answers."""
        self._turn = turn
        self._connection = connection
        self._clock = clock
        self._deliver = deliver
        self._runs: list[Run] = []
        self._first: Moment | None = None
        self._first_at = 0.0
        self._delivered: list[Words] = []
        self._probed = False
        self._is_known = True
        """Whether what was read comes from the device that was identified."""

    async def hold(self, part: Part) -> None:
        """Read and deliver the registers of `part`; raise a `ModbusError` where that fails.

        What was answered before a failure is delivered all the same.
        """
        turn = self._turn
        if turn.backoff.failures:
            await self._probe()
        try:
            if self._is_somebody_new():
                await self._identify()
            for block in turn.blocks(part):
                await self._read(block)
            if self._is_somebody_new():  # the other side went away meanwhile
                await self._identify()
        finally:
            if self._first is not None:
                await self._pass_on(self._first)

    @property
    def answered_at(self) -> datetime:
        """When the device answered last."""
        return self._delivered[-1].time if self._delivered else self._clock.look().time

    @property
    def said(self) -> Words | None:
        """Everything that was delivered, as one; None for nothing."""
        if not self._delivered:
            return None
        runs = (run for each in self._delivered for run in Image.of(each.image).runs)
        return self._delivered[0]._replace(image=Image(runs))

    async def _ask(self, block: Block) -> tuple[int, ...]:
        return await self._connection.read(
            self._turn.device.unit, block.function, block.start, block.words
        )

    async def _probe(self) -> None:
        """Ask what costs least of a device that did not answer; a refusal is a sign of life."""
        try:
            await self._ask(self._turn.plan.probe)
        except RefusedError as error:
            log.debug("%s answers its probe with %s", self._turn.device.meter, error)
        self._probed = True
        self._turn.forget_identity()

    def _is_somebody_new(self) -> bool:
        """Return whether the device must say who it is before its words count."""
        turn = self._turn
        if turn.interruptions != self._connection.interruptions:
            turn.interruptions = self._connection.interruptions
            turn.forget_identity()
            self._is_known = True
        return turn.plan.identity is not None and turn.wants_identity(self._clock.look().seconds)

    async def _identify(self) -> None:
        turn, block = self._turn, self._turn.plan.identity
        if block is None:
            return
        at_s = self._clock.look().seconds
        try:
            words = await self._ask(block)
        except RefusedError as error:
            if not error.is_about_the_request:
                raise
            self.remarks.append(f"the meter's number is refused: {error}")
            turn.identified(NOT_STATED, at_s)
        else:
            turn.identified(decode_identity(turn.device.type, words) or NOT_STATED, at_s)

    async def _read(self, block: Block) -> None:
        """Read `block`; in halves where the device refuses it whole."""
        turn = self._turn
        try:
            words = await self._connection.read(
                turn.device.unit, block.function, block.start, block.words
            )
        except RefusedError as error:
            if not error.is_about_the_request:
                raise
            if len(block.names) == 1:
                self.remarks.append(f"register {block.names[0]} is refused: {error}")
                return
            log.warning("%s refuses a block, halving it: %s", turn.device.meter, error)
            for half in turn.split(block):
                await self._read(half)
            return
        except NoAnswerError as error:
            if self._probed and len(block.names) > 1:
                # it lives, and is silent to this: next time it is asked for less at once
                log.warning("%s is silent to a block, halving it: %s", turn.device.meter, error)
                turn.split(block)
            raise
        self._is_known = turn.interruptions == self._connection.interruptions
        at = monotonic()
        if self._first is not None and at - self._first_at > TOGETHER_S:
            await self._pass_on(self._first)
            self._first = None
        if self._first is None:
            self._first, self._first_at = self._clock.look(), at
            turn.not_before_s = int(self._first.seconds) + 1.0
        self._runs.append((block.start, words))

    async def _pass_on(self, moment: Moment) -> None:
        words = Words(
            self._turn.device.meter,
            moment.time,
            Image(self._runs),
            identity=self._turn.identity if self._is_known else NOT_STATED,
            trusted=moment.trusted,
        )
        self._runs = []
        self._delivered.append(words)
        await self._deliver(words)
