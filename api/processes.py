"""Processes that are kept running: one that ends is started anew, a signal to stop goes to all.

Each is forked from a parent that has loaded the code and nothing else: no thread and no connection
of it would outlive that. So one starts at once, and the code stands in memory once for all.
"""

from __future__ import annotations

import gc
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
    from multiprocessing.context import ForkProcess

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 1.0
"""How long after its end a process is started anew."""
LOOK_S = 1.0
"""How often a process looks whether its parent is still there."""
STOPS = (signal.SIGTERM, signal.SIGINT)


def keep_running(tasks: Mapping[str, Callable[[], None]]) -> None:
    """Do each of `tasks` in a process of its own, until SIGTERM or SIGINT comes and all have ended.

    A second signal kills them. One that ends before is done anew. Raises `RuntimeError` where this
    process has threads.
    """
    if threading.active_count() > 1:
        raise RuntimeError("a process that has threads is not forked: start them in the tasks")
    gc.collect()
    gc.freeze()  # what is collected again and again is copied for each process
    running: dict[str, ForkProcess] = {}
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


def _started(name: str, task: Callable[[], None]) -> ForkProcess:
    made = multiprocessing.get_context("fork").Process(target=_child, args=(task,), name=name)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # until the child handles them itself
    try:
        made.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return made


def _end(running: Iterable[ForkProcess], told: socket.socket) -> None:
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
        before = {each: signal.signal(each, lambda *_: None) for each in STOPS}
        woken = signal.set_wakeup_fd(writing.fileno())
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(woken)
            for each, handler in before.items():
                signal.signal(each, handler)


def _child(task: Callable[[], None]) -> None:
    """Do `task`; the parent says when to stop, also by ending itself."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all at once
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    threading.Thread(target=_stop_with_parent, name="parent", daemon=True).start()
    task()


def _stop_with_parent() -> None:
    parent = multiprocessing.parent_process()  # its sentinel would be held open by siblings too
    while parent is not None and os.getppid() == parent.pid:
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)
