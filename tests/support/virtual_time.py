"""An event loop whose clock jumps to whatever comes next: a day of sleeping takes a moment."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

Answer = TypeVar("Answer")


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop without I/O of its own, whose `time` is virtual."""

    def __init__(self) -> None:
        self._seconds = 0.0
        super().__init__(_Sleepless(self))

    def time(self) -> float:
        return self._seconds

    def sleep(self, seconds: float) -> None:
        """Let `seconds` have passed."""
        self._seconds += seconds


class _Sleepless(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing is left that could happen in virtual time")
        if timeout > 0:
            self._loop.sleep(timeout)
        return super().select(0)


def run_virtually(main: Coroutine[Any, Any, Answer]) -> Answer:
    """Return what `main` returns, run in virtual time from 0 on."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
