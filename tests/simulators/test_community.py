"""The demo community: a fair picture of a real one, and the same for the same seed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meters.catalog import shipped
from simulators.community import (
    ModbusAddress,
    MqttAddress,
    Role,
    demo_community,
)


def test_the_same_seed_gives_the_same_community_and_another_seed_another() -> None:
    assert demo_community(3) == demo_community(3)
    assert demo_community(3) != demo_community(4)


def test_two_buildings_hold_24_units_of_different_size() -> None:
    community = demo_community(1)
    assert [building.name.zh for building in community.buildings] == ["1号楼", "2号楼"]
    assert len(community.units) == 24
    assert sum(unit.is_ground_floor for unit in community.units) == 4
    assert len({unit.area for unit in community.units}) > 12
    assert {unit.floor for unit in community.units} == {1, 2, 3, 4, 5, 6}


@given(seed=st.integers())
@settings(max_examples=50)
def test_every_unit_has_an_area_an_owner_and_persons_only_where_someone_lives(seed: int) -> None:
    community = demo_community(seed)
    for unit in community.units:
        assert 60 < unit.area < 150
        assert unit.owner.zh
        assert unit.owner.en
        assert (unit.persons == 0) == unit.vacant
    assert sum(unit.vacant for unit in community.units) == 3


@given(seed=st.integers())
@settings(max_examples=50)
def test_no_two_meters_share_an_id_an_address_or_a_number(seed: int) -> None:
    meters = demo_community(seed).meters
    assert len({meter.id for meter in meters}) == len(meters)
    assert len({meter.address for meter in meters}) == len(meters)
    numbers = [meter.address.number for meter in meters if isinstance(meter.address, MqttAddress)]
    assert len(set(numbers)) == len(numbers) == 24


def test_each_unit_has_an_electricity_meter_on_modbus_and_a_water_meter_on_mqtt() -> None:
    community = demo_community(1)
    for unit in community.units:
        ways = {
            meter.medium: type(meter.address) for meter in community.meters if meter.unit == unit.id
        }
        assert ways == {"electricity": ModbusAddress, "water": MqttAddress}


def test_shared_meters_are_there_once_a_building_or_once_for_all() -> None:
    roles = Counter(meter.role for meter in demo_community(1).meters)
    assert roles == {
        Role.UNIT: 48,
        Role.LIFT: 2,
        Role.LIGHTS: 2,
        Role.MASTER: 2,
        Role.PUMP: 1,
        Role.GARDEN: 1,
    }


def test_a_master_stands_before_all_electricity_meters_of_its_building() -> None:
    community = demo_community(1)
    for building in community.buildings:
        behind = {meter.id for meter in community.meters if meter.behind == f"{building.id}-master"}
        of_building = {
            meter.id
            for meter in community.meters
            if meter.building == building.id
            and meter.medium == "electricity"
            and meter.role is not Role.MASTER
        }
        assert behind == of_building
        assert len(behind) == 14


def test_every_meter_type_is_shipped_and_read_the_way_the_meter_is() -> None:
    for meter in demo_community(1).meters:
        meter_type = shipped()[meter.type_id]
        assert meter_type.medium == meter.medium
        assert (meter_type.modbus is not None) == isinstance(meter.address, ModbusAddress)


def test_units_on_a_bus_are_numbered_from_one() -> None:
    community = demo_community(1)
    assert [bus.id for bus in community.buses] == ["bus-b1", "bus-b2", "bus-grounds"]
    assert sorted(community.on_bus("bus-b1")) == list(range(1, 16))
    assert community.on_bus("bus-grounds")[2].id == "garden-water"


def test_a_community_may_be_larger_but_not_beyond_what_a_bus_addresses() -> None:
    assert len(demo_community(1, buildings=5, floors=30, doors=8).units) == 1200
    with pytest.raises(ValueError, match="more meters than one bus addresses"):
        demo_community(1, floors=50, doors=5)
    with pytest.raises(ValueError, match="1 or more buildings"):
        demo_community(1, buildings=0)


def test_a_meter_or_unit_is_found_by_its_id_only() -> None:
    community = demo_community(1)
    assert community.meter("pump").role is Role.PUMP
    assert community.unit("2-602").floor == 6
    with pytest.raises(KeyError):
        community.meter("pumps")
    with pytest.raises(KeyError):
        community.unit("3-101")
