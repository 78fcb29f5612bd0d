"""The simulated community as billing and the gateway take it: a definition and a site file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from meters.quantity import plain
from simulators.community import MqttAddress, Role

if TYPE_CHECKING:
    from datetime import datetime

    from meters.interval import Period
    from simulators.community import Meter, Name
    from simulators.fleet import Fleet

DEFINITIONS = Path(__file__).parent / "definitions"
TARIFFS = ("power-residential", "water-residential", "property-fee")
"""What a flat is billed by, in the order of the bill."""
RESIDENTIAL = "residential"
WITH_PARKING = "with-parking"
"""The customer class of a flat that rents a car space."""


def community_document(fleet: Fleet, since: Period) -> dict[str, Any]:
    """Return the community's definition; its meters were installed when `since` began."""
    community = fleet.community
    start = since.interval.start
    return {
        "kind": "community",
        "code": community.id,
        "title": _title(community.name),
        "zone": community.zone.key,
        "tariffs": {RESIDENTIAL: list(TARIFFS), WITH_PARKING: [*TARIFFS, "parking"]},
        "building": [{"code": each.id, "title": _title(each.name)} for each in community.buildings],
        "unit": [
            {
                "code": each.id,
                "building": each.building,
                "floor": each.floor,
                "area": each.area,
                "persons": each.persons,
                "car_spaces": each.car_spaces,
                "customer_class": WITH_PARKING if each.car_spaces else RESIDENTIAL,
                **({"vacant_from": since.first} if each.vacant else {}),
            }
            for each in community.units
        ],
        "point": [_point(fleet, meter, start) for meter in community.meters],
        "account": [
            {
                "code": f"A-{each.id}",
                "unit": each.id,
                "holder": each.owner.zh,
                "first_day": since.first,
            }
            for each in community.units
        ],
    }


def site_document(
    fleet: Fleet, *, gateway: str, buses: dict[str, int], broker_port: int, api_url: str
) -> dict[str, Any]:
    """Return the gateway's settings: every meter of the community where its simulator answers."""
    community = fleet.community
    return {
        "gateway": gateway,
        "archive": {"url": "sqlite:///archive.sqlite"},
        "spool": {"path": "spool.sqlite"},
        "poll": {"billing_s": 5, "gauges_s": 30},
        "bus": [
            {
                "name": bus.id,
                "host": "127.0.0.1",
                "port": buses[bus.id],
                "device": [
                    {"meter": meter.id, "unit": unit, "type": meter.type_id}
                    for unit, meter in community.on_bus(bus.id).items()
                ],
            }
            for bus in community.buses
        ],
        "mqtt": {
            "host": "127.0.0.1",
            "port": broker_port,
            "listen": ["wmbusmeters/#"],
            "meter": [
                {
                    "meter": meter.id,
                    "type": meter.type_id,
                    "topic": meter.address.topic,
                    "identity": meter.address.number,
                }
                for meter in community.meters
                if isinstance(meter.address, MqttAddress)
            ],
        },
        "report": {"url": api_url, "key_env": "TALLYGATE_GATEWAY_KEY", "interval_s": 5},
    }


def _point(fleet: Fleet, meter: Meter, start: datetime) -> dict[str, Any]:
    role = {Role.UNIT: "unit", Role.MASTER: "master"}.get(meter.role, "shared")
    simulated = fleet.meters[meter.id]
    first = {
        name: plain(simulated.shown(name, start)) for name in simulated.meter_type.billing_registers
    }
    document = {
        "code": meter.id,
        "medium": meter.medium,
        "role": role,
        "unit": meter.unit,
        "building": None if meter.unit is not None else meter.building,
        "installation": [
            {"meter": meter.id, "type": meter.type_id, "start": start, "first": first}
        ],
    }
    return {key: value for key, value in document.items() if value is not None}


def _title(name: Name) -> dict[str, str]:
    return {"zh": name.zh, "en": name.en}
