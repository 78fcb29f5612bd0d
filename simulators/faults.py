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
    meter = "w-*"
    kind = "truncated"
    chance = "0.01"

Each answer meets at most one fault, the first that fits; what has befallen the meter itself (a
reset, an exchange, a rollover) holds beside it.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from pydantic import AwareDatetime, Field, model_validator

from meters.definition import Definition, Exact, read_document, validate
from meters.interval import utc
from simulators.chance import draw

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

_MILLION = 10**6


class FaultKind(StrEnum):
    """What goes wrong with one answer of a Modbus meter or one message of an MQTT meter."""

    # either way in
    DEAD = "dead"
    """No answer; nothing is published."""
    NETWORK_LOSS = "network-loss"
    """The line's port is closed; what MQTT meters had to say in the window comes after it."""
    ZERO = "zero"
    """Registers show zero."""
    SPIKE = "spike"
    """Counters show `amount` units too many."""
    STUCK = "stuck"
    """Registers show what they showed when the fault began."""
    CROSSED = "crossed"
    """The answer looks right, and holds another device's plausible counters."""
    SENTINEL = "sentinel"
    """Registers hold what stands for "no value"."""
    DUPLICATE = "duplicate"
    """The answer or message comes twice."""
    # befall the meter itself, and last
    RESET = "reset"
    """The counters begin anew at `first` when the fault begins."""
    ROLLOVER = "rollover"
    """The counters are `amount` units before their last digit when the fault begins."""
    EXCHANGE = "exchange"
    """Another device hangs there: another number, counters that begin at `first`."""
    # Modbus
    RESCALED = "rescaled"
    """Scale factors say something else, while what they scale stays as it is."""
    SLOW = "slow"
    """The answer comes `delay_ms` late, with the transaction id of its request."""
    EXCEPTION = "exception"
    """The answer is the exception `code`."""
    SHORT_FRAME = "short-frame"
    """The answer is well formed, and holds one word less than was asked for."""
    CUT_FRAME = "cut-frame"
    """The answer ends in its middle; on TCP the connection with it."""
    WRONG_UNIT = "wrong-unit"
    """The answer states another unit id."""
    WRONG_FUNCTION = "wrong-function"
    """The answer states another function code."""
    WRONG_TRANSACTION = "wrong-transaction"
    """The answer states another transaction id (Modbus TCP)."""
    WRONG_CRC = "wrong-crc"
    """A bit of the answer fell over on the line (RTU)."""
    NOISE = "noise"
    """A few bytes that are no frame come before the answer."""
    EARLIER = "earlier"
    """Instead of the answer, the one to the line's request before comes again, whoever gave it."""
    HANG_UP = "hang-up"
    """The connection ends instead of an answer."""
    # MQTT
    TRUNCATED = "truncated"
    """The payload ends in the middle."""
    NOT_UTF8 = "not-utf8"
    WRONG_TYPE = "wrong-type"
    """The counters stand in JSON as texts; a binary payload lacks its last byte."""
    UNKNOWN_METER = "unknown-meter"
    """Topic and number are those of a meter that nobody knows."""
    DATED_1970 = "dated-1970"
    """The meter's clock began anew."""
    FUTURE = "future"
    """The meter's clock is 30 days ahead."""
    CLOCK_OFF = "clock-off"
    """The meter's clock is `shift_s` seconds ahead, or behind where that is negative."""
    REORDERED = "reordered"
    """The message comes after the meter's next one."""
    RETAINED = "retained"
    """The broker keeps the message and gives it to every new subscriber."""
    # the broker
    BROKER_LOSS = "broker-loss"
    """The broker is down in the window, and has forgotten everything after it."""


TURNS = frozenset({FaultKind.RESET, FaultKind.ROLLOVER, FaultKind.EXCHANGE})
"""What befalls a meter itself, and not its answers."""
CLOCKS = frozenset({FaultKind.DATED_1970, FaultKind.FUTURE, FaultKind.CLOCK_OFF})
_EITHER = TURNS | {
    FaultKind.DEAD,
    FaultKind.NETWORK_LOSS,
    FaultKind.ZERO,
    FaultKind.SPIKE,
    FaultKind.STUCK,
    FaultKind.CROSSED,
    FaultKind.SENTINEL,
    FaultKind.DUPLICATE,
}
RTU_FAULTS = frozenset({FaultKind.WRONG_CRC})
TCP_FAULTS = frozenset({FaultKind.WRONG_TRANSACTION})
MODBUS_FAULTS = (
    _EITHER
    | RTU_FAULTS
    | TCP_FAULTS
    | {
        FaultKind.RESCALED,
        FaultKind.SLOW,
        FaultKind.EXCEPTION,
        FaultKind.SHORT_FRAME,
        FaultKind.CUT_FRAME,
        FaultKind.WRONG_UNIT,
        FaultKind.WRONG_FUNCTION,
        FaultKind.NOISE,
        FaultKind.EARLIER,
        FaultKind.HANG_UP,
    }
)
MQTT_FAULTS = frozenset(FaultKind) - MODBUS_FAULTS - {FaultKind.BROKER_LOSS} | _EITHER


class FaultError(ValueError):
    """A fault names a meter that is not there, or one that it cannot befall."""


class Fault(Definition):
    """One fault: in a window `since <= t < until`, for some answers, by chance, or always."""

    meter: str = "*"
    """The meter's id; `*` and `?` stand for any letters (`w-1-*`)."""
    kind: FaultKind
    since: AwareDatetime | None = Field(default=None, alias="from")
    until: AwareDatetime | None = None
    after: int = Field(default=0, ge=0)
    """How many answers (inside the window) come out right before the fault."""
    count: int | None = Field(default=None, ge=1)
    """How many answers the fault befalls; None for all."""
    chance: Exact | None = Field(default=None, gt=0, le=1)
    """How likely it befalls each answer that it may; by default it does."""
    registers: tuple[str, ...] = ()
    """Which registers show it; by default all."""
    amount: Exact | None = Field(default=None, gt=0)
    """How many units too many (5000), or before the last digit (1)."""
    first: Exact = Field(default=Decimal(0), ge=0)
    """What the counters show after a reset or an exchange."""
    number: str | None = Field(default=None, min_length=1)
    """The number of the device that is there after an exchange; by default one is drawn."""
    code: int = Field(default=4, ge=1, le=255)
    """The exception code: 4 is "server device failure"."""
    delay_ms: int = Field(default=1500, ge=0)
    shift_s: int = 3600

    @model_validator(mode="after")
    def _window_holds_time(self) -> Self:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("the window holds no instant: from must be before until")
        if self.kind in (FaultKind.NETWORK_LOSS, FaultKind.BROKER_LOSS):
            if self.since is None or self.after or self.count or self.chance:
                raise ValueError(f"{self.kind} needs a window: from, and until where it ends")
        elif self.kind in TURNS and self.chance:
            raise ValueError(f"{self.kind} happens once: give from, or after, and no chance")
        return self

    def covers(self, time: datetime) -> bool:
        """Return whether `time` is in the fault's window."""
        return (self.since is None or self.since <= time) and (
            self.until is None or time < self.until
        )

    def befalls(self, meter: str) -> bool:
        """Return whether the fault is one of the meter `meter`."""
        return fnmatchcase(meter, self.meter)

    @cached_property
    def one_in_a_million(self) -> int | None:
        """How many of a million answers it befalls; None for all."""
        return None if self.chance is None else int(self.chance * _MILLION)


class ActiveFault(NamedTuple):
    """A fault that befalls an answer, and the time at which it began."""

    fault: Fault
    since: datetime

    @property
    def kind(self) -> FaultKind:
        return self.fault.kind


class Condition(NamedTuple):
    """What is wrong with an answer: a fault of its own, and what befell the meter before."""

    fault: ActiveFault | None = None
    turns: tuple[ActiveFault, ...] = ()

    @property
    def kind(self) -> FaultKind | None:
        return None if self.fault is None else self.fault.fault.kind

    def shows_in(self, register: str) -> FaultKind | None:
        """Return the fault that the register `register` shows, None where it shows none."""
        if self.fault is None:
            return None
        fault = self.fault.fault
        return fault.kind if not fault.registers or register in fault.registers else None


SOUND = Condition()
"""Nothing is wrong."""


class FaultPlan:
    """Tells for each answer in turn what is wrong with it. It counts the answers.

    The same faults, `seed` and answers give the same, whatever other meters do.
    """

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self.faults = tuple(faults)
        self._seed = seed
        self._of_meter: dict[str, list[tuple[int, Fault]]] = {}
        self._answers: dict[tuple[int, str], int] = {}
        self._began: dict[tuple[int, str], datetime] = {}

    def next(self, meter: str, time: datetime) -> Condition:
        """Count an answer of `meter` at `time` and return what is wrong with it."""
        if not self.faults:
            return SOUND
        found: ActiveFault | None = None
        turns: list[ActiveFault] = []
        for number, fault in self._of(meter):
            if not self._hits(number, fault, meter, time):
                continue
            beginning = self._beginning(fault, time)
            active = ActiveFault(fault, self._began.setdefault((number, meter), beginning))
            if fault.kind in TURNS:
                turns.append(active)
            else:
                found = found or active
        return Condition(found, tuple(turns)) if found or turns else SOUND

    def loses(self, meters: Iterable[str], time: datetime) -> bool:
        """Return whether the network to `meters` is lost at `time`; it counts no answer."""
        lost = [
            fault
            for fault in self.faults
            if fault.kind is FaultKind.NETWORK_LOSS and fault.covers(time)
        ]
        return bool(lost) and any(fault.befalls(meter) for fault in lost for meter in meters)

    def _of(self, meter: str) -> list[tuple[int, Fault]]:
        known = self._of_meter.get(meter)
        if known is None:
            known = [
                (number, fault)
                for number, fault in enumerate(self.faults)
                if fault.befalls(meter) and fault.kind is not FaultKind.BROKER_LOSS
            ]
            self._of_meter[meter] = known
        return known

    def _hits(self, number: int, fault: Fault, meter: str, time: datetime) -> bool:
        if not fault.covers(time):
            return False
        key = number, meter
        answer = self._answers.get(key, 0)
        self._answers[key] = answer + 1
        if answer < fault.after:
            return False
        if fault.count is not None and answer >= fault.after + fault.count:
            return False
        million = fault.one_in_a_million
        return million is None or draw(self._seed, meter, number, answer) % _MILLION < million

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
