"""A process that delivers and is killed at a step; what has really gone out stands in a file."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from billing.database import Database
from billing.delivery import dispatching
from billing.delivery.dispatching import Dispatcher
from billing.delivery.schedule import Result, Said
from billing.store import delivery_outbox, delivery_queue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from billing.store.delivery_queue import Leased

BEGIN = datetime(2026, 12, 4, 2, 0, tzinfo=UTC)
STEPS = ("spread", "spread ends", "lease", "leased", "send", "sent", "record", "recorded")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Line:
    """Sends a message by writing its id at the end of a file."""

    channel = "webhook"

    def __init__(self, path: Path, step: str, *, repeatable: bool) -> None:
        self.path, self.step, self.repeatable = path, step, repeatable

    def prepare(self, _: Connection, leased: Leased) -> Callable[[datetime], Result]:
        def send(_: datetime) -> Result:
            if self.step == "send":
                die()
            with self.path.open("a") as file:
                file.write(f"{leased.subject} {leased.message_id}\n")
                file.flush()
                os.fsync(file.fileno())
            if self.step == "sent":
                die()
            return Result(Said.SENT, 200)

        return send


def deliver_and_die(url: str, step: str, line: Path, *, repeatable: bool, minutes: int) -> int:
    """Let a process deliver when `minutes` have passed, and kill it at `step`; return its status.

    The process is a copy of this one: starting Python anew takes longer than all that it does.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        _kill_in(step)
        dispatching.AT_A_TIME = 1
        now = BEGIN + timedelta(minutes=minutes)
        with Database(url) as database:
            sender = Line(line, step, repeatable=repeatable)
            Dispatcher(database, [sender], lambda: now).deliver()
        status = 0
    finally:
        os._exit(status)


def _kill_in(step: str) -> None:
    """Die inside the transaction of a step, or right after it was committed."""
    for module, name in (
        (delivery_outbox, "spread"),
        (delivery_queue, "lease"),
        (delivery_queue, "record"),
    ):
        if step == name:
            _die_after(module, name)
    if step in {"spread ends", "leased", "recorded"}:
        _die_when_committed({"spread ends": "spread", "leased": "lease"}.get(step, "record"))


def _die_after(module: object, name: str) -> None:
    original = getattr(module, name)

    def work(*arguments: object, **keywords: object) -> None:
        original(*arguments, **keywords)
        die()

    setattr(module, name, work)


def _die_when_committed(name: str) -> None:
    module = delivery_outbox if name == "spread" else delivery_queue
    original, transaction = getattr(module, name), Database.transaction
    done = []

    def work(*arguments: object, **keywords: object) -> object:
        done.append(name)
        return original(*arguments, **keywords)

    class Watched:
        def __init__(self, database: Database) -> None:
            self._inner = transaction(database)

        def __enter__(self) -> Connection:
            return self._inner.__enter__()

        def __exit__(self, *error: object) -> None:
            self._inner.__exit__(*error)  # type: ignore[arg-type] # as `with` hands it on
            if done:
                die()

    setattr(module, name, work)
    Database.transaction = lambda self: Watched(self)  # type: ignore[assignment, method-assign, return-value] # noqa: PLW0108  bound to the database
