"""A site: its settings with every name resolved, and nothing left that can fail for a typo."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.credential import CredentialFile
from gateway.device_list import DeviceListFile, listed_types, merged
from gateway.line import NetworkLine, SerialPort
from gateway.settings import Settings
from gateway.site_check import check, serial_lines, topic_of
from meters.catalog import load_folder, shipped
from meters.definition import DefinitionError, Problem, read_document, validate
from meters.serial_line import parse_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from gateway.device_list import Kept
    from gateway.line import Line
    from gateway.settings import BusTable, MetricsTable, MqttTable, PollTable, ReportTable
    from meters.meter_type import MeterType

_SQLITE = "sqlite:///"
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Device:
    """A meter on a bus."""

    meter: str
    unit: int
    type: MeterType
    identity: str | None = None
    """The number that the meter's identity register must state."""


@dataclass(frozen=True, slots=True)
class Bus:
    """One line of meters.

    `timeout_s` is how long an answer may take; between an answer and the next request are
    `turnaround_s` at least.
    """

    name: str
    line: Line
    timeout_s: float
    devices: tuple[Device, ...]
    turnaround_s: float = 0.0


@dataclass(frozen=True, slots=True)
class MqttMeter:
    """A meter that reports through the broker. `topic` may hold `+`, and no other pattern."""

    meter: str
    type: MeterType
    topic: str
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker, and what is wanted from it."""

    host: str
    port: int
    client_id: str
    protocol: str
    keepalive_s: int
    silent_after_s: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    listen: tuple[str, ...] = ()
    meters: tuple[MqttMeter, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportTarget:
    """The API that hears how the gateway does."""

    url: str
    key: str = field(repr=False)
    interval_s: int


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that a gateway needs to know. Paths are absolute."""

    gateway: str
    archive_url: str = field(repr=False)
    spool_path: Path
    quarantine_limit: int
    quota_bytes: int
    poll: PollTable
    zone: ZoneInfo
    """Bills are cut at its midnights."""
    buses: tuple[Bus, ...]
    broker: Broker | None = None
    report: ReportTarget | None = None
    metrics: MetricsTable | None = None
    list_tag: str | None = None
    """By what the API knows the device list that this site was made with; empty for none yet.
    None where the devices stand in the settings file."""

    @property
    def devices(self) -> Iterator[Device]:
        """Every meter on a bus."""
        return (device for bus in self.buses for device in bus.devices)

    @property
    def mqtt_meters(self) -> tuple[MqttMeter, ...]:
        """Every meter that reports through the broker."""
        return () if self.broker is None else self.broker.meters

    @property
    def types(self) -> dict[str, MeterType]:
        """The types of the meters on a bus, by meter."""
        return {device.meter: device.type for device in self.devices}

    @property
    def identities(self) -> dict[str, str]:
        """The numbers that meters on a bus must state, by meter."""
        return {
            device.meter: device.identity for device in self.devices if device.identity is not None
        }


def load_site(
    path: Path, environment: Mapping[str, str] | None = None, *, kept: Kept | None = None
) -> Site:
    """Return the site in the settings file `path`, with its secrets from `environment`.

    Where the devices come from the API they are those of `kept`, by default of the list beside the
    spool. Without an environment no secret is looked up, and they are empty: enough to look at a
    spool. Raises `DefinitionError` with everything that is wrong.
    """
    path = path.absolute()
    source = str(path)
    settings = validate(Settings, read_document(path), source)
    types = _meter_types(settings, path)
    tag = None
    if settings.devices is not None:
        beside = DeviceListFile(path.parent / settings.spool.path)
        kept = beside.read() if kept is None else kept
        tag = ""
        if kept is not None:
            source, tag = str(beside.path), kept.tag
            types |= listed_types(kept.devices, types, source)
            settings = merged(settings, kept.devices, source)
    problems = list(check(settings, types, source))
    if environment is not None and settings.mqtt is not None:
        problems += _missing_files(settings.mqtt, path.parent, str(path))
    secrets = _Secrets(environment, str(path))
    site = None if problems else _resolve(settings, types, path.parent, secrets)
    if site is None or secrets.problems:
        raise DefinitionError([*problems, *secrets.problems])
    return replace(site, list_tag=tag)


def _missing_files(table: MqttTable, folder: Path, source: str) -> Iterator[Problem]:
    """Yield the certificates and keys that are named and not there."""
    for name in ("ca_file", "cert_file", "key_file"):
        stated = getattr(table, name)
        if stated is not None and not (folder / stated).is_file():
            yield Problem(source, f"mqtt.{name}", f"{folder / stated} is no file")


@dataclass(slots=True)
class _Secrets:
    environment: Mapping[str, str] | None
    source: str
    problems: list[Problem] = field(default_factory=list)

    def get(self, variable: str, where: str) -> str:
        if self.environment is None:
            return ""
        found = self.environment.get(variable, "")
        if not found:
            what = f"the environment variable {variable} is not set; set it where the gateway runs"
            self.problems.append(Problem(self.source, where, what))
        return found


def _meter_types(settings: Settings, path: Path) -> dict[str, MeterType]:
    types = dict(shipped())
    problems: list[Problem] = []
    for number, name in enumerate(settings.types, start=1):
        where = f"types[{number}]"
        folder = path.parent / name
        if not folder.is_dir():
            problems.append(Problem(str(path), where, f"{folder} is no folder"))
            continue
        try:
            found = load_folder(folder)
        except DefinitionError as error:
            problems.extend(error.problems)
            continue
        for taken in sorted(found.keys() & types.keys()):
            what = f"{folder} defines {taken!r} again; give that type another id"
            problems.append(Problem(str(path), where, what))
        types.update(found)
    if problems:
        raise DefinitionError(problems)
    return types


def _resolve(
    settings: Settings, types: Mapping[str, MeterType], folder: Path, secrets: _Secrets
) -> Site:
    archive = settings.archive
    url = archive.url or secrets.get(archive.url_env or "", "archive.url_env")
    report = settings.report
    return Site(
        gateway=settings.gateway,
        archive_url=_beside(url, folder),
        spool_path=folder / settings.spool.path,
        quarantine_limit=settings.spool.quarantine_limit,
        quota_bytes=settings.spool.quota_mb * MEGABYTE,
        poll=settings.poll,
        zone=ZoneInfo(settings.zone),
        buses=tuple(_bus(table, types) for table in settings.bus),
        broker=None
        if settings.mqtt is None
        else _broker(settings.mqtt, settings.gateway, types, folder, secrets),
        metrics=settings.metrics,
        report=None
        if report is None
        else ReportTarget(
            report.url, _key(report, folder / settings.spool.path, secrets), report.interval_s
        ),
    )


def _key(report: ReportTable, spool_path: Path, secrets: _Secrets) -> str:
    """Return the API key: from the environment, or as it was given when the gateway enrolled."""
    if report.key_env is not None or secrets.environment is None:
        return secrets.get(report.key_env or "", "report.key_env")
    found = CredentialFile(spool_path).read()
    if found is not None and found.url == report.url:
        return found.key
    what = (
        f"this gateway has no key of {report.url} yet; run `tallygate gateway enrol` with a token "
        "from there, or name a variable in report.key_env"
    )
    secrets.problems.append(Problem(secrets.source, "report", what))
    return ""


def _bus(table: BusTable, types: Mapping[str, MeterType]) -> Bus:
    return Bus(
        name=table.name,
        line=_line(table, types),
        timeout_s=float(table.timeout_s),
        devices=tuple(Device(d.meter, d.unit, types[d.type], d.identity) for d in table.device),
        turnaround_s=table.turnaround_ms / 1000,
    )


def _line(table: BusTable, types: Mapping[str, MeterType]) -> Line:
    if table.host is not None:
        return NetworkLine(table.host, table.port, table.framing)
    (settings,) = serial_lines(table, types)
    return SerialPort(table.serial or "", parse_line(settings))


def _broker(
    table: MqttTable,
    gateway: str,
    types: Mapping[str, MeterType],
    folder: Path,
    secrets: _Secrets,
) -> Broker:
    return Broker(
        host=table.host,
        port=table.port,
        client_id=table.client_id or f"tallygate-{gateway}",
        protocol=table.protocol,
        keepalive_s=table.keepalive_s,
        silent_after_s=table.silent_after_s,
        username=table.username,
        password=None
        if table.password_env is None
        else secrets.get(table.password_env, "mqtt.password_env"),
        tls=table.tls,
        ca_file=None if table.ca_file is None else folder / table.ca_file,
        cert_file=None if table.cert_file is None else folder / table.cert_file,
        key_file=None if table.key_file is None else folder / table.key_file,
        listen=table.listen,
        meters=tuple(
            MqttMeter(m.meter, types[m.type], topic_of(m), m.identity) for m in table.meter
        ),
    )


def _beside(url: str, folder: Path) -> str:
    """Return `url` with a relative SQLite path made absolute: relative to the settings file."""
    if not url.startswith(_SQLITE) or url == _SQLITE or ":memory:" in url:
        return url
    return _SQLITE + str(folder / url.removeprefix(_SQLITE))
