"""A line with meters on it: which bytes come back for a request, when, and with which faults.

It is what lies behind a TCP gateway to RS-485, or behind a serial port. No sockets: adapters carry
the bytes.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from simulators.chance import draw
from simulators.faults import RTU_FAULTS, TCP_FAULTS, FaultError, FaultKind, FaultPlan
from simulators.framing import TcpFraming
from simulators.pdu import ModbusException, exception_pdu, respond

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from simulators.faults import Condition
    from simulators.framing import Framing, Request
    from simulators.meter import SimulatedMeter

BROADCAST = 0
LAST_UNIT = 247
_CACHE = 4096
_BITS_OF_CHARACTER = 11
_NOISE_BYTES = 5


class Absent(Enum):
    """What answers for a unit that is not on the line."""

    SILENCE = "silence"
    """Nothing, as most gateways do."""
    EXCEPTION = "exception"
    """The gateway, with exception 0x0B."""


class Reply(NamedTuple):
    """What comes back: the bytes `frame`, after `delay_ms`, and then perhaps the end.

    A reply that is `late` lets the next requests by: it comes when it comes.
    """

    frame: bytes
    delay_ms: int = 0
    late: bool = False
    hang_up: bool = False


class Line:
    """The meters `meters`, by unit id, that speak `framing`.

    `turnaround_ms` is how long a meter takes to answer; at `baud` bits a second (0: at once)
    characters of 11 bits take their time too. Raises `FaultError` where `plan` holds a fault that
    `framing` cannot have.
    """

    def __init__(
        self,
        name: str,
        meters: Mapping[int, SimulatedMeter],
        *,
        framing: Framing | None = None,
        plan: FaultPlan | None = None,
        absent: Absent = Absent.SILENCE,
        turnaround_ms: int = 0,
        baud: int = 0,
    ) -> None:
        self.name = name
        self.framing: Framing = TcpFraming() if framing is None else framing
        self.requests = 0
        """Requests received since the start, for whatever unit."""
        self._meters = dict(meters)
        self._plan = FaultPlan() if plan is None else plan
        self._absent = absent
        self._turnaround_ms = turnaround_ms
        self._baud = baud
        self._earlier = b""
        self._answers: dict[tuple[int, bytes], bytes] = {}
        self._answers_at: datetime | None = None
        _check(self._plan, self._meters.values(), is_rtu=self.framing.is_rtu)

    @property
    def units(self) -> tuple[int, ...]:
        """The unit ids that answer."""
        return tuple(self._meters)

    @property
    def meters(self) -> tuple[SimulatedMeter, ...]:
        """The meters that answer."""
        return tuple(self._meters.values())

    def is_lost(self, now: datetime) -> bool:
        """Return whether the network to the line is lost at `now`."""
        return self._plan.loses((meter.id for meter in self._meters.values()), now)

    def reply(self, request: Request, now: datetime) -> Reply | None:
        """Return what comes back for `request` at `now`; None for silence."""
        self.requests += 1
        meter = self._meters.get(request.unit)
        if meter is None:
            if self._absent is Absent.SILENCE or request.unit == BROADCAST:
                return None
            refusal = exception_pdu(request.pdu[0], ModbusException.GATEWAY_TARGET_FAILED)
            return self._timed(request, self.framing.frame(*request[:2], refusal))
        now = now.replace(microsecond=0)
        condition = self._plan.next(meter.id, now)
        kind = condition.kind
        if kind in (FaultKind.DEAD, FaultKind.NETWORK_LOSS):
            return None
        if kind is FaultKind.HANG_UP:
            return Reply(b"", hang_up=True)
        frame = self._framed(meter, request, now, condition)
        earlier, self._earlier = self._earlier, frame
        if condition.fault is None:
            return self._timed(request, frame)
        fault = condition.fault.fault
        if kind is FaultKind.SLOW:
            return Reply(frame, fault.delay_ms, late=True)
        if kind is FaultKind.EARLIER:
            return self._timed(request, earlier) if earlier else None
        reply = self._timed(request, _on_the_way(frame, kind, meter.id, self.requests))
        return reply._replace(hang_up=kind is FaultKind.CUT_FRAME and not self.framing.is_rtu)

    def _timed(self, request: Request, frame: bytes) -> Reply:
        delay_ms = self._turnaround_ms
        if self._baud:
            characters = len(request.pdu) + 3 + len(frame)
            delay_ms += 1000 * _BITS_OF_CHARACTER * characters // self._baud
        return Reply(frame, delay_ms)

    def _framed(
        self, meter: SimulatedMeter, request: Request, now: datetime, condition: Condition
    ) -> bytes:
        transaction, unit = request.transaction, request.unit
        pdu = self._pdu(meter, request, now, condition)
        match condition.kind:
            case FaultKind.WRONG_TRANSACTION:
                transaction = (transaction + 1) & 0xFFFF
            case FaultKind.WRONG_UNIT:
                others = (other for other in self._meters if other != unit)
                unit = next(others, unit % LAST_UNIT + 1)
            case FaultKind.WRONG_FUNCTION:
                pdu = bytes([pdu[0] ^ 7]) + pdu[1:]  # 3 for 4, and 4 for 3
        return self.framing.frame(transaction, unit, pdu)

    def _pdu(
        self, meter: SimulatedMeter, request: Request, now: datetime, condition: Condition
    ) -> bytes:
        if condition.fault is not None or condition.turns:
            return respond(meter, request.pdu, now, condition)
        # within a second a meter answers the same, however often it is asked
        if self._answers_at != now or len(self._answers) >= _CACHE:
            self._answers.clear()
            self._answers_at = now
        key = request.unit, request.pdu
        if key not in self._answers:
            self._answers[key] = respond(meter, request.pdu, now)
        return self._answers[key]


def _on_the_way(frame: bytes, kind: FaultKind | None, meter: str, number: int) -> bytes:
    """Return what arrives of `frame`, the answer of `meter` to the request `number`."""
    match kind:
        case FaultKind.CUT_FRAME:
            return frame[: len(frame) // 2]
        case FaultKind.DUPLICATE:
            return frame + frame
        case FaultKind.WRONG_CRC:
            place = draw(meter, "bit", number) % (8 * len(frame))
            fallen = bytearray(frame)
            fallen[place // 8] ^= 1 << place % 8
            return bytes(fallen)
        case FaultKind.NOISE:
            return draw(meter, "noise", number).to_bytes(8, "big")[:_NOISE_BYTES] + frame
        case _:
            return frame


def _check(plan: FaultPlan, meters: Iterable[SimulatedMeter], *, is_rtu: bool) -> None:
    wrong, other = (TCP_FAULTS, "Modbus TCP") if is_rtu else (RTU_FAULTS, "RTU")
    ids = [meter.id for meter in meters]
    for fault in plan.faults:
        if fault.kind in wrong and any(map(fault.befalls, ids)):
            spoken = "RTU" if is_rtu else "Modbus TCP"
            raise FaultError(
                f"{fault.meter} speaks {spoken} and cannot have the fault {fault.kind.value!r}, "
                f"which only {other} knows"
            )
