"""A topic leads to the meters that report under it, however they are told apart."""

from __future__ import annotations

import pytest
from paho.mqtt.client import topic_matches_sub

from gateway.site import MqttMeter
from gateway.topics import Places, TopicTree, filters
from meters.catalog import shipped

WATER = shipped()["wmbusmeters-water"]
LORA = shipped()["axioma-qalcosonic-w1"]
HOMIE = shipped()["homie-electricity"]

TOPICS = ("a", "a/b", "a/b/c", "a//c", "/a", "b/b/c", "$SYS/a", "a/b/c/d", "")
FILTERS = ("a", "a/b", "a/+", "+", "+/b/c", "a/#", "#", "+/+", "a/+/c", "/+", "$SYS/#", "+/a")


@pytest.mark.parametrize("topic", TOPICS)
def test_filters_match_as_the_broker_matches_them(topic: str) -> None:
    tree: TopicTree[str] = TopicTree()
    for each in FILTERS:
        tree.at(each, each)
    assert set(tree.matches(topic)) == {each for each in FILTERS if topic_matches_sub(each, topic)}


def test_the_closest_filter_comes_first() -> None:
    tree: TopicTree[str] = TopicTree()
    for each in ("#", "a/+", "a/b"):
        tree.at(each, each)
    assert list(tree.matches("a/b")) == ["a/b", "a/+", "#"]


def test_meters_that_share_a_pattern_are_told_apart_by_their_number() -> None:
    topic = "application/+/device/+/event/up"
    places = Places([MqttMeter(f"w-{n}", LORA, topic, f"F8DC7A000000000{n}") for n in (1, 2)])
    place = places.find("application/7/device/f8dc7a0000000002/event/up")
    assert place is not None
    sender = place.sender("f8dc7a0000000002")
    assert sender is not None
    assert sender.meter == "w-2"
    assert place.sender("f8dc7a0000000003") is None
    assert place.is_shared
    assert places.find("application/7/device/x/event/join") is None


def test_a_type_with_topics_of_its_own_stands_for_its_branch() -> None:
    places = Places([MqttMeter("e-1", HOMIE, "homie/meter-1")])
    place = places.find("homie/meter-1/meter/power")
    assert place is not None
    assert place.subtopic == "meter/power"
    sender = place.sender(None)
    assert sender is not None
    assert sender.meter == "e-1"
    assert places.find("homie/meter-1/$state") is None
    assert places.find("homie/meter-1") is None


def test_no_message_can_match_two_of_the_filters() -> None:
    meters = [
        MqttMeter("w-1", WATER, "wmbusmeters/w-1", "1"),
        MqttMeter("w-2", WATER, "lora/w-2", "2"),
        MqttMeter("w-3", WATER, "lora/+", "3"),
        MqttMeter("e-1", HOMIE, "homie/m"),
    ]
    assert filters(meters, ["wmbusmeters/#", "wmbusmeters/#"]) == [
        "homie/m/meter/export-energy",
        "homie/m/meter/import-energy",
        "homie/m/meter/power",
        "lora/+",
        "wmbusmeters/#",
    ]


def test_ten_thousand_patterns_are_no_burden() -> None:
    meters = [
        MqttMeter(f"w-{n}", LORA, f"app/+/device/{n:016x}/up", f"{n:x}") for n in range(10_000)
    ]
    assert len(filters(meters, ["app/#"])) == 1
    assert len(filters(meters, [])) == 10_000
    places = Places(meters)
    place = places.find(f"app/1/device/{9_999:016x}/up")
    assert place is not None
    assert place.sender("270F") == meters[9_999]
