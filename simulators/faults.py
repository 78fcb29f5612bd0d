"""Faults as data: what goes wrong at which meter, when, and for how many answers.

A faults file is a definition like the others:

    kind = "faults"
    [[fault]]
    meter = "e-1-301"
    kind = "slow"
    delay_ms = 3000
    from = 2026-10-03T08:00:00Z
    until = 2026-10-03T09:00:00Z
    [[fault]]
    meter = "w-1-402"
    kind = "truncated"
    after = 2
    count = 1
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from pydantic import AwareDatetime, Field, model_validator

from meters.definition import Definition, read_document, validate
from meters.interval import utc

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path


class FaultKind(StrEnum):
    """What goes wrong with one answer of a Modbus meter or one message of an MQTT meter."""

    # either way in
    DEAD = "dead"
    """No answer; nothing is published."""
    ZERO = "zero"
    """Every register shows zero."""
    SPIKE = "spike"
    """Every counter shows 5,000 units too many."""
    STUCK = "stuck"
    """Every register shows what it showed when the fault began."""
    # Modbus
    SLOW = "slow"
    """The answer comes `delay_ms` late, with the transaction id of its request."""
    EXCEPTION = "exception"
    """The answer is the exception `code`."""
    SHORT_FRAME = "short-frame"
    """The answer is well formed, and holds one word less than was asked for."""
    CUT_FRAME = "cut-frame"
    """The connection ends in the middle of the answer."""
    WRONG_UNIT = "wrong-unit"
    """The answer states another unit id."""
    WRONG_TRANSACTION = "wrong-transaction"
    """The answer states another transaction id."""
    CROSSED = "crossed"
    """The answer looks right, and holds the words of another meter on the bus."""
    SENTINEL = "sentinel"
    """Every register holds the words for "no value"."""
    # MQTT
    TRUNCATED = "truncated"
    """The payload ends in the middle."""
    NOT_UTF8 = "not-utf8"
    WRONG_TYPE = "wrong-type"
    """The counters stand in the payload as texts."""
    UNKNOWN_METER = "unknown-meter"
    """Topic and number are those of a meter that nobody knows."""
    DATED_1970 = "dated-1970"
    """The meter's clock began anew."""
    FUTURE = "future"
    """The meter's clock is 30 days ahead."""
    DUPLICATE = "duplicate"
    """The message is published twice."""
    RETAINED = "retained"
    """The broker keeps the message and gives it to every new subscriber."""


_ANY = frozenset({FaultKind.DEAD, FaultKind.ZERO, FaultKind.SPIKE, FaultKind.STUCK})
MODBUS_FAULTS = _ANY | {
    FaultKind.SLOW,
    FaultKind.EXCEPTION,
    FaultKind.SHORT_FRAME,
    FaultKind.CUT_FRAME,
    FaultKind.WRONG_UNIT,
    FaultKind.WRONG_TRANSACTION,
    FaultKind.CROSSED,
    FaultKind.SENTINEL,
}
MQTT_FAULTS = frozenset(FaultKind) - MODBUS_FAULTS | _ANY


class FaultError(ValueError):
    """A fault names a meter that is not there, or one that it cannot befall."""


class Fault(Definition):
    """One fault of one meter: in a window `since <= t < until`, for some answers, or always."""

    meter: str
    kind: FaultKind
    since: AwareDatetime | None = Field(default=None, alias="from")
    until: AwareDatetime | None = None
    after: int = Field(default=0, ge=0)
    """How many answers (inside the window) come out right before the fault."""
    count: int | None = Field(default=None, ge=1)
    """How many answers the fault befalls; None for all."""
    code: int = Field(default=4, ge=1, le=255)
    """The exception code: 4 is "server device failure"."""
    delay_ms: int = Field(default=1500, ge=0)

    @model_validator(mode="after")
    def _window_holds_time(self) -> Self:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("the window holds no instant: from must be before until")
        return self

    def covers(self, time: datetime) -> bool:
        """Return whether `time` is in the fault's window."""
        return (self.since is None or self.since <= time) and (
            self.until is None or time < self.until
        )


class ActiveFault(NamedTuple):
    """A fault that befalls an answer, and the time at which it began."""

    fault: Fault
    since: datetime

    @property
    def kind(self) -> FaultKind:
        return self.fault.kind


class FaultPlan:
    """Tells for each answer in turn which fault befalls it. It counts the answers."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults: dict[str, list[Fault]] = {}
        for fault in faults:
            self._faults.setdefault(fault.meter, []).append(fault)
        self._answers: dict[int, int] = {}
        self._began: dict[int, datetime] = {}

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(fault for faults in self._faults.values() for fault in faults)

    def next(self, meter: str, time: datetime) -> ActiveFault | None:
        """Count an answer of `meter` at `time` and return its fault: the first that fits."""
        active = None
        for fault in self._faults.get(meter, ()):
            if not fault.covers(time):
                continue
            number = self._answers.get(id(fault), 0)
            self._answers[id(fault)] = number + 1
            if number < fault.after:
                continue
            if fault.count is not None and number >= fault.after + fault.count:
                continue
            began = self._began.setdefault(id(fault), self._beginning(fault, time))
            active = active or ActiveFault(fault, began)
        return active

    @staticmethod
    def _beginning(fault: Fault, time: datetime) -> datetime:
        """Return when `fault` began: with its window, or with the first answer it befell."""
        return utc(fault.since) if fault.since is not None and fault.after == 0 else time


class FaultsFile(Definition):
    """The document of a faults file."""

    kind: Literal["faults"]
    fault: tuple[Fault, ...] = ()


def load_faults(path: Path) -> tuple[Fault, ...]:
    """Return the faults in the file `path`; raise `DefinitionError` where it is wrong."""
    return validate(FaultsFile, read_document(path), str(path)).fault
