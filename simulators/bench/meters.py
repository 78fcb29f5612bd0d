"""The meters on a test bench: one type, drawn loads, numbers and topics of their own."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from meters.quantity import InexactQuantityError, to_scaled
from simulators.chance import between
from simulators.community import SHANGHAI
from simulators.envelope import Envelope
from simulators.fleet import acquaint
from simulators.identity import NumberError, check_number, drawn_number
from simulators.line import LAST_UNIT
from simulators.load import ANCHOR
from simulators.loads import Load, LoadError, LoadPlan
from simulators.meter import SimulatedMeter
from simulators.model import Model
from simulators.truth import Truth

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from meters.interval import Interval
    from meters.meter_type import MeterType

LEAST_FIRST, MOST_FIRST = 5_0000, 900_0000
"""What drawn counters show at `ANCHOR`, in 10⁻⁴ kWh; a tenth of it in 10⁻⁴ m³."""


class BenchError(ValueError):
    """What was asked for cannot stand on the bench; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """`count` meters of `meter_type`, drawn by `seed`; the first is `meter-1`.

    `load` stands behind each of them: by default a household, where there are several what a
    hundred doors hold. `first` (canonical units) is what they show at `ANCHOR`, by default drawn.
    `leak` is so much an hour from `leak_from` on. `number` is the number of the only one. `topic`
    may hold `{id}` and `{number}`.
    """

    meter_type: MeterType
    count: int = 1
    seed: int = 1
    load: Load | None = None
    zone: ZoneInfo = SHANGHAI
    first: Decimal | None = None
    away: tuple[Interval, ...] = ()
    leak: Decimal = Decimal(0)
    leak_from: datetime = ANCHOR
    number: str | None = None
    topic: str | None = None
    envelope: Envelope = Envelope.CHIRPSTACK

    def meters(self) -> tuple[SimulatedMeter, ...]:
        """Return the meters; raise `BenchError` where they cannot be."""
        if self.number is not None and self.count > 1:
            raise BenchError(
                f"{self.count} meters cannot all bear the number {self.number}; leave it out, and "
                "each draws its own"
            )
        model = Model(self.meter_type)
        try:
            meters = tuple(self._meter(place, model) for place in range(1, self.count + 1))
        except (InexactQuantityError, LoadError, NumberError) as error:
            raise BenchError(str(error)) from error
        acquaint(meters)
        return meters

    def _meter(self, place: int, model: Model) -> SimulatedMeter:
        meter_id = f"meter-{place}"
        key = self.seed, meter_id
        number = drawn_number(self.meter_type, *key) if self.number is None else self.number
        check_number(self.meter_type, number)
        load = self.load or (Load.HOUSEHOLD if self.count == 1 else Load.MIXED)
        behind = LoadPlan(
            load=load,
            medium=self.meter_type.medium,
            zone=self.zone,
            first=self._first(*key) if self.first is None else to_scaled(self.first),
            bands=model.bands,
            away=self.away,
            leak=to_scaled(self.leak),
            leak_from=self.leak_from,
        ).counters(*key)
        return SimulatedMeter(
            meter_id,
            model,
            Truth(model.recipes, behind.forward, *key, reverse=behind.reverse),
            number=number.lower() if self.meter_type.lorawan is not None else number,
            topic=self._topic(meter_id, number),
            envelope=self.envelope,
        )

    def _first(self, *key: int | str) -> int:
        divisor = 1 if self.meter_type.medium == "electricity" else 10
        return between(LEAST_FIRST, MOST_FIRST, *key, "first") // divisor

    def _topic(self, meter_id: str, number: str) -> str:
        """Return the topic asked for; by default `wmbusmeters/meter-1`, `homie/meter-1`, …

        LoRaWAN meters have by default that of their network server, which "" stands for.
        """
        if self.topic is not None:
            topic = self.topic.replace("{id}", meter_id).replace("{number}", number)
            if self.count > 1 and topic == self.topic:
                raise BenchError(
                    f"{self.count} meters would share the topic {topic!r}; let it hold {{id}} or "
                    "{number}"
                )
            return topic
        if self.meter_type.lorawan is not None:
            return ""
        return f"{self.meter_type.id.partition('-')[0]}/{meter_id}"


def on_lines(
    meters: tuple[SimulatedMeter, ...], first_unit: int = 1
) -> list[dict[int, SimulatedMeter]]:
    """Return `meters` by unit id, from `first_unit` on, on as many lines as they need."""
    lines: list[dict[int, SimulatedMeter]] = [{}]
    unit = first_unit
    for meter in meters:
        if unit > LAST_UNIT:
            lines.append({})
            unit = 1
        lines[-1][unit] = meter
        unit += 1
    return lines
