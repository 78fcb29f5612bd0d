"""The one door for everything that is read: decoded, judged, and kept in the spool.

What comes in is counted exactly once: a decoded message as its readings, anything else as one item
in quarantine. Nothing is durable before `commit`, and nothing may be acknowledged before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.batch import Batch
from gateway.judging import Judging
from gateway.quarantine import Fault, quarantined
from gateway.recent import SAME_S, Recent, message_mark, uplink_mark
from gateway.topics import Places
from meters.decoding import decode_image, decode_payload
from meters.words import from_hex, to_hex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from gateway.recent import Mark
    from gateway.site import MqttMeter
    from gateway.spool import Spool
    from gateway.spool_file import Entry
    from gateway.topics import Place
    from meters.decoding import Telegram
    from meters.meter_type import MeterType
    from meters.question import Question
    from meters.reading import Series

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A clock that shows an earlier time was never set."""
MOST_AHEAD = timedelta(minutes=5)
"""How far a meter's clock may be ahead of the gateway's."""
FROM_BROKER, FROM_BUS = "mqtt:", "meter:"
"""How the source of an item in quarantine begins: then comes the topic, or the meter."""
CURABLE = frozenset({Fault.UNKNOWN_METER, Fault.IDENTITY, Fault.PAYLOAD})
"""What a site that knows more may understand after all."""
PAGE = 500


class Committed(NamedTuple):
    """What a commit made durable."""

    readings: int
    quarantined: int


class _Message(NamedTuple):
    """What came through the broker; `kept` says that it comes from the quarantine."""

    topic: str
    payload: bytes
    received_at: datetime
    retained: bool
    again: bool = False
    kept: bool = False


class Refusal(Exception):  # noqa: N818 - no error: it says which fault an item has
    """A message or image is no reading, for `fault`."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


class Intake:
    """Takes in words and payloads for `spool`, in batches that `commit` makes durable.

    `meters` are the types of the meters on Modbus by meter, `identities` the numbers that they must
    state; `mqtt` are the meters that report through a broker. One thread uses an intake; there is
    one intake for a spool.
    """

    def __init__(
        self,
        spool: Spool,
        *,
        meters: Mapping[str, MeterType] | None = None,
        mqtt: Iterable[MqttMeter] = (),
        identities: Mapping[str, str] | None = None,
    ) -> None:
        self._spool = spool
        self._judging = Judging(spool.baselines())
        self._recent = Recent(spool.marks())
        self._batch = Batch()
        self._know(meters, mqtt, identities)

    def replace_site(
        self,
        *,
        meters: Mapping[str, MeterType] | None = None,
        mqtt: Iterable[MqttMeter] = (),
        identities: Mapping[str, str] | None = None,
    ) -> None:
        """Know other meters from now on; what was taken in stays, and so does what it is judged by.

        `adopt` then takes in what was kept of meters that were not known before.
        """
        self._know(meters, mqtt, identities)

    @property
    def uncommitted(self) -> int:
        """How many readings and items wait for `commit`."""
        return self._batch.readings + len(self._batch.items)

    def words(
        self,
        meter: str,
        time: datetime,
        image: Mapping[int, int],
        *,
        now: datetime | None = None,
        identity: str | None = None,
        trusted: bool = True,
    ) -> None:
        """Take in what `meter` answered at `time` (UTC): `image`, address → word.

        `now` is the gateway's clock where that is another than the answer's time, and `trusted`
        whether it may be believed; `identity` is the number that the meter stated, None where it
        was not asked.
        """
        received_at = time if now is None else now
        try:
            self._take_words(
                meter, time, image, now=received_at, identity=identity, trusted=trusted
            )
        except Refusal as refusal:
            content = " ".join(f"{a:04x}={to_hex([word])}" for a, word in sorted(image.items()))
            source = f"{FROM_BUS}{meter}"
            self.set_aside(received_at, source, refusal.fault, str(refusal), content.encode())

    def payload(
        self,
        topic: str,
        payload: bytes,
        *,
        received_at: datetime,
        retained: bool = False,
        again: bool = False,
    ) -> str | None:
        """Take in the `payload` that came under `topic`; return its meter, None in quarantine.

        A reading's time is the device's where its type states one, else that of the receipt.
        `again` says that the broker may have delivered the message before.
        """
        try:
            return self._take_payload(_Message(topic, payload, received_at, retained, again))
        except Refusal as refusal:
            source = f"{FROM_BROKER}{topic}"
            self.set_aside(
                received_at, source, refusal.fault, str(refusal), payload, retained=retained
            )
            return None

    def set_aside(
        self,
        received_at: datetime,
        source: str,
        reason: Fault,
        detail: str,
        content: bytes,
        *,
        retained: bool = False,
    ) -> None:
        """Take in what is no reading: one item for the quarantine."""
        self._batch.items.append(
            quarantined(
                received_at=received_at.replace(microsecond=0),
                source=source,
                reason=reason,
                detail=detail,
                content=content,
                retained=retained,
            )
        )

    def commit(self) -> Committed:
        """Make everything taken in durable, in one transaction.

        Raises `sqlite3.OperationalError` where the disk refuses and `SpoolFullError` where the
        spool may not grow; everything is kept, and the call may be repeated.
        """
        batch = self._batch
        if batch:
            batch.put_into(self._spool)
            self._batch = Batch()
        return Committed(batch.readings, len(batch.items))

    def adopt(self, source: str | None = None) -> int:
        """Take in what quarantine holds (of `source`) and the site knows by now; return how much.

        What is kept of a meter goes through the same door as if it came now, with the time of its
        receipt. What is still not understood stays where it is. Commits; may be repeated where
        that fails.
        """
        adopted = after = 0
        while page := self._spool.quarantine(limit=PAGE, after=after, source=source):
            for entry in page:
                after = entry.id
                adopted += self._retake(entry)
            self.commit()
        return adopted

    def questions(self) -> tuple[Question, ...]:
        """Return what only a person can answer about a counter."""
        return self._judging.questions()

    def rebase(self, series: Series, time: datetime, value: Decimal) -> None:
        """Let `series` go on from `value`, which it showed at `time`, as a person confirmed."""
        self._judging.rebase(self._batch, series, time, value)

    # inside

    def _know(
        self,
        meters: Mapping[str, MeterType] | None,
        mqtt: Iterable[MqttMeter],
        identities: Mapping[str, str] | None,
    ) -> None:
        self._types = dict(meters or {})
        self._identities = dict(identities or {})
        self._places = Places(mqtt)

    def _take_words(
        self,
        meter: str,
        time: datetime,
        image: Mapping[int, int],
        *,
        now: datetime,
        identity: str | None = None,
        trusted: bool = True,
    ) -> None:
        if clock := _clock_fault(time, now):
            raise Refusal(Fault.CLOCK, f"{clock}; check the gateway's clock and time server")
        meter_type = self._types.get(meter)
        if meter_type is None:
            detail = f"no device of the settings is meter {meter!r}; add it to its bus"
            raise Refusal(Fault.UNKNOWN_METER, detail)
        stated = self._identities.get(meter)
        matches = None
        if stated is not None and identity is not None:
            matches = stated.casefold() == identity.casefold()
        self._judging.take(
            self._batch,
            meter,
            meter_type,
            time,
            decode_image(meter_type, image),
            identity_matches=matches,
            trusted=trusted,
        )

    def _take_payload(self, message: _Message) -> str:
        topic, received_at = message.topic, message.received_at
        place = self._places.find(topic)
        if place is None:
            raise Refusal(
                Fault.UNKNOWN_METER,
                f"no meter of the settings reports under {topic!r}; add an [[mqtt.meter]] with "
                "this topic, or narrow mqtt.listen",
            )
        meter_type = place.meter_type
        try:
            telegram = decode_payload(meter_type, message.payload, subtopic=place.subtopic)
        except (ValueError, ArithmeticError) as error:
            raise Refusal(
                Fault.PAYLOAD,
                f"{error}; expected a telegram of type {meter_type.id}: check that the meter's "
                "type and topic are right",
            ) from error
        sender = place.sender(telegram.identity)
        if sender is None:
            raise _nobody(place, telegram, topic)
        meter = sender.meter
        time = received_at if telegram.time is None else telegram.time
        if clock := _clock_fault(time, received_at):
            detail = f"{clock}; set the clock of meter {meter} or of what reads it"
            raise Refusal(Fault.CLOCK, detail)
        if telegram.sequence is not None:
            mark = uplink_mark(meter, telegram, time)
            came_before = self._recent.holds(mark, within_s=SAME_S)
        elif telegram.time is None:
            mark = message_mark(topic, message.payload, time)
            came_before = self._came_before(message, mark)
        else:
            self._judging.take(self._batch, meter, meter_type, time, telegram.registers)
            return meter
        if came_before:
            self._batch.duplicates += len(telegram.registers)
        else:
            self._judging.take(self._batch, meter, meter_type, time, telegram.registers)
            self._remember(mark)
        return meter

    def _came_before(self, message: _Message, mark: Mark) -> bool:
        """Return whether a message that states no time was taken in before."""
        if not message.retained:
            return message.again and self._recent.holds(mark, within_s=SAME_S)
        if not message.kept:
            if self._recent.holds(mark):
                return True
            self._remember(mark)  # the broker sends it again whenever we subscribe: once is enough
        raise Refusal(
            Fault.RETAINED,
            "a retained message without a device time does not say when the meter was read; "
            "let the publisher send without the retain flag, or with a time",
        )

    def _remember(self, mark: Mark) -> None:
        self._recent.add(mark)
        self._batch.marks.append(mark)

    def _retake(self, entry: Entry) -> bool:
        """Take in an item of the quarantine, if it can be by now."""
        item = entry.item
        if item.reason not in CURABLE or entry.id in self._batch.retaken:
            return False
        try:
            if item.source.startswith(FROM_BROKER):
                topic = item.source.removeprefix(FROM_BROKER)
                self._take_payload(
                    _Message(topic, item.content, item.received_at, item.retained, kept=True)
                )
            else:
                meter, image = item.source.removeprefix(FROM_BUS), _image(item.content)
                self._take_words(meter, item.received_at, image, now=item.received_at)
        except (Refusal, ValueError):
            return False
        self._batch.retaken.append(entry.id)
        return True


def _nobody(place: Place, telegram: Telegram, topic: str) -> Refusal:
    reported = f"meter number {telegram.identity!r} reported under {topic!r}"
    if place.is_shared:
        detail = f"{reported}, and nobody has stated it; add an [[mqtt.meter]] with this identity"
        return Refusal(Fault.UNKNOWN_METER, detail)
    stated = ", ".join(repr(identity) for identity in place.stated[:5])
    return Refusal(
        Fault.IDENTITY,
        f"{reported}, where {stated} is stated; if the meter was exchanged, enter the new number",
    )


def _image(content: bytes) -> dict[int, int]:
    """Return the words that `Intake.words` kept as text."""
    pairs = (each.split("=") for each in content.decode("ascii").split())
    return {int(address, 16): from_hex(word)[0] for address, word in pairs}


def _clock_fault(time: datetime, now: datetime) -> str | None:
    if time < EARLIEST:
        return f"the time of the reading is {time.isoformat()}, before 2000"
    if time > now + MOST_AHEAD:
        ahead = (time - now) // timedelta(seconds=1)
        return f"the time of the reading is {time.isoformat()}, {ahead} s ahead of the gateway"
    return None
