"""A simulated meter: what it answers on Modbus or publishes over MQTT at a time, faults included.

No sockets: `simulators.modbus`, `simulators.mqtt` and `simulators.history` carry the answers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from meters.access import TimeFormat
from meters.interval import utc
from meters.quantity import PER_UNIT, to_scaled
from simulators.chance import between
from simulators.envelope import Envelope, Uplink, enveloped, topic_of
from simulators.faults import SOUND, FaultKind
from simulators.identity import EUI_DIGITS, drawn_number, identity_words
from simulators.load import ANCHOR
from simulators.model import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meters.access import LorawanAccess, MqttAccess
    from meters.meter_type import MeterType
    from simulators.faults import ActiveFault, Condition
    from simulators.model import Model
    from simulators.truth import Truth

SPIKE = Decimal(5_000)
BEFORE_ROLLOVER = Decimal(1)
AHEAD = timedelta(days=30)
EPOCH_TIME = datetime.fromisoformat("1970-01-01T00:00:00Z")
UNKNOWN_NUMBER = "99999999"
UNKNOWN_NAME = "unknown-meter"
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Message:
    """What a meter hands to a broker."""

    topic: str
    payload: bytes
    retain: bool = False


class SimulatedMeter:
    """The meter `meter_id` of `model`, whose registers hold `truth`, and which bears `number`.

    One that publishes has a `topic`: that of its JSON, or the one above its registers' own topics;
    a LoRaWAN meter has the topic of the network server that `envelope` names.
    """

    __slots__ = ("_truth", "_turned", "envelope", "id", "model", "neighbour", "number", "topic")

    def __init__(
        self,
        meter_id: str,
        model: Model,
        truth: Truth,
        *,
        number: str,
        topic: str = "",
        envelope: Envelope = Envelope.CHIRPSTACK,
    ) -> None:
        self.id = meter_id
        self.model = model
        self.number = number
        self.envelope = envelope
        is_uplink = model.meter_type.lorawan is not None
        self.topic = topic_of(envelope, number, meter_id) if is_uplink and not topic else topic
        self.neighbour: SimulatedMeter | None = None
        """Another meter of the same model, whose counters a crossed answer holds."""
        self._truth = truth
        self._turned: dict[tuple[ActiveFault, ...], Truth] = {}

    @property
    def meter_type(self) -> MeterType:
        return self.model.meter_type

    @property
    def publishes(self) -> bool:
        """Whether it reports by itself, through a broker."""
        return self.meter_type.modbus is None

    def shown(self, name: str, time: datetime, condition: Condition = SOUND) -> Decimal:
        """Return what the display shows for the register `name`, in its canonical unit."""
        return self.model.displays[name].canonical(self._value(name, time, condition))

    def stated_number(self, condition: Condition = SOUND) -> str:
        """Return the number of the device that hangs there."""
        for turn in reversed(condition.turns):
            if turn.kind is FaultKind.EXCHANGE:
                key = self.number, "exchange", turn.since.isoformat()
                return turn.fault.number or drawn_number(self.meter_type, *key)
        return self.number

    def words(self, name: str, time: datetime, condition: Condition = SOUND) -> tuple[int, ...]:
        """Return the words of the register or scale factor `name` at `time`, in wire order."""
        if (said := self.model.scale_words.get(name)) is not None:
            return said[-1 if condition.kind is FaultKind.RESCALED else 0]
        if condition is SOUND and name != IDENTITY:
            return self.model.displays[name].words(self._truth.value(name, time))
        if name == IDENTITY:
            access = self.meter_type.modbus
            if access is None or access.identity is None:
                raise ValueError(f"{self.meter_type.id} has no identity register")
            return identity_words(access.identity, self.stated_number(condition))
        display = self.model.displays[name]
        if condition.shows_in(name) is FaultKind.SENTINEL:
            return display.sentinel_words()
        return display.words(self._value(name, time, condition))

    def image(
        self,
        time: datetime,
        names: Iterable[str] | None = None,
        condition: Condition = SOUND,
    ) -> dict[int, int]:
        """Return address → word for the registers `names` (by default the billing registers).

        Their scale factors are among the words.
        """
        if self.publishes:
            raise ValueError(f"{self.id} publishes, and is not on Modbus")
        first_word, places = self.model.first_word, self.model.places
        image: dict[int, int] = {}
        for name in self.model.billing if names is None else names:
            for place in places.get(name, (name,)):
                words = self.words(place, time, condition)
                image.update(enumerate(words, start=first_word[place]))
        return image

    def messages(self, time: datetime, condition: Condition = SOUND) -> tuple[Message, ...]:
        """Return what the meter publishes at `time`: a message for each of its topics."""
        if not self.publishes:
            raise ValueError(f"{self.id} is on Modbus and publishes nothing")
        kind = condition.kind
        if kind is FaultKind.DEAD:
            return ()
        number = self.stated_number(condition)
        topic = self.topic.replace(self.number, number)
        if kind is FaultKind.UNKNOWN_METER:
            topic, number = self._unknown()
        return tuple(
            Message(
                f"{topic}/{subtopic}" if subtopic else topic,
                _damaged(text.encode(), kind),
                # one value a topic is retained, as the Homie convention demands
                retain=kind is FaultKind.RETAINED or subtopic in self.model.plain,
            )
            for subtopic, text in self._texts(number, time, condition)
        )

    def _unknown(self) -> tuple[str, str]:
        if self.meter_type.lorawan is not None:
            number = "f" * EUI_DIGITS
            return topic_of(self.envelope, number, UNKNOWN_NAME), number
        return f"{self.topic.rpartition('/')[0]}/{UNKNOWN_NAME}".lstrip("/"), UNKNOWN_NUMBER

    def _texts(
        self, number: str, time: datetime, condition: Condition
    ) -> Iterable[tuple[str, str]]:
        """Yield each topic below the meter's, and the text that it brings."""
        if self.meter_type.lorawan is not None:
            yield "", self._uplink(self.meter_type.lorawan, number, time, condition)
            return
        access = self.meter_type.mqtt
        if access is None:
            raise ValueError(f"{self.meter_type.id} has no payload")
        for subtopic, form in self.model.forms.items():
            if form is None:
                name = self.model.plain[subtopic]
                yield subtopic, self._text(name, time, condition)
                continue
            texts = self._pointed(subtopic, time, condition)
            if access.identity is not None:
                texts[access.identity] = json.dumps(number)
            if access.time is not None:
                texts[access.time] = _time_text(_device_time(time, condition), access)
            yield subtopic, form.fill(texts)

    def _pointed(self, subtopic: str, time: datetime, condition: Condition) -> dict[str, str]:
        """Return pointer → JSON text of the registers that `subtopic` brings."""
        return {
            register.pointer: self._text(name, time, condition)
            for name, register in self.meter_type.registers.items()
            if register.pointer is not None and (register.topic or "") == subtopic
        }

    def _text(self, name: str, time: datetime, condition: Condition) -> str:
        display = self.model.displays[name]
        match condition.shows_in(name):
            case FaultKind.SENTINEL:
                return display.sentinel_text()
            case FaultKind.WRONG_TYPE if name not in self.model.gauges:
                return json.dumps(display.text(self._value(name, time, condition)))
            case _:
                return display.text(self._value(name, time, condition))

    def _uplink(
        self, access: LorawanAccess, number: str, time: datetime, condition: Condition
    ) -> str:
        form = self.model.forms.get("")
        payload = self._bytes(access, time, condition)
        if condition.kind is FaultKind.WRONG_TYPE:
            payload = payload[:-1]
        uplink = Uplink(
            device=number,
            name=UNKNOWN_NAME if condition.kind is FaultKind.UNKNOWN_METER else self.id,
            time=_device_time(time, condition),
            # seconds since it was put in: it grows with each uplink, whichever process sends it
            counter=(time - ANCHOR) // _SECOND,
            port=access.port or 1,
            payload=payload,
            decoded=None if form is None else form.fill(self._pointed("", time, condition)),
        )
        return enveloped(self.envelope, uplink)

    def _bytes(self, access: LorawanAccess, time: datetime, condition: Condition) -> bytes:
        binary = {
            name: register.span
            for name, register in self.meter_type.registers.items()
            if register.byte is not None
        }
        start = bytes.fromhex(access.starts_with)
        payload = bytearray(max((span.stop for span in binary.values()), default=len(start)))
        payload[: len(start)] = start
        for name, span in binary.items():
            display = self.model.displays[name]
            payload[span.start : span.stop] = (
                display.sentinel_wire()
                if condition.shows_in(name) is FaultKind.SENTINEL
                else display.wire(self._value(name, time, condition))
            )
        return bytes(payload)

    def _value(self, name: str, time: datetime, condition: Condition) -> int:
        truth = self._truth if not condition.turns else self._after(condition.turns)
        match condition.shows_in(name):
            case FaultKind.ZERO:
                return 0
            case FaultKind.STUCK if condition.fault is not None:
                return truth.value(name, condition.fault.since)
            case FaultKind.SPIKE if name not in self.model.gauges:
                amount = None if condition.fault is None else condition.fault.fault.amount
                return truth.value(name, time) + to_scaled(SPIKE if amount is None else amount)
            case FaultKind.CROSSED:
                return self._other().value(name, time)
            case _:
                return truth.value(name, time)

    def _other(self) -> Truth:
        """Return what is true of another device: the neighbour, or one that is made up."""
        if self.neighbour is not None:
            return self.neighbour.truth
        more = between(100 * PER_UNIT, 900 * PER_UNIT, self.number, "crossed")
        return self._truth.restarted(ANCHOR, self._truth.counter.first + more)

    @property
    def truth(self) -> Truth:
        """What is true of the meter that was put in first."""
        return self._truth

    def _after(self, turns: tuple[ActiveFault, ...]) -> Truth:
        """Return what is true after `turns`, in the order of their times."""
        turned = self._turned.get(turns)
        if turned is None:
            turned = self._truth
            for turn in sorted(turns, key=lambda each: each.since):
                turned = turned.restarted(turn.since, self._restarts_at(turn))
            self._turned[turns] = turned
        return turned

    def _restarts_at(self, turn: ActiveFault) -> int:
        if turn.kind is not FaultKind.ROLLOVER:
            return to_scaled(turn.fault.first)
        full = self.model.rolls_over_at
        if full is None:
            raise ValueError(f"the counters of {self.meter_type.id} never roll over")
        amount = turn.fault.amount
        return full - to_scaled(BEFORE_ROLLOVER if amount is None else amount)


def _damaged(payload: bytes, kind: FaultKind | None) -> bytes:
    match kind:
        case FaultKind.TRUNCATED:
            return payload[: len(payload) // 2]
        case FaultKind.NOT_UTF8:
            return payload[:2] + b"\xff\xfe" + payload[2:]
        case _:
            return payload


def _device_time(time: datetime, condition: Condition) -> datetime:
    """Return what the meter's clock shows."""
    match condition.kind:
        case FaultKind.DATED_1970:
            return EPOCH_TIME
        case FaultKind.FUTURE:
            return time + AHEAD
        case FaultKind.CLOCK_OFF if condition.fault is not None:
            return time + condition.fault.fault.shift_s * _SECOND
        case _:
            return time


def _time_text(time: datetime, access: MqttAccess) -> str:
    seconds = (utc(time) - EPOCH_TIME) // _SECOND
    match access.time_format:
        case TimeFormat.UNIX:
            return str(seconds)
        case TimeFormat.UNIX_MS:
            return str(1000 * seconds)
        case TimeFormat.ISO:
            return json.dumps(utc(time).replace(tzinfo=None, microsecond=0).isoformat() + "Z")
