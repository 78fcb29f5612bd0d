"""A demo community (小区) as a pure description: who lives where, and which meter counts what.

The same seed gives the same community. Every name in it is made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from simulators.chance import between, draw, pick

if TYPE_CHECKING:
    from collections.abc import Iterator

SHANGHAI = ZoneInfo("Asia/Shanghai")

HOUSEHOLD_ELECTRICITY = "eastron-sdm120"
HOUSEHOLD_WATER = "wmbusmeters-water"
SHARED_ELECTRICITY = "eastron-sdm630"
SHARED_WATER = "bove-ultrasonic"

_FAMILY_NAMES = (
    ("赵", "Zhao"), ("钱", "Qian"), ("孙", "Sun"), ("李", "Li"), ("周", "Zhou"), ("吴", "Wu"),
    ("郑", "Zheng"), ("王", "Wang"), ("冯", "Feng"), ("陈", "Chen"), ("沈", "Shen"), ("韩", "Han"),
    ("杨", "Yang"), ("朱", "Zhu"), ("许", "Xu"), ("何", "He"), ("张", "Zhang"), ("林", "Lin"),
)  # fmt: skip
_GIVEN_NAMES = (
    ("晓明", "Xiaoming"), ("雨桐", "Yutong"), ("建国", "Jianguo"), ("丽华", "Lihua"),
    ("子轩", "Zixuan"), ("秀英", "Xiuying"), ("志强", "Zhiqiang"), ("梓涵", "Zihan"),
    ("文博", "Wenbo"), ("春梅", "Chunmei"), ("浩然", "Haoran"), ("静", "Jing"),
    ("国栋", "Guodong"), ("思远", "Siyuan"), ("佳怡", "Jiayi"), ("海燕", "Haiyan"),
)  # fmt: skip


class Role(StrEnum):
    """What a meter is there for."""

    UNIT = "unit"
    """It counts what one unit uses."""
    LIFT = "lift"
    LIGHTS = "lights"
    """Corridor lights."""
    PUMP = "pump"
    GARDEN = "garden"
    MASTER = "master"
    """It counts what a building takes from the network: its other meters and the line's loss."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name as people see it, in Chinese and in English."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Building:
    """A building (楼) with one entrance."""

    id: str
    name: Name


@dataclass(frozen=True, slots=True)
class Unit:
    """A flat: `area` in m², `persons` registered in it (0 where it is vacant), 0 or 1 car space."""

    id: str
    building: str
    floor: int
    door: str
    name: Name
    area: Decimal
    persons: int
    car_spaces: int
    vacant: bool
    owner: Name

    @property
    def is_ground_floor(self) -> bool:
        return self.floor == 1


@dataclass(frozen=True, slots=True)
class Bus:
    """A TCP gateway to an RS-485 line: several Modbus units behind one port."""

    id: str
    name: Name


@dataclass(frozen=True, slots=True)
class ModbusAddress:
    """Where a meter answers: `unit_id` (1 to 247) on the bus `bus`."""

    bus: str
    unit_id: int


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """What a meter publishes as: its topic and the number (表号) in its payload."""

    topic: str
    number: str


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter: its type, what it counts for whom, and its way in.

    `building` and `unit` are None where it serves more than one; `behind` is the master meter
    that counts its use once more.
    """

    id: str
    type_id: str
    medium: Literal["electricity", "water"]
    role: Role
    name: Name
    building: str | None
    unit: str | None
    behind: str | None
    address: ModbusAddress | MqttAddress


@dataclass(frozen=True, slots=True)
class Community:
    """A community, its buildings, units, meters and buses; ids are unique in it."""

    id: str
    name: Name
    zone: ZoneInfo
    seed: int
    buildings: tuple[Building, ...]
    units: tuple[Unit, ...]
    buses: tuple[Bus, ...]
    meters: tuple[Meter, ...]

    def meter(self, meter_id: str) -> Meter:
        """Return the meter `meter_id`; raise `KeyError` where there is none."""
        for meter in self.meters:
            if meter.id == meter_id:
                return meter
        raise KeyError(meter_id)

    def unit(self, unit_id: str) -> Unit:
        """Return the unit `unit_id`; raise `KeyError` where there is none."""
        for unit in self.units:
            if unit.id == unit_id:
                return unit
        raise KeyError(unit_id)

    def on_bus(self, bus: str) -> dict[int, Meter]:
        """Return the meters behind `bus` by their Modbus unit id."""
        return {
            meter.address.unit_id: meter
            for meter in self.meters
            if isinstance(meter.address, ModbusAddress) and meter.address.bus == bus
        }


def demo_community(
    seed: int, *, buildings: int = 2, floors: int = 6, doors: int = 2, zone: ZoneInfo = SHANGHAI
) -> Community:
    """Return the community that `seed` stands for: `buildings` × `floors` × `doors` units.

    One unit in eight (at least one) is vacant. Raises `ValueError` where a building has more units
    than a bus can address (244 beside its shared meters) or a count is not positive.
    """
    if min(buildings, floors, doors) < 1 or floors > 99 or doors > 99:
        raise ValueError("a community needs 1 or more buildings, and 1 to 99 floors and doors")
    if floors * doors > 244:
        raise ValueError(
            f"{floors} floors with {doors} doors are more meters than one bus addresses (244)"
        )
    houses = tuple(
        Building(f"b{number}", Name(f"{number}号楼", f"Building {number}"))
        for number in range(1, buildings + 1)
    )
    units = tuple(_units(seed, buildings, floors, doors))
    buses = (
        *(
            Bus(f"bus-{house.id}", Name(f"{house.name.zh}电表箱", f"{house.name.en} meter cabinet"))
            for house in houses
        ),
        Bus("bus-grounds", Name("公区电表箱", "Grounds meter cabinet")),
    )
    meters: list[Meter] = []
    for house in houses:
        of_house = [unit for unit in units if unit.building == house.id]
        meters += _electricity_meters(of_house, house)
        meters += _shared_meters(house, first_unit_id=len(of_house) + 1)
    meters += [_water_meter(seed, unit, number) for number, unit in enumerate(units)]
    meters += _grounds_meters()
    name = Name("青禾苑", "Qinghe Garden")
    return Community("qinghe", name, zone, seed, houses, units, buses, tuple(meters))


def _units(seed: int, buildings: int, floors: int, doors: int) -> Iterator[Unit]:
    places = [
        (building, floor, door)
        for building in range(1, buildings + 1)
        for floor in range(1, floors + 1)
        for door in range(1, doors + 1)
    ]
    by_chance = sorted(places, key=lambda place: draw(seed, "vacant", *place))
    vacant = set(by_chance[: max(1, len(places) // 8)])
    for place in places:
        building, floor, door = place
        number = f"{floor}{door:02}"
        family = pick(_FAMILY_NAMES, seed, "family", *place)
        given = pick(_GIVEN_NAMES, seed, "given", *place)
        yield Unit(
            id=f"{building}-{number}",
            building=f"b{building}",
            floor=floor,
            door=number,
            name=Name(f"{building}号楼{number}室", f"Building {building}, flat {number}"),
            area=Decimal(between(6_200, 14_800, seed, "area", building, door, floor)).scaleb(-2),
            persons=0 if place in vacant else between(1, 5, seed, "persons", *place),
            car_spaces=0 if place in vacant else between(0, 1, seed, "car spaces", *place),
            vacant=place in vacant,
            owner=Name(family[0] + given[0], f"{given[1]} {family[1]}"),
        )


def _electricity_meters(units: list[Unit], house: Building) -> Iterator[Meter]:
    for unit_id, unit in enumerate(units, start=1):
        yield Meter(
            id=f"e-{unit.id}",
            type_id=HOUSEHOLD_ELECTRICITY,
            medium="electricity",
            role=Role.UNIT,
            name=Name(f"{unit.name.zh}电表", f"{unit.name.en}, electricity"),
            building=unit.building,
            unit=unit.id,
            behind=f"{house.id}-master",
            address=ModbusAddress(f"bus-{house.id}", unit_id),
        )


def _shared_meters(house: Building, first_unit_id: int) -> Iterator[Meter]:
    shared = (
        (Role.LIFT, "电梯电表", "lift"),
        (Role.LIGHTS, "走廊照明电表", "corridor lights"),
        (Role.MASTER, "总电表", "master meter"),
    )
    for unit_id, (role, zh, en) in enumerate(shared, start=first_unit_id):
        yield Meter(
            id=f"{house.id}-{role}",
            type_id=SHARED_ELECTRICITY,
            medium="electricity",
            role=role,
            name=Name(f"{house.name.zh}{zh}", f"{house.name.en}, {en}"),
            building=house.id,
            unit=None,
            behind=None if role is Role.MASTER else f"{house.id}-master",
            address=ModbusAddress(f"bus-{house.id}", unit_id),
        )


def _water_meter(seed: int, unit: Unit, number: int) -> Meter:
    # numbers run on from a drawn one, so that two meters never share one
    first = between(10_000_000, 80_000_000, seed, "water numbers")
    meter_id = f"w-{unit.id}"
    return Meter(
        id=meter_id,
        type_id=HOUSEHOLD_WATER,
        medium="water",
        role=Role.UNIT,
        name=Name(f"{unit.name.zh}水表", f"{unit.name.en}, water"),
        building=unit.building,
        unit=unit.id,
        behind=None,
        address=MqttAddress(f"wmbusmeters/{meter_id}", str(first + 37 * number)),
    )


def _grounds_meters() -> tuple[Meter, Meter]:
    pump = Meter(
        id="pump",
        type_id=SHARED_ELECTRICITY,
        medium="electricity",
        role=Role.PUMP,
        name=Name("加压水泵电表", "Booster pump"),
        building=None,
        unit=None,
        behind=None,
        address=ModbusAddress("bus-grounds", 1),
    )
    garden = Meter(
        id="garden-water",
        type_id=SHARED_WATER,
        medium="water",
        role=Role.GARDEN,
        name=Name("绿化水表", "Garden water"),
        building=None,
        unit=None,
        behind=None,
        address=ModbusAddress("bus-grounds", 2),
    )
    return pump, garden
