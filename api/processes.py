"""Processes that are kept running: one that ends is started anew, a signal to stop goes to all.

Each begins from nothing, as threads and connections would not outlive a fork.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from multiprocessing.context import SpawnProcess

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 1.0
"""How long after its end a process is started anew."""


def keep_running(tasks: Mapping[str, Callable[[], None]]) -> None:
    """Do each of `tasks` in a process of its own, until SIGTERM or SIGINT comes and all have ended.

    A second signal kills them. One that ends before is done anew.
    """
    running: dict[str, SpawnProcess] = {}
    due_s = dict.fromkeys(tasks, time.monotonic())
    with _signals() as told:
        while True:
            now_s = time.monotonic()
            for name in [name for name, at_s in due_s.items() if at_s <= now_s]:
                del due_s[name]
                running[name] = _started(name, tasks[name])
            pause_s = min(due_s.values()) - now_s if due_s else None
            if told in wait([told, *(each.sentinel for each in running.values())], pause_s):
                told.recv(1)
                _end(running.values(), told)
                return
            for name, ended in [each for each in running.items() if not each[1].is_alive()]:
                del running[name]
                log.warning("%s has ended with %s and is started anew", name, ended.exitcode)
                due_s[name] = time.monotonic() + AGAIN_AFTER_S


def _started(name: str, task: Callable[[], None]) -> SpawnProcess:
    made = multiprocessing.get_context("spawn").Process(target=_child, args=(task,), name=name)
    made.start()
    return made


def _end(running: Iterable[SpawnProcess], told: socket.socket) -> None:
    """Ask all to stop and wait until they have; kill those that are left where a signal comes."""
    left = list(running)
    for each in left:
        each.terminate()
    while left := [each for each in left if each.is_alive()]:
        if told in wait([told, *(each.sentinel for each in left)]):
            told.recv(1)
            for each in left:
                each.kill()


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Give a socket with a byte to read for every SIGTERM and SIGINT that comes."""
    reading, writing = socket.socketpair()
    writing.settimeout(0)
    with reading, writing:
        before = {
            each: signal.signal(each, lambda *_: None) for each in (signal.SIGTERM, signal.SIGINT)
        }
        woken = signal.set_wakeup_fd(writing.fileno())
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(woken)
            for each, handler in before.items():
                signal.signal(each, handler)


def _child(task: Callable[[], None]) -> None:
    """Do `task`; the parent says when to stop, also by ending itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all at once
    threading.Thread(target=_stop_with_parent, name="parent", daemon=True).start()
    task()


def _stop_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
