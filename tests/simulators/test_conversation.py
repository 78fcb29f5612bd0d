"""Answers come in turn and in their time, and a master that never listens is cut off."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from meters.catalog import shipped
from simulators.bench.meters import Bench
from simulators.conversation import MOST_UNHEARD, Conversation
from simulators.faults import Fault
from simulators.fleet import plan_for
from simulators.framing import RtuFraming, TcpFraming
from simulators.line import Line

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 10, 14, 4, tzinfo=UTC)
READ = bytes.fromhex("04 0048 0002")


class Timers:
    """A clock that goes on when it is told to."""

    class Timer:
        def __init__(self) -> None:
            self.is_cancelled = False

        def cancel(self) -> None:
            self.is_cancelled = True

    def __init__(self) -> None:
        self._waiting: list[tuple[float, Timers.Timer, Callable[..., None], tuple[Any, ...]]] = []
        self._now = 0.0

    def later(self, delay: float, callback: Callable[..., None], *arguments: Any) -> Timer:
        timer = self.Timer()
        self._waiting.append((self._now + delay, timer, callback, arguments))
        return timer

    def go_on(self, seconds: float) -> None:
        self._now += seconds
        while due := [each for each in self._waiting if each[0] <= self._now]:
            first = min(due, key=lambda each: each[0])
            self._waiting.remove(first)
            _, timer, callback, arguments = first
            if not timer.is_cancelled:
                callback(*arguments)


class Master:
    """A master that keeps what it hears from one meter at unit 1."""

    def __init__(
        self, *faults: dict[str, Any], framing: TcpFraming | RtuFraming, turnaround_ms: int = 0
    ) -> None:
        (meter,) = Bench(meter_type=shipped()["eastron-sdm630"]).meters()
        plan = plan_for([meter], [Fault.model_validate(fault) for fault in faults], seed=1)
        self.framing = framing
        self.heard: list[bytes] = []
        self.timers = Timers()
        self.was_cut_off = False
        self.conversation = Conversation(
            Line("line", {1: meter}, framing=framing, plan=plan, turnaround_ms=turnaround_ms),
            clock=lambda: NOON,
            write=self.heard.append,
            hang_up=self._cut_off,
            later=self.timers.later,
            silence_s=0.05,
        )

    def _cut_off(self) -> None:
        self.was_cut_off = True

    def ask(self, transaction: int = 1) -> None:
        self.conversation.hear(self.framing.frame(transaction, 1, READ))

    @property
    def transactions(self) -> list[int]:
        return [int.from_bytes(frame[:2], "big") for frame in self.heard]


def test_answers_come_in_turn_after_their_turnaround() -> None:
    master = Master(framing=TcpFraming(), turnaround_ms=100)
    for transaction in (1, 2, 3):
        master.ask(transaction)
    assert master.heard == []
    master.timers.go_on(0.1)
    assert master.transactions == [1]
    for _ in range(2):
        master.timers.go_on(0.1)
    assert master.transactions == [1, 2, 3]


def test_a_late_answer_lets_the_next_ones_by() -> None:
    master = Master({"kind": "slow", "delay_ms": 500, "count": 1}, framing=TcpFraming())
    for transaction in (1, 2):
        master.ask(transaction)
    assert master.transactions == [2]
    master.timers.go_on(0.5)
    assert master.transactions == [2, 1]


def test_who_has_gone_is_told_nothing() -> None:
    master = Master(framing=TcpFraming(), turnaround_ms=100)
    master.ask()
    master.conversation.end()
    master.timers.go_on(1)
    assert master.heard == []


def test_a_master_that_sends_and_does_not_listen_is_cut_off() -> None:
    master = Master(framing=TcpFraming(), turnaround_ms=1_000)
    frame = master.framing.frame(1, 1, READ)
    for _ in range(MOST_UNHEARD // len(frame) + 3):
        master.conversation.hear(frame)
    assert master.was_cut_off
    master.timers.go_on(2)
    assert master.heard == []


def test_half_a_frame_is_forgotten_at_silence_and_not_before() -> None:
    master = Master(framing=RtuFraming())
    frame = master.framing.frame(0, 1, READ)
    for pause_s, answers in ((0.01, 1), (0.1, 1)):
        master.conversation.hear(frame[:4])
        master.timers.go_on(pause_s)
        master.conversation.hear(frame[4:])
        master.timers.go_on(0.1)
        assert len(master.heard) == answers
    master.ask()
    assert len(master.heard) == 2


def test_a_fault_may_end_the_connection() -> None:
    master = Master({"kind": "hang-up"}, framing=TcpFraming())
    master.ask()
    assert master.was_cut_off
    assert b"".join(master.heard) == b""
