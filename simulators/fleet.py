"""Every meter of a community, ready to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meters.catalog import shipped
from simulators.chance import between
from simulators.community import MqttAddress, Role
from simulators.faults import (
    CLOCKS,
    MODBUS_FAULTS,
    MQTT_FAULTS,
    FaultError,
    FaultKind,
    FaultPlan,
)
from simulators.identity import NumberError, check_number, drawn_number
from simulators.load import Counter, HabitCounter, MasterCounter, habit_source
from simulators.meter import SimulatedMeter
from simulators.model import Model
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
        models = {
            each: Model(known[each]) for each in {meter.type_id for meter in community.meters}
        }
        self.meters = {
            meter.id: self._simulated(meter, models[meter.type_id]) for meter in community.meters
        }
        for bus in community.buses:
            acquaint(self.on_bus(bus.id).values())
        acquaint(self.on_mqtt())

    def _simulated(self, meter: Meter, model: Model) -> SimulatedMeter:
        on_mqtt = isinstance(meter.address, MqttAddress)
        if on_mqtt == (model.meter_type.modbus is not None):
            raise ValueError(f"{meter.id} is a {meter.type_id}, which is not read that way")
        key = self.community.seed, meter.id
        return SimulatedMeter(
            meter.id,
            model,
            Truth(model.recipes, self.counters[meter.id], *key),
            number=meter.address.number
            if isinstance(meter.address, MqttAddress)
            else drawn_number(model.meter_type, *key),
            topic=meter.address.topic if isinstance(meter.address, MqttAddress) else "",
        )

    def on_bus(self, bus: str) -> dict[int, SimulatedMeter]:
        """Return the meters behind `bus` by Modbus unit id."""
        return {
            unit_id: self.meters[meter.id] for unit_id, meter in self.community.on_bus(bus).items()
        }

    def on_mqtt(self) -> tuple[SimulatedMeter, ...]:
        """Return the meters that publish."""
        return tuple(meter for meter in self.meters.values() if meter.publishes)

    def plan(self, faults: Iterable[Fault]) -> FaultPlan:
        """Return a new plan of `faults`; raise `FaultError` where one fits no meter here."""
        return plan_for(self.meters.values(), faults, seed=self.community.seed)


def acquaint(meters: Iterable[SimulatedMeter]) -> None:
    """Make each of `meters` the neighbour of another of its model, where there is one."""
    alike: dict[str, list[SimulatedMeter]] = {}
    for meter in meters:
        alike.setdefault(meter.meter_type.id, []).append(meter)
    for row in alike.values():
        for place, meter in enumerate(row):
            following = row[(place + 1) % len(row)]
            meter.neighbour = None if following is meter else following


def plan_for(meters: Iterable[SimulatedMeter], faults: Iterable[Fault], *, seed: int) -> FaultPlan:
    """Return a new plan of `faults`; raise `FaultError` where one fits none of `meters`."""
    checked = tuple(faults)
    known = tuple(meters)
    for fault in checked:
        befallen = [meter for meter in known if fault.befalls(meter.id)]
        if not befallen and fault.kind is not FaultKind.BROKER_LOSS:
            raise FaultError(
                f"a fault names the meter {fault.meter!r}, which is not there; "
                f"there are {', '.join(meter.id for meter in known[:3])}"
                + (" and others" if len(known) > 3 else "")
            )
        # a name with letters left open means those that it can befall
        wrong = [why for meter in befallen if (why := _cannot_befall(fault, meter))]
        if len(wrong) == len(befallen) and wrong:
            raise FaultError(wrong[0])
    return FaultPlan(checked, seed=seed)


def _cannot_befall(fault: Fault, meter: SimulatedMeter) -> str | None:
    """Return why `fault` cannot befall `meter`, None where it can."""
    possible = MQTT_FAULTS if meter.publishes else MODBUS_FAULTS
    if fault.kind not in possible:
        way = "MQTT" if meter.publishes else "Modbus"
        return (
            f"{meter.id} is on {way} and cannot have the fault {fault.kind.value!r}; "
            f"possible are {', '.join(sorted(possible))}"
        )
    if unknown := set(fault.registers) - meter.meter_type.registers.keys():
        return (
            f"{meter.id} has no register {min(unknown)!r}; there are "
            f"{', '.join(meter.meter_type.registers)}"
        )
    if fault.kind is FaultKind.RESCALED and not meter.model.can_be_rescaled:
        return f"{meter.meter_type.id} has no scale_factor that could say something else"
    access = meter.meter_type.mqtt
    if fault.kind in CLOCKS and access is not None and access.time is None:
        return f"{meter.id} states no time that {fault.kind.value!r} could falsify"
    if fault.kind is FaultKind.ROLLOVER and meter.model.rolls_over_at is None:
        return (
            f"{meter.meter_type.id} says of no register how many digits it has: "
            f"{meter.id} never rolls over"
        )
    if fault.number is not None:
        try:
            check_number(meter.meter_type, fault.number)
        except NumberError as error:
            return f"{meter.id}: {error}"
    return None


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
