"""The one door for everything that is read: decoded, judged, and kept in the spool.

What comes in is counted exactly once: a decoded message as its readings, anything else as one item
in quarantine. Nothing is durable before `commit`, and nothing may be acknowledged before.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.quarantine import Fault, quarantined
from gateway.spool_file import row
from meters.decoding import decode_image, decode_payload, observations
from meters.judge import judge
from meters.words import to_hex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.quarantine import Quarantined
    from gateway.site import MqttMeter
    from gateway.spool import Spool
    from gateway.spool_file import Row
    from meters.decoding import Decoded, Telegram
    from meters.judge import Baseline
    from meters.meter_type import MeterType
    from meters.reading import Series

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A clock that shows an earlier time was never set."""
MOST_AHEAD = timedelta(minutes=5)
"""How far a meter's clock may be ahead of the gateway's."""


class Committed(NamedTuple):
    """What a commit made durable."""

    readings: int
    quarantined: int


class Intake:
    """Takes in words and payloads for `spool`, in batches that `commit` makes durable.

    `meters` are the types of the meters on Modbus by meter; `mqtt` are the meters that report
    through a broker. One thread uses an intake; there is one intake for a spool.
    """

    def __init__(
        self,
        spool: Spool,
        *,
        meters: Mapping[str, MeterType] | None = None,
        mqtt: Iterable[MqttMeter] = (),
    ) -> None:
        self._spool = spool
        self._types = dict(meters or {})
        self._by_topic: dict[str, dict[str | None, MqttMeter]] = defaultdict(dict)
        for meter in mqtt:
            self._by_topic[meter.topic][meter.identity] = meter
        self._baselines = spool.baselines()
        self._rows: list[Row] = []
        self._items: list[Quarantined] = []
        self._moved: dict[Series, Baseline] = {}

    @property
    def uncommitted(self) -> int:
        """How many readings and items wait for `commit`."""
        return len(self._rows) + len(self._items)

    def words(
        self,
        meter: str,
        time: datetime,
        image: Mapping[int, int],
        *,
        now: datetime | None = None,
    ) -> None:
        """Take in what `meter` answered at `time` (UTC): `image`, address → word.

        `now` is the gateway's clock where that is another than the answer's time.
        """
        meter_type = self._types.get(meter)
        fault = None if meter_type is not None else Fault.UNKNOWN_METER
        detail = f"no device of the settings is meter {meter!r}; add it to its bus"
        if clock := _clock_fault(time, time if now is None else now):
            fault, detail = Fault.CLOCK, f"{clock}; check the gateway's clock and time server"
        if meter_type is None or fault is not None:
            content = " ".join(f"{a:04x}={to_hex([word])}" for a, word in sorted(image.items()))
            self.set_aside(
                time if now is None else now,
                f"meter:{meter}",
                fault or Fault.UNKNOWN_METER,
                detail,
                content.encode(),
            )
            return
        self._judge(meter, meter_type, time, decode_image(meter_type, image))

    def payload(
        self, topic: str, payload: bytes, *, received_at: datetime, retained: bool = False
    ) -> str | None:
        """Take in the `payload` that came under `topic`; return its meter, None in quarantine.

        A reading's time is the device's where its type states one, else that of the receipt.
        """
        source = f"mqtt:{topic}"
        candidates = self._by_topic.get(topic)
        if candidates is None:
            detail = (
                f"no meter of the settings reports under {topic!r}; add an [[mqtt.meter]] with "
                "this topic, or narrow mqtt.listen"
            )
            self.set_aside(received_at, source, Fault.UNKNOWN_METER, detail, payload)
            return None
        meter_type = next(iter(candidates.values())).type
        try:
            telegram = decode_payload(meter_type, payload)
        except (ValueError, ArithmeticError) as error:
            detail = (
                f"{error}; expected a telegram of type {meter_type.id}: check that the meter's "
                "type and topic are right"
            )
            self.set_aside(received_at, source, Fault.PAYLOAD, detail, payload)
            return None
        found = self._from_whom(candidates, telegram, topic)
        if isinstance(found, str):
            self.set_aside(received_at, source, Fault.IDENTITY, found, payload)
            return None
        time = received_at if telegram.time is None else telegram.time
        if telegram.time is None and retained:
            detail = (
                "a retained message without a device time does not say when the meter was read; "
                "let the publisher send without the retain flag, or with a time"
            )
            self.set_aside(received_at, source, Fault.RETAINED, detail, payload)
        elif clock := _clock_fault(time, received_at):
            detail = f"{clock}; set the clock of meter {found.meter} or of what reads it"
            self.set_aside(received_at, source, Fault.CLOCK, detail, payload)
        else:
            self._judge(found.meter, meter_type, time, telegram.registers)
            return found.meter
        return None

    def set_aside(
        self, received_at: datetime, source: str, reason: Fault, detail: str, content: bytes
    ) -> None:
        """Take in what is no reading: one item for the quarantine."""
        self._items.append(
            quarantined(
                received_at=received_at.replace(microsecond=0),
                source=source,
                reason=reason,
                detail=detail,
                content=content,
            )
        )

    def commit(self) -> Committed:
        """Make everything taken in durable, in one transaction.

        Raises `sqlite3.OperationalError` where the disk refuses; everything is kept, and the call
        may be repeated.
        """
        committed = Committed(len(self._rows), len(self._items))
        if self.uncommitted:
            self._spool.take_in(self._rows, self._items, self._moved)
            self._rows.clear()
            self._items.clear()
            self._moved.clear()
        return committed

    def _from_whom(
        self, candidates: Mapping[str | None, MqttMeter], telegram: Telegram, topic: str
    ) -> MqttMeter | str:
        """Return the meter that sent `telegram`, or what is wrong with its identity."""
        found = candidates.get(telegram.identity) or candidates.get(None)
        if found is not None:
            return found
        stated = ", ".join(repr(identity) for identity in list(candidates)[:5])
        return (
            f"meter number {telegram.identity!r} reported under {topic!r}, where {stated} is "
            "stated; if the meter was exchanged, enter the new number"
        )

    def _judge(
        self, meter: str, meter_type: MeterType, time: datetime, decoded: Mapping[str, Decoded]
    ) -> None:
        registers = meter_type.registers
        rows: list[Row] = []
        moved: dict[Series, Baseline] = {}
        for observation in observations(meter, time, decoded):
            series = observation.series
            register = registers[series.register]
            known = self._baselines.get(series)
            reading, baseline = judge(observation, register, known)
            rows.append(row(reading))
            # only a counter is judged by what it showed before
            if baseline is not known and baseline is not None and register.kind.is_billing:
                moved[series] = baseline
        self._rows += rows
        self._baselines |= moved
        self._moved |= moved


def _clock_fault(time: datetime, now: datetime) -> str | None:
    if time < EARLIEST:
        return f"the time of the reading is {time.isoformat()}, before 2000"
    if time > now + MOST_AHEAD:
        ahead = (time - now) // timedelta(seconds=1)
        return f"the time of the reading is {time.isoformat()}, {ahead} s ahead of the gateway"
    return None
