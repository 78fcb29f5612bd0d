"""Settings of the API: from a TOML file, each one also from `TALLYGATE_…` in the environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

from pydantic import Field, model_validator

from api.permission import Role
from api.tokens import MIN_KEY_LENGTH
from billing.payments.wechat.settings import Address
from meters.definition import Definition, read_document, validate

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT_PREFIX = "TALLYGATE_"
LISTS = ("meter_types", "token_keys", "secret_keys", "second_factor_required_for")
"""What is several, parted by `:` in the environment."""


Settings = TypeVar("Settings", bound="OfficeSettings")


class OfficeSettings(Definition):
    """What commands for logins and keys need of the API's settings: all but the archive."""

    database_url: str = Field(min_length=1)
    """The billing database: `sqlite:///path` or `postgresql+pg8000://user:password@host/db`."""
    archive_url: str | None = None
    archive_compact_after_days: int = Field(default=3, ge=0, le=3650)
    """Days of an SQL archive that ended so long ago are compacted; 0 for never."""
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    """Processes that answer calls; with several, one more does what is done once."""
    secure_cookies: bool = True
    """Send cookies over HTTPS only; off where a demo speaks plain HTTP."""
    wechat_settings: Path | None = None
    """The settings of the merchant account at WeChat Pay (`WechatSettings`, TOML); none without."""
    wechat_scan_page: Address | None = None
    """A page that a simulator has in place of a phone; `?code=` says what a QR code says."""
    delivery_settings: Path | None = None
    """Mail server, gateways and groups (`DeliverySettings`, TOML); webhooks alone without."""
    webhooks_to_this_machine: bool = False
    """Send webhooks to this machine, by http too, and nowhere else: for a demo and for tests."""
    events_kept_days: int = Field(default=180, ge=7, le=3650)
    """How long messages can be looked at and sent again, from when they were told."""
    meter_types: tuple[Path, ...] = ()
    """Folders of meter types beside those that are shipped."""
    session_hours: int = Field(default=12, ge=1, le=24 * 30)
    token_keys: tuple[Annotated[str, Field(min_length=MIN_KEY_LENGTH)], ...] = ()
    """What signs short tokens, the newest first; without them each server makes up its own."""
    secret_keys: tuple[Annotated[str, Field(min_length=MIN_KEY_LENGTH)], ...] = ()
    """What seals secrets of second factors and webhooks: the first seals, all open."""
    second_factor_required_for: frozenset[Role] = frozenset()
    """Who does nothing before a second factor is set up."""
    seal_keys: Path | None = None
    """The keys that papers are sealed with (`tallygate bill seal-key`); no seals without."""
    public_address: Address | None = None
    """Where the pages are for everybody: what the QR code on a paper leads to."""
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    request_seconds: int = Field(default=30, ge=1)
    """How long the head of a request may take to arrive, and how long its body."""
    answer_seconds: int = Field(default=300, ge=30)
    """How long a call may take; gateways wait up to 25 seconds for something to do."""
    keep_alive_seconds: int = Field(default=15, ge=1)
    """How long a connection stays open after an answer."""
    max_connections: int = Field(default=1000, ge=10)
    key_calls_per_minute: int = Field(default=3000, ge=1)
    """Calls that one API key name may make."""
    session_calls_per_minute: int = Field(default=600, ge=1)
    """Calls that one person may make."""
    address_calls_per_minute: int = Field(default=600, ge=1)
    """Calls from one address by nobody who is known."""

    @model_validator(mode="after")
    def _second_factors_can_be_set_up(self) -> Self:
        if self.second_factor_required_for and not self.secret_keys:
            raise ValueError(
                "second_factor_required_for needs secret_keys: without a key nobody can set "
                "a second factor up"
            )
        return self


class ApiSettings(OfficeSettings):
    """Where the API finds its data and listens. The environment wins over the file."""

    archive_url: str = Field(min_length=1)
    """The archive of readings, as `meters.archive.open` takes it."""


def load_settings(
    path: Path | None, environment: Mapping[str, str], model: type[Settings]
) -> Settings:
    """Return the settings in the file `path`, overridden by `environment`.

    Raises `DefinitionError` for a file that cannot be read, a typo, or something missing.
    """
    document: dict[str, Any] = {} if path is None else read_document(path)
    for name in model.model_fields:
        value = environment.get(ENVIRONMENT_PREFIX + name.upper())
        if value is not None:
            document[name] = value.split(":") if name in LISTS else value
    source = "no --settings, and of TALLYGATE_… in the environment" if path is None else str(path)
    return validate(model, document, source)
