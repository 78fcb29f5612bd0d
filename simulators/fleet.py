"""Every meter of a community, ready to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meters.catalog import shipped
from simulators.chance import between
from simulators.community import ModbusAddress, Role
from simulators.faults import MODBUS_FAULTS, MQTT_FAULTS, FaultError, FaultKind, FaultPlan
from simulators.load import Counter, HabitCounter, MasterCounter, habit_source
from simulators.meter import SimulatedMeter
from simulators.profiles import profile_of
from simulators.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meters.meter_type import MeterType
    from simulators.community import Community, Meter
    from simulators.faults import Fault


class Fleet:
    """The simulated meters of `community`, by id; `types` by id, by default the shipped ones.

    Raises `KeyError` where a meter's type is not among `types`.
    """

    def __init__(self, community: Community, types: Mapping[str, MeterType] | None = None) -> None:
        known = shipped() if types is None else types
        self.community = community
        self.counters = _counters(community)
        self.meters = {
            meter.id: SimulatedMeter(
                meter,
                known[meter.type_id],
                Truth(known[meter.type_id], self.counters[meter.id], community.seed, meter.id),
            )
            for meter in community.meters
        }

    def on_bus(self, bus: str) -> dict[int, SimulatedMeter]:
        """Return the meters behind `bus` by Modbus unit id."""
        return {
            unit_id: self.meters[meter.id] for unit_id, meter in self.community.on_bus(bus).items()
        }

    def neighbour(self, meter_id: str) -> SimulatedMeter:
        """Return another meter of the same type on the same bus, itself where there is none."""
        return crossed_with(self.meters[meter_id], self._bus_of(meter_id))

    def _bus_of(self, meter_id: str) -> Mapping[int, SimulatedMeter]:
        address = self.community.meter(meter_id).address
        return self.on_bus(address.bus) if isinstance(address, ModbusAddress) else {}

    def on_mqtt(self) -> tuple[SimulatedMeter, ...]:
        """Return the meters that publish."""
        return tuple(meter for meter in self.meters.values() if meter.meter_type.mqtt is not None)

    def plan(self, faults: Iterable[Fault]) -> FaultPlan:
        """Return a new plan of `faults`; raise `FaultError` where one fits no meter here."""
        checked = tuple(faults)
        for fault in checked:
            self._check(fault)
        return FaultPlan(checked)

    def _check(self, fault: Fault) -> None:
        meter = self.meters.get(fault.meter)
        if meter is None:
            raise FaultError(
                f"a fault names the meter {fault.meter!r}, which the community does not have; "
                "`tallygate simulate community` lists its meters"
            )
        by_modbus = isinstance(meter.meter.address, ModbusAddress)
        possible = MODBUS_FAULTS if by_modbus else MQTT_FAULTS
        if fault.kind not in possible:
            way = "Modbus" if by_modbus else "MQTT"
            raise FaultError(
                f"{fault.meter} is on {way} and cannot have the fault {fault.kind.value!r}; "
                f"possible are {', '.join(sorted(possible))}"
            )
        access = meter.meter_type.mqtt
        dated = fault.kind in (FaultKind.DATED_1970, FaultKind.FUTURE)
        if dated and access is not None and access.time is None:
            raise FaultError(
                f"{fault.meter} states no time that {fault.kind.value!r} could falsify"
            )


def crossed_with(meter: SimulatedMeter, bus: Mapping[int, SimulatedMeter]) -> SimulatedMeter:
    """Return the next meter of the type of `meter` on `bus`, `meter` itself where it is alone."""
    alike = [other for other in bus.values() if other.meter_type.id == meter.meter_type.id]
    place = next((i for i, other in enumerate(alike) if other.id == meter.id), None)
    return meter if place is None else alike[(place + 1) % len(alike)]


def _counters(community: Community) -> dict[str, Counter]:
    """Return each meter's true counter, masters as the sum of the meters behind them."""
    counters: dict[str, Counter] = {
        meter.id: _habit_counter(community, meter)
        for meter in community.meters
        if meter.role is not Role.MASTER
    }
    for master in community.meters:
        if master.role is Role.MASTER:
            behind = [meter.id for meter in community.meters if meter.behind == master.id]
            counters[master.id] = MasterCounter(
                first=_first(community, master), subs=[counters[sub] for sub in behind]
            )
    return counters


def _habit_counter(community: Community, meter: Meter) -> Counter:
    unit = None if meter.unit is None else community.unit(meter.unit)
    return HabitCounter(
        first=_first(community, meter),
        profile=profile_of(meter, unit, community.seed),
        source=habit_source(community.seed, meter.id),
        zone=community.zone,
    )


def _first(community: Community, meter: Meter) -> int:
    """Return what `meter` showed when it was put in: some 5 to 900 kWh or 0.5 to 90 m³."""
    share = 10_000 if meter.medium == "electricity" else 1_000
    return between(5 * share, 900 * share, community.seed, "first", meter.id)
