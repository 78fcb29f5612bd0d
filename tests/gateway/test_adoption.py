"""A meter that nobody stated is seen, and what it said is not lost once somebody states it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from gateway.intake import Intake
from gateway.quarantine import Fault
from gateway.quarantine_table import KEPT_OF_A_STRANGER
from gateway.site import MqttMeter
from gateway.spool import Spool
from meters.catalog import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 10, 3, 8, tzinfo=UTC)
WATER = shipped()["wmbusmeters-water"]
HOMIE = shipped()["homie-electricity"]
SDM120 = shipped()["eastron-sdm120"]
STRANGER = "mqtt:wmbusmeters/stranger"
STATED = MqttMeter("w-9", WATER, "wmbusmeters/stranger", "76348799")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool(tmp_path / "spool.sqlite") as opened:
        yield opened


def _telegram(hour: int, **changes: Any) -> bytes:
    telegram = {
        "id": "76348799",
        "total_m3": 100 + hour,
        "max_flow_m3h": 0,
        "timestamp": (NOW + timedelta(hours=hour)).isoformat(),
    }
    return json.dumps(telegram | changes).encode()


def _report(intake: Intake, hours: range, topic: str = "wmbusmeters/stranger") -> None:
    for hour in hours:
        intake.payload(topic, _telegram(hour), received_at=NOW + timedelta(hours=hour))
    intake.commit()


def _volumes(spool: Spool) -> list[Decimal | None]:
    pending = spool.pending(10_000)
    readings = () if pending is None else pending.readings
    return [each.value for each in readings if each.series.register == "volume"]


def test_a_stranger_is_shown_with_how_often_it_reported(spool: Spool) -> None:
    _report(Intake(spool), range(3))
    (stranger,) = spool.strangers()
    assert stranger == (STRANGER, 3, NOW, NOW + timedelta(hours=2))


def test_what_a_stranger_said_is_taken_in_when_the_site_knows_it(spool: Spool) -> None:
    intake = Intake(spool)
    _report(intake, range(3))
    assert intake.adopt() == 0
    before = spool.conservation()
    intake.replace_site(mqtt=[STATED])
    assert intake.adopt() == 3
    tally = spool.conservation()
    assert (before.received, before.quarantined) == (3, 3)
    assert (tally.received, tally.quarantined, tally.spooled) == (6, 0, 6)
    assert _volumes(spool) == [100, 101, 102]
    assert spool.strangers() == ()
    assert intake.adopt() == 0


def test_what_was_said_before_a_restart_is_taken_in_after_it(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with Spool(path) as spool:
        _report(Intake(spool), range(2))
    with Spool(path) as spool:
        assert Intake(spool, mqtt=[STATED]).adopt(STRANGER) == 2
        assert _volumes(spool) == [100, 101]
        spool.conservation()


def test_only_what_is_asked_for_is_taken_in(spool: Spool) -> None:
    intake = Intake(spool)
    _report(intake, range(2))
    _report(intake, range(1), topic="wmbusmeters/other")
    other = MqttMeter("w-8", WATER, "wmbusmeters/other", "76348799")
    intake.replace_site(mqtt=[STATED, other])
    assert intake.adopt("mqtt:wmbusmeters/other") == 1
    assert [each.source for each in spool.strangers()] == [STRANGER]


def test_what_is_still_not_understood_stays(spool: Spool) -> None:
    intake = Intake(spool)
    _report(intake, range(1))
    intake.payload("wmbusmeters/stranger", b"{", received_at=NOW)
    intake.payload("wmbusmeters/stranger", _telegram(9, id="1"), received_at=NOW)
    intake.commit()
    intake.replace_site(mqtt=[STATED])
    assert intake.adopt() == 1
    assert spool.conservation().quarantined == 2


def test_a_meter_that_was_exchanged_is_taken_in_under_its_new_number(spool: Spool) -> None:
    intake = Intake(spool, mqtt=[MqttMeter("w-9", WATER, "wmbusmeters/stranger", "1")])
    _report(intake, range(2))
    assert {entry.item.reason for entry in spool.quarantine()} == {Fault.IDENTITY}
    intake.replace_site(mqtt=[STATED])
    assert intake.adopt() == 2


def test_a_number_that_nobody_stated_under_a_shared_topic_is_a_stranger(spool: Spool) -> None:
    shared = [MqttMeter(f"w-{n}", WATER, "wmbusmeters/+", f"{n}") for n in (1, 2)]
    intake = Intake(spool, mqtt=shared)
    _report(intake, range(1))
    (entry,) = spool.quarantine()
    assert entry.item.reason is Fault.UNKNOWN_METER
    assert "'76348799' reported under 'wmbusmeters/stranger'" in entry.item.detail
    intake.replace_site(mqtt=[*shared, MqttMeter("w-9", WATER, "wmbusmeters/+", "76348799")])
    assert intake.adopt() == 1


def test_words_of_a_device_that_was_not_stated_are_taken_in_too(spool: Spool) -> None:
    intake = Intake(spool)
    intake.words("e-1", NOW, {0x48: 0x462A, 0x49: 0x751F, 0x4A: 0, 0x4B: 0})
    intake.commit()
    intake.replace_site(meters={"e-1": SDM120})
    assert intake.adopt() == 1
    pending = spool.pending(10)
    assert pending is not None
    assert pending.readings[0].value == Decimal("10909.28")
    assert pending.readings[0].raw == "462a 751f"
    spool.conservation()


def test_a_retained_value_without_a_time_is_no_reading_after_adoption_either(spool: Spool) -> None:
    intake = Intake(spool)
    topic = "homie/m/meter/import-energy"
    intake.payload(topic, b"12.5", received_at=NOW, retained=True)
    intake.payload(topic, b"12.6", received_at=NOW)
    intake.commit()
    intake.replace_site(mqtt=[MqttMeter("e-2", HOMIE, "homie/m")])
    assert intake.adopt() == 1
    assert intake.adopt() == 0
    tally = spool.conservation()
    assert (tally.spooled, tally.quarantined, tally.duplicate) == (1, 1, 0)


def test_a_flood_of_one_stranger_leaves_room_for_the_others(spool: Spool) -> None:
    intake = Intake(spool)
    _report(intake, range(1), topic="wmbusmeters/quiet")
    _report(intake, range(KEPT_OF_A_STRANGER + 5))
    strangers = {each.source: each.messages for each in spool.strangers()}
    assert strangers == {"mqtt:wmbusmeters/quiet": 1, STRANGER: KEPT_OF_A_STRANGER}
    assert spool.conservation().quarantined == KEPT_OF_A_STRANGER + 6


def test_an_adoption_that_the_disk_refuses_can_be_repeated(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = Intake(spool)
    _report(intake, range(3))
    intake.replace_site(mqtt=[STATED])
    with monkeypatch.context() as patch:
        patch.setattr(spool, "take_in", _no_space)
        with pytest.raises(OSError, match="no space"):
            intake.adopt()
    intake.adopt()
    assert _volumes(spool) == [100, 101, 102]
    assert spool.conservation().quarantined == 0


def _no_space(*_: object, **__: object) -> None:
    raise OSError("no space")
