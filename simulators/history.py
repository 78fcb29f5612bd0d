"""The past on a compressed clock: what the wire would have carried, without the wire.

Modbus meters give the words of their billing registers in the form that
`meters.decoding.decode_image` takes, MQTT meters the topic and payload that
`meters.decoding.decode_payload` takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from simulators.delivery import Delivery
from simulators.faults import FaultKind, FaultPlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meters.interval import Interval
    from simulators.fleet import Fleet

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_WITHOUT_WORDS = frozenset(
    {
        FaultKind.DEAD,
        FaultKind.NETWORK_LOSS,
        FaultKind.EXCEPTION,
        FaultKind.SHORT_FRAME,
        FaultKind.CUT_FRAME,
        FaultKind.WRONG_UNIT,
        FaultKind.WRONG_FUNCTION,
        FaultKind.WRONG_TRANSACTION,
        FaultKind.WRONG_CRC,
        FaultKind.NOISE,
        FaultKind.EARLIER,
        FaultKind.HANG_UP,
    }
)
"""Faults that a master on the bus sees through: their answers carry no words to it."""


@dataclass(frozen=True, slots=True)
class ModbusAnswer:
    """The words that `meter` answered at `time`: address → word."""

    meter: str
    time: datetime
    image: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class MqttMessage:
    """The message that `meter` published at `time` (when a broker had it)."""

    meter: str
    time: datetime
    topic: str
    payload: bytes


def aligned(interval: Interval, every: timedelta = timedelta(hours=1)) -> Iterator[datetime]:
    """Yield the times in `interval` that are whole multiples of `every` since 1970, in UTC.

    The interval's end is not among them, like every end of a half-open interval.
    """
    if every <= timedelta(0):
        raise ValueError(f"readings every {every} would never end; use a positive time")
    first = -(-(interval.start - _EPOCH) // every)
    time = _EPOCH + first * every
    while time < interval.end:
        yield time
        time += every


def replay(
    fleet: Fleet,
    times: Iterable[datetime],
    *,
    meters: Iterable[str] | None = None,
    plan: FaultPlan | None = None,
) -> Iterator[ModbusAnswer | MqttMessage]:
    """Yield for each time in turn what each meter (of `meters`, by default all) sends.

    A meter that a fault of `plan` keeps from answering is left out at that time.
    """
    faults = FaultPlan() if plan is None else plan
    delivery = Delivery()
    chosen = [fleet.meters[meter] for meter in (fleet.meters if meters is None else meters)]
    for time in times:
        for meter in chosen:
            condition = faults.next(meter.id, time)
            if meter.publishes:
                messages = meter.messages(time, condition)
                for message in delivery.of(meter.id, messages, condition):
                    yield MqttMessage(meter.id, time, message.topic, message.payload)
            elif condition.kind not in _WITHOUT_WORDS:
                yield ModbusAnswer(meter.id, time, meter.image(time, condition=condition))
