"""The device list that a gateway gets from the API: buses, meters, and types that are not shipped.

JSON of the tables of a settings file. It is checked whole before it is taken, and kept beside the
spool: a gateway works from the list that it took last, for as long as the API is away.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints

from gateway.settings import BusTable, MqttMeterTable, Settings
from gateway.site_check import check
from meters.catalog import load_folder
from meters.definition import Definition, DefinitionError, Problem, validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meters.meter_type import MeterType


TypeId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]


class MqttMeters(Definition):
    """The meters that report through the gateway's broker."""

    meter: tuple[MqttMeterTable, ...] = ()


class DeviceList(Definition):
    """What one gateway reads."""

    gateway: str
    bus: tuple[BusTable, ...] = ()
    mqtt: MqttMeters = MqttMeters()
    types: dict[TypeId, str] = Field(default_factory=dict)
    """Meter types that are not shipped: id → TOML text. They are proven where they are taken."""

    @property
    def meters(self) -> set[str]:
        """The meters on the list."""
        on_buses = {device.meter for bus in self.bus for device in bus.device}
        return on_buses | {meter.meter for meter in self.mqtt.meter}


def read_device_list(document: Any, source: str) -> DeviceList:
    """Return `document`, parsed JSON, as a device list; raise `DefinitionError` else."""
    if not isinstance(document, dict):
        raise DefinitionError([Problem(source, "", "is no JSON object with a device list")])
    return validate(DeviceList, document, source)


def listed_types(
    devices: DeviceList, known: Mapping[str, MeterType], source: str
) -> dict[str, MeterType]:
    """Return the types that `devices` brings along, each proven; raise `DefinitionError`."""
    with TemporaryDirectory(prefix="tallygate-types-") as name:
        folder = Path(name)
        for each, text in devices.types.items():
            (folder / f"{each}.toml").write_text(text, "utf-8")
        try:
            found = load_folder(folder)
        except DefinitionError as error:
            raise DefinitionError(
                replace(each, source=f"{source}: types.{Path(each.source).stem}")
                for each in error.problems
            ) from error
    if taken := sorted(found.keys() & known.keys()):
        what = f"the type {taken[0]!r} is here already; give the new one another id"
        raise DefinitionError([Problem(source, "types", what)])
    return found


def merged(settings: Settings, devices: DeviceList, source: str) -> Settings:
    """Return `settings` with the buses and meters of `devices`; raise `DefinitionError`."""
    problems = []
    if devices.gateway != settings.gateway:
        what = f"is the list of gateway {devices.gateway!r}, and this is {settings.gateway!r}"
        problems.append(Problem(source, "gateway", what))
    if devices.mqtt.meter and settings.mqtt is None:
        what = "meters report through the broker, but the settings file has no [mqtt]"
        problems.append(Problem(source, "mqtt.meter", what))
    if problems:
        raise DefinitionError(problems)
    changes: dict[str, Any] = {"bus": devices.bus}
    if settings.mqtt is not None:
        changes["mqtt"] = settings.mqtt.model_copy(update={"meter": devices.mqtt.meter})
    return settings.model_copy(update=changes)


def problems_of(devices: DeviceList, known: Mapping[str, MeterType], source: str) -> list[Problem]:
    """Return everything in `devices` that a gateway would refuse, whatever its settings file.

    `known` are the types that every gateway has; those of the list are added.
    """
    try:
        types = {**known, **listed_types(devices, known, source)}
    except DefinitionError as error:
        return list(error.problems)
    settings = validate(
        Settings,
        {
            "gateway": devices.gateway,
            "archive": {"url_env": "ARCHIVE"},
            "mqtt": {"host": "broker", "listen": ["#"]},
        },
        source,
    )
    return list(check(merged(settings, devices, source), types, source))


@dataclass(frozen=True, slots=True)
class Kept:
    """The list that was taken last, and the tag by which the API knows it."""

    tag: str
    devices: DeviceList


@dataclass(frozen=True, slots=True)
class DeviceListFile:
    """The list beside the spool at `spool_path`, replaced whole."""

    spool_path: Path

    @property
    def path(self) -> Path:
        return self.spool_path.with_name(self.spool_path.name + ".devices.json")

    def write(self, tag: str, document: Mapping[str, Any]) -> None:
        """Keep the list, durably: a power cut leaves the old one or the new one."""
        beside = self.path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            json.dump({"tag": tag, "devices": document}, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)

    def read(self) -> Kept | None:
        """Return the list, None where none was taken; raise `DefinitionError` for a damaged one."""
        try:
            held = json.loads(self.path.read_text("utf-8"))
            tag, document = held["tag"], held["devices"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = f"cannot be read ({error}); remove it, and the gateway asks the API again"
            raise DefinitionError([Problem(str(self.path), "", what)]) from error
        return Kept(str(tag), read_device_list(document, str(self.path)))
