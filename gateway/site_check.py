"""What the shape of a settings file cannot say: that its names exist, once, and fit together."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from meters.definition import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gateway.settings import BusTable, MqttMeterTable, MqttTable, Settings
    from meters.meter_type import MeterType

Entry = TypeVar("Entry")

LAST_UNIT = 247
"""The last unit on a serial line; 0 is the broadcast, which nobody answers."""


def check(settings: Settings, types: Mapping[str, MeterType], source: str) -> Iterator[Problem]:
    """Yield everything in `settings` that does not fit together; `types` are the known ones."""
    yield from _zone(settings, source)
    yield from _buses(settings, types, source)
    if settings.mqtt is not None:
        yield from _mqtt(settings.mqtt, types, source)
    meters = [device.meter for bus in settings.bus for device in bus.device]
    meters += [meter.meter for meter in (settings.mqtt.meter if settings.mqtt else ())]
    for meter in _doubled(meters):
        what = f"the meter {meter!r} is stated more than once; each meter has one way in"
        yield Problem(source, "meter", what)


def serial_lines(bus: BusTable, types: Mapping[str, MeterType]) -> set[str]:
    """Return how the serial line of `bus` is set: as it is stated, else as its meters come."""
    if bus.line is not None:
        return {bus.line}
    accesses = [types[device.type].modbus for device in bus.device if device.type in types]
    return {access.serial for access in accesses if access is not None and access.serial}


def _zone(settings: Settings, source: str) -> Iterator[Problem]:
    try:
        ZoneInfo(settings.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        what = f"{settings.zone!r} is no time zone; write one as Asia/Shanghai"
        yield Problem(source, "zone", what)


def _buses(settings: Settings, types: Mapping[str, MeterType], source: str) -> Iterator[Problem]:
    for name in _doubled(bus.name for bus in settings.bus):
        yield Problem(source, "bus", f"two buses are named {name!r}; give each its own name")
    for way in _doubled(bus.serial or f"{bus.host}:{bus.port}" for bus in settings.bus):
        what = f"two buses use {way}; put the devices of one line into one [[bus]]"
        yield Problem(source, "bus", what)
    for number, bus in enumerate(settings.bus, start=1):
        yield from _bus(bus, types, source, f"bus[{number}]")


def _bus(
    bus: BusTable, types: Mapping[str, MeterType], source: str, where: str
) -> Iterator[Problem]:
    if bus.serial is not None and len(lines := serial_lines(bus, types)) != 1:
        found = " and ".join(sorted(lines)) or "no line"
        what = (
            f'its meters come with {found}; state the one that they are set to: line = "9600 8N1"'
        )
        yield Problem(source, f"{where}.line", what)
    for unit in _doubled(device.unit for device in bus.device):
        what = f"unit {unit} is stated twice on bus {bus.name!r}; each device has its own"
        yield Problem(source, f"{where}.device", what)
    is_serial = bus.serial is not None or bus.framing == "rtu"
    for position, device in enumerate(bus.device, start=1):
        at = f"{where}.device[{position}]"
        if is_serial and not 1 <= device.unit <= LAST_UNIT:
            what = f"{device.unit} is no unit of a serial line; they are 1 to {LAST_UNIT}"
            yield Problem(source, f"{at}.unit", what)
        if problem := _type_problem(device.type, types, "Modbus"):
            yield Problem(source, f"{at}.type", problem)
            continue
        access = types[device.type].modbus
        if device.identity is not None and access is not None and access.identity is None:
            what = f"the type {device.type!r} has no identity register; remove the key"
            yield Problem(source, f"{at}.identity", what)


def _mqtt(mqtt: MqttTable, types: Mapping[str, MeterType], source: str) -> Iterator[Problem]:
    for position, meter in enumerate(mqtt.meter, start=1):
        where = f"mqtt.meter[{position}]"
        problem = _type_problem(meter.type, types, "MQTT")
        if problem:
            yield Problem(source, f"{where}.type", problem)
            continue
        if "{identity}" in meter.topic and meter.identity is None:
            what = f"the topic {meter.topic!r} holds the identity; state it"
            yield Problem(source, f"{where}.identity", what)
        elif meter.identity is not None and not (
            types[meter.type].states_identity or "{identity}" in meter.topic
        ):
            what = f"the type {meter.type!r} states no identity in its payload; remove the key"
            yield Problem(source, f"{where}.identity", what)
    for topic in _doubled(topic_of(meter) for meter in mqtt.meter):
        sharing = [meter for meter in mqtt.meter if topic_of(meter) == topic]
        identities = [meter.identity and meter.identity.casefold() for meter in sharing]
        if None in identities or len(set(identities)) < len(sharing):
            what = f"several meters share {topic!r}; state the identity of each, all different"
            yield Problem(source, "mqtt.meter", what)
        if len({meter.type for meter in sharing}) > 1:
            what = f"meters of different types share {topic!r}; give each type its own topic"
            yield Problem(source, "mqtt.meter", what)
        elif (named := types.get(sharing[0].type)) is not None and not named.states_identity:
            what = f"meters of type {named.id!r} cannot share {topic!r}: nothing tells them apart"
            yield Problem(source, "mqtt.meter", what)


def topic_of(meter: MqttMeterTable) -> str:
    """Return the topic of `meter` with its own name and number in their places."""
    topic = meter.topic.replace("{meter}", meter.meter)
    return topic.replace("{identity}", meter.identity or "{identity}")


def _type_problem(name: str, types: Mapping[str, MeterType], way: str) -> str | None:
    if name not in types:
        close = difflib.get_close_matches(name, sorted(types), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(types))}"
        return f"unknown meter type {name!r}; {hint}"
    answers = "MQTT" if types[name].modbus is None else "Modbus"
    return None if answers == way else f"the type {name!r} does not report over {way}"


def _doubled(found: Iterable[Entry]) -> list[Entry]:
    return [each for each, times in Counter(found).items() if times > 1]
