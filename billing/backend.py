"""Where the communities of a run are computed: any `concurrent.futures.Executor` will do.

In line, in processes of this machine, or through a Dask scheduler on any number of machines.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.process import BaseProcess

P = ParamSpec("P")
T = TypeVar("T")

RunBackend = Executor

CONNECT_WITHIN_S = 30


class SchedulerError(RuntimeError):
    """There is no Dask here, or no scheduler at its address."""


class InLine(Executor):
    """Does what is submitted at once, in the caller's thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  the future hands it on, whatever it is
            future.set_exception(error)
        return future


class Processes(Executor):
    """Processes of this machine, started anew after one of them has died.

    When one dies, what the others have begun is lost too: their futures raise `BrokenExecutor`.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool = self._started()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenExecutor:
            self._pool.shutdown()
            self._pool = self._started()
            return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002  as `Executor` has it
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def _started(self) -> ProcessPoolExecutor:
        # A forked child would share the parent's open connections.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._workers, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """Let this process end when the one that started it was killed: nobody else would tell it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent,), daemon=True).start()


def _exit_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def run_backend(*, workers: int = 0, scheduler: str | None = None) -> Iterator[RunBackend]:
    """Give the backend with `workers` processes, or that of the Dask `scheduler` (`tcp://…`).

    In line where neither is asked for. Raises `SchedulerError`.
    """
    if scheduler is not None:
        with _dask(scheduler) as backend:
            yield backend
    elif workers:
        with Processes(workers) as backend:
            yield backend
    else:
        yield InLine()


@contextmanager
def _dask(address: str) -> Iterator[RunBackend]:
    try:
        from distributed import Client  # noqa: PLC0415  an extra: one machine does without it
    except ImportError as error:
        raise SchedulerError(
            f"the scheduler {address} needs Dask: pip install 'tallygate[dask]'"
        ) from error
    try:
        client = Client(address, timeout=CONNECT_WITHIN_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SchedulerError(f"there is no Dask scheduler at {address}: {error}") from error
    with client:
        yield client.get_executor()
