"""What payment providers send to this process: what waits is kept and posted by one commit.

A commit waits for the disk, and on SQLite for whoever else writes. What arrives meanwhile is taken
together, in the next one. Each sender is answered after the commit that holds what it has sent,
never before; a process that dies has answered nobody whose notice is lost, and they send it again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread

from billing.store import payments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.database import Database
    from billing.payments.judgement import Outcome
    from billing.store.payments import Callback, Said

AT_ONCE = 100
"""Notices that are taken in one transaction: others who write wait for so many."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice that is not taken yet, and who is to be told what became of it."""

    callback: Callback
    said: Said
    told: asyncio.Future[Outcome]


class Notices:
    """The notices of one process, in the order in which they arrived."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[Waiting] = []
        self._taking: asyncio.Task[None] | None = None
        self._one_thread = anyio.CapacityLimiter(1)

    async def take(self, callback: Callback, said: Said) -> Outcome:
        """Return what became of a notice, once that is committed.

        Raises what kept it, or all of those that were taken with it, from being taken.
        """
        told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(callback, said, told))
        if self._taking is None or self._taking.done():
            self._taking = asyncio.create_task(self._take_waiting())
        return await told

    async def _take_waiting(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            outcomes = await anyio.to_thread.run_sync(
                partial(self._take_group, group), limiter=self._one_thread
            )
            for each, outcome in zip(group, outcomes, strict=True):
                if each.told.done():  # nobody waits for it any more
                    continue
                if isinstance(outcome, Exception):
                    each.told.set_exception(outcome)
                else:
                    each.told.set_result(outcome)

    def _take_group(self, group: Sequence[Waiting]) -> Sequence[Outcome | Exception]:
        sent = [(each.callback, each.said) for each in group]
        try:
            with self._database.transaction() as connection:
                return payments.take_each(connection, sent)
        except Exception as error:  # noqa: BLE001  every sender is told, and the next are taken
            return [error] * len(sent)
