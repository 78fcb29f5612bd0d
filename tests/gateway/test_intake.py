"""One door: what is read is counted once; what is no reading is kept, with a reason."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.intake import Intake
from gateway.quarantine import Fault
from gateway.site import MqttMeter
from gateway.spool import Spool
from meters.catalog import shipped
from meters.proof import parse_meter_types
from meters.reading import Reading, Reason, Series, Verdict
from meters.words import WordOrder, WordType, encode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.spool_file import Entry

NOW = datetime(2026, 10, 3, 8, tzinfo=UTC)
WATER = shipped()["wmbusmeters-water"]
SDM120 = shipped()["eastron-sdm120"]
W1 = MqttMeter("w-1", WATER, "wmbusmeters/w-1", "76348799")
(UNDATED,) = parse_meter_types(
    {
        "kind": "meter-type",
        "id": "undated",
        "name": "A counter that does not know the time",
        "manufacturer": "None",
        "medium": "water",
        "mqtt": {},
        "register": {
            "volume": {
                "kind": "total",
                "unit": "m3",
                "pointer": "/v",
                "resolution": "0.001",
                "max_rate": "10",
            }
        },
        "proof": [
            {
                "kind": "computed",
                "source": "made up",
                "payload": '{"v": 1.5}',
                "expect": {"volume": "1.5"},
            }
        ],
    },
    "undated",
)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool.sqlite") as opened:
        yield opened


@pytest.fixture
def intake(spool: Spool) -> Intake:
    return _intake(spool)


def _intake(spool: Spool) -> Intake:
    return Intake(
        spool,
        meters={"e-1": SDM120},
        mqtt=[W1, MqttMeter("w-2", UNDATED, "plain/w-2")],
    )


def _telegram(**changes: Any) -> bytes:
    telegram = {
        "id": "76348799",
        "total_m3": 6.408,
        "max_flow_m3h": 0.01,
        "timestamp": NOW.isoformat(),
    }
    return json.dumps(telegram | changes).encode()


def _image(kwh: str) -> dict[int, int]:
    words = encode(Decimal(kwh), WordType.FLOAT32, WordOrder.ABCD)
    return dict(enumerate((*words, 0, 0), start=0x48))


def _readings(spool: Spool) -> tuple[Reading, ...]:
    pending = spool.pending(1000)
    return () if pending is None else pending.readings


def _only_item(spool: Spool, intake: Intake) -> Entry:
    """What was taken in is one item in quarantine, and nothing else."""
    assert intake.commit() == (0, 1)
    tally = spool.conservation()
    assert (tally.received, tally.quarantined, tally.spooled) == (1, 1, 0)
    (entry,) = spool.quarantine()
    return entry


def test_a_telegram_becomes_one_reading_a_register(spool: Spool, intake: Intake) -> None:
    assert intake.payload(W1.topic, _telegram(), received_at=NOW) == "w-1"
    assert intake.commit() == (2, 0)
    assert _readings(spool) == (
        Reading(
            Series("w-1", "volume"),
            NOW,
            Decimal("6.408"),
            "6.408",
            Verdict.GOOD,
            (Reason.UNCONFIRMED,),
        ),
        Reading(Series("w-1", "flow"), NOW, Decimal("0.01"), "0.01", Verdict.GOOD),
    )
    assert spool.conservation().received == 2


def test_words_become_readings_with_their_raw_words(spool: Spool, intake: Intake) -> None:
    intake.words("e-1", NOW, _image("10909.28"))
    intake.commit()
    imported, exported = _readings(spool)
    assert imported.series == ("e-1", "import_energy")
    assert (imported.value, imported.raw) == (Decimal("10909.28"), "462a 751f")
    assert exported.value == 0


def test_nothing_is_durable_before_the_commit(spool: Spool, intake: Intake) -> None:
    intake.words("e-1", NOW, _image("1"))
    assert spool.conservation().received == 0
    assert intake.uncommitted == 2


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        pytest.param(_telegram()[:40], "not JSON", id="truncated"),
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b'{"id":"\xff"}', "not UTF-8 at byte 7", id="not UTF-8"),
        pytest.param(b"[1, 2]", "is not in the payload", id="a list"),
        pytest.param(b"17", "is not in the payload", id="a number"),
        pytest.param(b"null", "is not in the payload", id="null"),
        pytest.param(_telegram(total_m3="6.4"), "/total_m3 must be a number", id="text"),
        pytest.param(_telegram(total_m3=True), "/total_m3 must be a number", id="true"),
        pytest.param(_telegram(total_m3=None), "/total_m3 must be a number", id="nothing"),
        pytest.param(_telegram(id=None), "must be the meter's number", id="no identity"),
        pytest.param(_telegram(timestamp="soon"), "must be an ISO 8601 time", id="no time"),
        pytest.param(_telegram(timestamp="2026-10-03T08:00:00"), "has no time zone", id="no zone"),
        pytest.param(
            _telegram().replace(b"6.408", b"9" * 5000), "a number that is too long", id="endless"
        ),
        pytest.param(b"[" * 100_000, "nested too deeply", id="nested"),
        pytest.param(
            _telegram(timestamp="0001-01-01T00:00:00+10:00"), "wmbusmeters-water", id="year 0"
        ),
    ],
)
def test_a_payload_that_is_no_telegram_is_kept_and_says_why(
    spool: Spool, intake: Intake, payload: bytes, says: str
) -> None:
    assert intake.payload(W1.topic, payload, received_at=NOW) is None
    item = _only_item(spool, intake).item
    assert item.reason is Fault.PAYLOAD
    assert item.source == "mqtt:wmbusmeters/w-1"
    assert item.received_at == NOW
    assert item.content == payload[:65536]
    assert says in item.detail
    assert "check that the meter's type and topic are right" in item.detail


def test_a_number_beyond_every_meter_is_a_reading_that_is_invalid(
    spool: Spool, intake: Intake
) -> None:
    payload = _telegram().replace(b"6.408", b"1e999999")
    assert intake.payload(W1.topic, payload, received_at=NOW) == "w-1"
    intake.commit()
    volume, _ = _readings(spool)
    assert (volume.value, volume.verdict, volume.reasons) == (
        None,
        Verdict.INVALID,
        (Reason.OUT_OF_RANGE,),
    )


def test_an_unknown_meter_is_kept_and_named(spool: Spool, intake: Intake) -> None:
    intake.payload("wmbusmeters/stranger", _telegram(), received_at=NOW)
    item = _only_item(spool, intake).item
    assert item.reason is Fault.UNKNOWN_METER
    assert "add an [[mqtt.meter]] with this topic" in item.detail


def test_another_meters_number_under_a_topic_is_kept_apart(spool: Spool, intake: Intake) -> None:
    intake.payload(W1.topic, _telegram(id="11112222"), received_at=NOW)
    item = _only_item(spool, intake).item
    assert item.reason is Fault.IDENTITY
    assert "'11112222' reported under 'wmbusmeters/w-1', where '76348799' is stated" in item.detail


@pytest.mark.parametrize(
    ("time", "says"),
    [
        ("1970-01-01T00:00:12Z", "before 2000"),
        ("1999-12-31T23:59:59Z", "before 2000"),
        ("2026-10-03T08:05:01Z", "301 s ahead"),
        ("2099-01-01T00:00:00Z", "ahead of the gateway"),
    ],
)
def test_a_clock_that_cannot_be_right_is_kept_apart(
    spool: Spool, intake: Intake, time: str, says: str
) -> None:
    intake.payload(W1.topic, _telegram(timestamp=time), received_at=NOW)
    item = _only_item(spool, intake).item
    assert item.reason is Fault.CLOCK
    assert says in item.detail
    assert "set the clock of meter w-1" in item.detail


def test_five_minutes_ahead_and_a_week_late_are_readings(spool: Spool, intake: Intake) -> None:
    for time in (NOW + timedelta(minutes=5), NOW - timedelta(days=7)):
        intake.payload(W1.topic, _telegram(timestamp=time.isoformat()), received_at=NOW)
    assert intake.commit() == (4, 0)
    assert spool.conservation().quarantined == 0


def test_a_gateway_without_the_time_keeps_the_words_apart(spool: Spool, intake: Intake) -> None:
    intake.words("e-1", datetime(1970, 1, 1, tzinfo=UTC), {0x48: 0x462A, 0x49: 0x7521})
    item = _only_item(spool, intake).item
    assert item.reason is Fault.CLOCK
    assert "check the gateway's clock" in item.detail
    assert item.content == b"0048=462a 0049=7521"


def test_words_of_a_meter_that_nobody_stated_are_kept_apart(spool: Spool, intake: Intake) -> None:
    intake.words("e-9", NOW, {0: 1})
    item = _only_item(spool, intake).item
    assert item.reason is Fault.UNKNOWN_METER
    assert item.source == "meter:e-9"


def test_a_retained_telegram_with_a_time_is_a_reading(spool: Spool, intake: Intake) -> None:
    intake.payload(W1.topic, _telegram(), received_at=NOW, retained=True)
    assert intake.commit() == (2, 0)
    assert spool.conservation().spooled == 2


def test_a_retained_telegram_without_a_time_is_none(spool: Spool, intake: Intake) -> None:
    intake.payload("plain/w-2", b'{"v": 1.5}', received_at=NOW, retained=True)
    item = _only_item(spool, intake).item
    assert item.reason is Fault.RETAINED
    assert "let the publisher send without the retain flag" in item.detail


def test_without_a_device_time_the_receipt_counts(spool: Spool, intake: Intake) -> None:
    intake.payload("plain/w-2", b'{"v": 1.5}', received_at=NOW.replace(microsecond=700_000))
    intake.commit()
    (reading,) = _readings(spool)
    assert reading.time == NOW


def test_meters_that_share_a_topic_are_told_apart_by_their_number(spool: Spool) -> None:
    shared = [MqttMeter(f"w-{n}", WATER, "wmbusmeters/all", f"1000{n}") for n in (1, 2)]
    intake = Intake(spool, mqtt=shared)
    assert intake.payload("wmbusmeters/all", _telegram(id="10002"), received_at=NOW) == "w-2"
    assert intake.payload("wmbusmeters/all", _telegram(id="10009"), received_at=NOW) is None
    assert intake.commit() == (2, 1)


def test_a_glitch_never_becomes_the_baseline_not_even_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    values = ["180.1", "180.2", "5000", "180.4"]
    for minute, value in enumerate(values):
        with Spool(path) as spool:
            intake = _intake(spool)
            intake.words("e-1", NOW + timedelta(minutes=15 * minute), _image(value))
            intake.commit()
    with Spool(path) as spool:
        imported = [r for r in _readings(spool) if r.series.register == "import_energy"]
        assert [r.verdict for r in imported] == [
            Verdict.GOOD,
            Verdict.GOOD,
            Verdict.SUSPECT,
            Verdict.GOOD,
        ]
        assert imported[2].reasons == (Reason.RATE,)
        assert spool.baselines()[Series("e-1", "import_energy")].value == Decimal("180.4")


def test_another_meters_number_makes_its_answer_invalid(spool: Spool) -> None:
    intake = Intake(spool, meters={"e-1": SDM120}, identities={"e-1": "00123ABC"})
    intake.words("e-1", NOW, _image("180.1"), identity="00123abc")
    intake.words("e-1", NOW + timedelta(minutes=15), _image("180.2"), identity="99999999")
    intake.words("e-1", NOW + timedelta(minutes=30), _image("180.3"))
    intake.commit()
    imported = [r for r in _readings(spool) if r.series.register == "import_energy"]
    assert [r.verdict for r in imported] == [Verdict.GOOD, Verdict.INVALID, Verdict.GOOD]
    assert imported[1].reasons == (Reason.IDENTITY,)
    assert imported[1].raw, "the words are kept all the same"


def test_a_clock_that_is_not_trusted_makes_readings_suspect(spool: Spool, intake: Intake) -> None:
    intake.words("e-1", NOW, _image("180.1"), trusted=False)
    intake.commit()
    assert {r.verdict for r in _readings(spool)} == {Verdict.SUSPECT}
    assert {r.reasons for r in _readings(spool)} == {(Reason.CLOCK,)}
    assert spool.baselines() == {}


def test_a_counter_that_fell_asks_and_goes_on_from_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    series = Series("e-1", "import_energy")
    hours = 0
    with Spool(path) as spool:
        intake = _intake(spool)
        for value in ("180.1", "180.2", "180.3", *(f"{n / 10}" for n in range(1, 40))):
            intake.words("e-1", NOW + timedelta(hours=hours), _image(value))
            hours += 1
        intake.commit()
        (question,) = intake.questions()
        assert question.series == series
    with Spool(path) as spool:  # what is asked survives a restart, and so does the answer
        intake = _intake(spool)
        (question,) = intake.questions()
        assert (question.known, question.value) == (Decimal("180.30"), Decimal("3.90"))
        intake.rebase(series, question.time, question.value)
        intake.commit()
        assert intake.questions() == ()
    with Spool(path) as spool:
        intake = _intake(spool)
        intake.words("e-1", NOW + timedelta(hours=hours), _image("4"))
        intake.commit()
        pending = spool.pending(1000)
        assert pending is not None
        last = [r for r in pending.readings if r.series == series][-1]
        assert (last.value, last.verdict) == (4, Verdict.GOOD)


def test_a_message_that_holds_no_reading_is_heard_and_counts_for_nothing(spool: Spool) -> None:
    lora = shipped()["axioma-qalcosonic-w1"]
    intake = Intake(spool, mqtt=[MqttMeter("w-3", lora, "up/w-3", "F8DC7A0000000001")])
    join = b'{"time":"2026-10-03T08:00:00Z","deviceInfo":{"devEui":"f8dc7a0000000001"},"fCnt":1}'
    assert intake.payload("up/w-3", join, received_at=NOW) == "w-3"
    assert intake.commit() == (0, 0)
    assert spool.conservation().received == 0


def test_gauges_keep_no_baseline(spool: Spool, intake: Intake) -> None:
    intake.payload(W1.topic, _telegram(), received_at=NOW)
    intake.commit()
    assert spool.baselines().keys() == {Series("w-1", "volume")}


def test_a_commit_that_failed_can_be_repeated(
    spool: Spool, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake.words("e-1", NOW, _image("1"))

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(spool, "take_in", full)
        with pytest.raises(sqlite3.OperationalError):
            intake.commit()
    assert intake.commit() == (2, 0)
    assert intake.commit() == (0, 0)
    assert spool.conservation().received == 2


@settings(max_examples=60, deadline=None)
@given(payloads=st.lists(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(str.encode))))
def test_whatever_comes_is_counted_once(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes]
) -> None:
    with Spool(tmp_path_factory.mktemp("spool") / "spool.sqlite") as spool:
        intake = _intake(spool)
        for payload in payloads:
            intake.payload(W1.topic, payload, received_at=NOW)
        intake.commit()
        tally = spool.conservation()
        assert tally.received == tally.quarantined == len(payloads)
