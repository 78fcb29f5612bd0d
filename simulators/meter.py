"""A simulated meter: what it answers on Modbus or publishes over MQTT at a time, faults included.

No sockets: `simulators.modbus`, `simulators.mqtt` and `simulators.history` carry the answers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from meters.interval import utc
from meters.meter_type import Kind
from meters.quantity import PER_UNIT, from_scaled, plain
from simulators.community import ModbusAddress, MqttAddress
from simulators.display import Display
from simulators.faults import FaultKind
from simulators.payload import PayloadForm

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from decimal import Decimal

    from meters.meter_type import MeterType
    from simulators.community import Meter
    from simulators.faults import ActiveFault
    from simulators.truth import Truth

SPIKE: int = 5_000 * PER_UNIT
AHEAD = timedelta(days=30)
EPOCH_TIME = "1970-01-01T00:00:00Z"
UNKNOWN_NUMBER = "99999999"
UNKNOWN_NAME = "unknown-meter"


@dataclass(frozen=True, slots=True)
class Message:
    """What a meter hands to a broker."""

    topic: str
    payload: bytes
    retain: bool = False


class SimulatedMeter:
    """The meter `meter` of the model `meter_type`, whose registers hold `truth`."""

    def __init__(self, meter: Meter, meter_type: MeterType, truth: Truth) -> None:
        if (meter_type.modbus is not None) != isinstance(meter.address, ModbusAddress):
            raise ValueError(f"{meter.id} is a {meter_type.id}, which is not read that way")
        self.meter = meter
        self.meter_type = meter_type
        self._mqtt = meter.address if isinstance(meter.address, MqttAddress) else None
        self._truth = truth
        self._billing = tuple(meter_type.billing_registers)
        self._form = PayloadForm(_pointers(meter_type))
        self._displays = {name: Display(meter_type, name) for name in meter_type.registers}

    @property
    def id(self) -> str:
        return self.meter.id

    def shown(self, name: str, time: datetime) -> Decimal:
        """Return what the display shows for the register `name`, in its canonical unit."""
        return from_scaled(self._displays[name].shown(self._truth.value(name, time)))

    def words(self, name: str, time: datetime, fault: ActiveFault | None = None) -> tuple[int, ...]:
        """Return the words of the register `name` at `time`, in wire order."""
        if fault is not None and fault.kind is FaultKind.SENTINEL:
            return self._displays[name].sentinel_words()
        return self._displays[name].words(self._value(name, time, fault))

    def image(
        self,
        time: datetime,
        names: Iterable[str] | None = None,
        fault: ActiveFault | None = None,
    ) -> dict[int, int]:
        """Return address → word for the registers `names` (by default the billing registers)."""
        image: dict[int, int] = {}
        for name in self._billing if names is None else names:
            address = self.meter_type.registers[name].address
            if address is None:
                raise ValueError(f"register {name!r} of {self.meter_type.id} is not on Modbus")
            image.update(enumerate(self.words(name, time, fault), start=address))
        return image

    def messages(self, time: datetime, fault: ActiveFault | None = None) -> tuple[Message, ...]:
        """Return what the meter publishes at `time`: one message, with a fault none or two."""
        if self._mqtt is None:
            raise ValueError(f"{self.id} is on Modbus and publishes nothing")
        kind = None if fault is None else fault.kind
        if kind is FaultKind.DEAD:
            return ()
        topic, number = self._mqtt.topic, self._mqtt.number
        if kind is FaultKind.UNKNOWN_METER:
            topic = f"{topic.rpartition('/')[0]}/{UNKNOWN_NAME}".lstrip("/")
            number = UNKNOWN_NUMBER
        payload = self._payload(number, time, fault).encode()
        if kind is FaultKind.TRUNCATED:
            payload = payload[: len(payload) // 2]
        elif kind is FaultKind.NOT_UTF8:
            payload = payload[:2] + b"\xff\xfe" + payload[2:]
        message = Message(topic, payload, retain=kind is FaultKind.RETAINED)
        return (message, message) if kind is FaultKind.DUPLICATE else (message,)

    def _value(self, name: str, time: datetime, fault: ActiveFault | None) -> int:
        match None if fault is None else fault.kind:
            case FaultKind.ZERO:
                return 0
            case FaultKind.STUCK if fault is not None:
                return self._truth.value(name, fault.since)
            case FaultKind.SPIKE if self.meter_type.registers[name].kind is not Kind.GAUGE:
                return self._truth.value(name, time) + SPIKE
            case _:
                return self._truth.value(name, time)

    def _payload(self, number: str, time: datetime, fault: ActiveFault | None) -> str:
        """Return the JSON text that the type's pointers describe."""
        access = self.meter_type.mqtt
        if access is None:
            raise ValueError(f"{self.meter_type.id} has no payload")
        kind = None if fault is None else fault.kind
        texts: dict[str, str] = {}
        if access.identity is not None:
            texts[access.identity] = json.dumps(number)
        for name, register in self.meter_type.registers.items():
            if register.pointer is None:
                continue
            value = plain(self._displays[name].number(self._value(name, time, fault)))
            is_text = kind is FaultKind.WRONG_TYPE and register.kind is not Kind.GAUGE
            texts[register.pointer] = json.dumps(value) if is_text else value
        if access.time is not None:
            texts[access.time] = json.dumps(_device_time(time, kind))
        return self._form.fill(texts)


def _pointers(meter_type: MeterType) -> list[str]:
    """Return the pointers of a payload of `meter_type`; none for a Modbus type."""
    access = meter_type.mqtt
    if access is None:
        return []
    registers = [register.pointer for register in meter_type.registers.values()]
    pointers = [access.identity, *registers, access.time]
    return [pointer for pointer in pointers if pointer is not None]


def _device_time(time: datetime, kind: FaultKind | None) -> str:
    if kind is FaultKind.DATED_1970:
        return EPOCH_TIME
    shown = utc(time + AHEAD if kind is FaultKind.FUTURE else time)
    return shown.replace(tzinfo=None, microsecond=0).isoformat() + "Z"
