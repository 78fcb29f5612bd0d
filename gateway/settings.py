"""A site's settings file, as it is written: strict, so that a typo is a message and not a default.

Secrets are never in the file: it names the environment variables that hold them.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    StrictBool,
    StringConstraints,
    field_validator,
    model_validator,
)

from gateway.line import Framing
from meters.definition import Definition, Exact
from meters.serial_line import parse_line

Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Seconds = Annotated[int, Field(strict=True, ge=1, le=86400 * 31)]
PollSeconds = Annotated[int, Field(strict=True, ge=1, le=86400)]
Count = Annotated[int, Field(strict=True, ge=1)]


def _is_a_line(text: str) -> str:
    return str(parse_line(text))


class ArchiveTable(Definition):
    """Where the readings go."""

    url: Name | None = None
    url_env: Name | None = None
    """The environment variable that holds the URL, for one with a password in it."""

    @field_validator("url")
    @classmethod
    def _holds_no_password(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).password:
            raise ValueError(
                "holds a password; put the URL into an environment variable and name it in url_env"
            )
        return url

    @model_validator(mode="after")
    def _is_stated_once(self) -> Self:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("state either url or url_env")
        return self


class SpoolTable(Definition):
    """Where readings are kept until the archive has them."""

    path: Name = "spool.sqlite"
    quarantine_limit: Count = 100_000
    """How many items the quarantine holds before the oldest reported ones are forgotten."""
    quota_mb: Annotated[int, Field(strict=True, ge=5)] = 1000
    """How much of the disk it may take. Gauges go first; what bills rest on never goes."""


class PollTable(Definition):
    """How often the meters on a bus are read, aligned to multiples from local midnight on."""

    billing_s: PollSeconds = 900
    """The registers that bills rest on. Each local day begins with a reading of them."""
    gauges_s: PollSeconds | None = None
    """All others (voltage, power, …); they are not read where this is not stated."""


class DeviceTable(Definition):
    """A meter on a bus."""

    meter: Name
    unit: Annotated[int, Field(strict=True, ge=0, le=255)]
    type: Name
    identity: Name | None = None
    """The meter's own number, where its type has a register for it: another meter is noticed."""


class BusTable(Definition):
    """A line of meters behind one address, or at a serial port of this machine."""

    name: Name
    host: Name | None = None
    port: Port = 502
    framing: Framing = "tcp"
    """"rtu" for what passes on the bytes of the line as they are (serial servers, modems)."""
    serial: Name | None = None
    """The serial port (`/dev/ttyUSB0`), instead of a host."""
    line: Annotated[Name, AfterValidator(_is_a_line)] | None = None
    """Baud rate, data bits, parity, stop bits: `9600 8N1`. By default as the meters' types say."""
    timeout_s: Exact = Field(default="1.5", gt=0, le=60, validate_default=True)
    """How long an answer may take; longer than the gateway's own timeout on the line."""
    turnaround_ms: Annotated[int, Field(strict=True, ge=0, le=5000)] = 0
    """The least pause between an answer and the next request."""
    device: tuple[DeviceTable, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        stated = self.model_fields_set
        if (self.host is None) == (self.serial is None):
            raise ValueError("state either host, for a network, or serial, for a serial port")
        if self.serial is not None and (misplaced := stated & {"port", "framing"}):
            raise ValueError(f"{min(misplaced)} belongs to a host, not to a serial port")
        if self.serial is None and self.line is not None:
            raise ValueError("line belongs to serial; behind a host, the other side sets its line")
        return self


class MqttMeterTable(Definition):
    """A meter that reports through the broker."""

    meter: Name
    type: Name
    topic: Name
    """`+` stands for a level that varies, `{meter}` and `{identity}` for what is stated here. Where
    registers of the type have topics of their own, those stand below this one."""
    identity: Name | None = None
    """The meter's own number, as its payload states it; another one goes to quarantine."""

    @field_validator("topic")
    @classmethod
    def _is_topic(cls, topic: str) -> str:
        levels = topic.split("/")
        if any("#" in level or ("+" in level and level != "+") for level in levels):
            raise ValueError(
                f"{topic!r} is not one meter's topic; + stands for one whole level, # is not used"
            )
        if unknown := set(re.findall(r"{[^}]*}?|}", topic)) - {"{meter}", "{identity}"}:
            raise ValueError(f"{min(unknown)!r} stands for nothing; use {{meter}} or {{identity}}")
        return topic


class MqttTable(Definition):
    """The broker, and the meters that report through it."""

    host: Name
    port: Port = 1883
    client_id: Name | None = None
    """Fixed, because the broker keeps the session under it; `tallygate-<gateway>` by default."""
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    """3.1.1 has all that is needed and is spoken by every broker; 5 bounds the session's age."""
    keepalive_s: Annotated[int, Field(strict=True, ge=5, le=3600)] = 60
    username: Name | None = None
    password_env: Name | None = None
    tls: StrictBool = False
    ca_file: Name | None = None
    """Certificates to trust instead of the system's."""
    cert_file: Name | None = None
    """The gateway's own certificate, where the broker asks for one; it implies key_file."""
    key_file: Name | None = None
    silent_after_s: Seconds = 86400
    """A meter that has not reported for so long is shown as silent."""
    listen: tuple[Name, ...] = ()
    """Filters for meters that nobody has stated yet: what comes goes to quarantine, visibly."""
    meter: tuple[MqttMeterTable, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.password_env is not None and self.username is None:
            raise ValueError("password_env needs a username beside it")
        for name in ("ca_file", "cert_file", "key_file"):
            if getattr(self, name) is not None and not self.tls:
                raise ValueError(f"{name} needs tls = true beside it")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("state cert_file and key_file together, or neither")
        return self

    @field_validator("listen")
    @classmethod
    def _are_filters(cls, listen: tuple[str, ...]) -> tuple[str, ...]:
        for text in listen:
            levels = text.split("/")
            bad_hash = any("#" in level for level in levels[:-1]) or (
                "#" in levels[-1] and levels[-1] != "#"
            )
            if bad_hash or any("+" in level and level != "+" for level in levels):
                raise ValueError(f"{text!r} is no topic filter; + and # stand for whole levels")
        return listen


class DevicesTable(Definition):
    """Where the buses and meters come from, if not from this file."""

    from_: Literal["api"] = Field(alias="from")
    """The API of [report]: it is asked for the list, which is kept beside the spool."""


class ReportTable(Definition):
    """The API that hears how the gateway does."""

    url: Name
    key_env: Name | None = None
    """The environment variable that holds the gateway's API key; without it, the key that
    `tallygate gateway enrol` stored beside the spool."""
    interval_s: Seconds = 60

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no http(s) address such as https://tallygate.example")
        return url.rstrip("/")


class MetricsTable(Definition):
    """Where Prometheus finds the gateway's figures; nowhere without this table."""

    host: Name = "127.0.0.1"
    port: Port = 9464


class Settings(Definition):
    """The whole file."""

    gateway: Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9][\w.-]{0,63}$")]
    """The gateway's name: letters, digits, `.`, `_`, `-`."""
    types: tuple[Name, ...] = ()
    """Folders with meter types beside the shipped ones."""
    zone: Name = "Asia/Shanghai"
    """The time zone whose midnights bills are cut at."""
    archive: ArchiveTable
    spool: SpoolTable = SpoolTable()
    poll: PollTable = PollTable()
    bus: tuple[BusTable, ...] = ()
    mqtt: MqttTable | None = None
    report: ReportTable | None = None
    devices: DevicesTable | None = None
    metrics: MetricsTable | None = None

    @model_validator(mode="after")
    def _reads_something(self) -> Self:
        if self.devices is not None:
            if self.report is None:
                raise ValueError("devices from the API need [report], which says where the API is")
            if self.bus or (self.mqtt is not None and self.mqtt.meter):
                raise ValueError(
                    'states [[bus]] or [[mqtt.meter]] beside devices.from = "api"; move them to '
                    "the API, or remove [devices]"
                )
        elif not self.bus and self.mqtt is None:
            raise ValueError("needs a [[bus]] or [mqtt], or there is nothing to read")
        elif self.mqtt is not None and not self.mqtt.meter and not self.mqtt.listen:
            raise ValueError(
                "mqtt needs an [[mqtt.meter]] or listen, or there is nothing to receive"
            )
        return self
