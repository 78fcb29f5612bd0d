"""Settings of delivery: where the pages are, the mail server, and gateways for SMS and groups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from billing.delivery.event import OUTWARD, Kind
from billing.delivery.gateway import Gateway, load_gateway, shipped_gateways
from billing.delivery.wording import LANGUAGES
from meters.definition import Definition, DefinitionError, Problem, read_document, validate

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _language(tag: str) -> str:
    if tag not in LANGUAGES:
        raise ValueError(f"must be one of {', '.join(LANGUAGES)}")
    return tag


def _outward(kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    if unknown := [kind.value for kind in kinds if kind not in OUTWARD]:
        raise ValueError(f"{unknown[0]} is told to nobody outside")
    return kinds


Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]


class SmtpSettings(Definition):
    """A mail server that takes what we send."""

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is sealed; `none` is for a server on this machine."""
    sender: str = Field(pattern=r"^[^\r\n<>]*<[^@\s<>]+@[^@\s<>]+>$|^[^@\s<>]+@[^@\s<>]+$")
    """Who it is from, such as `桂花苑物业 <bills@example.com>`."""
    user: str | None = None
    password_env: Variable = "TALLYGATE_SMTP_PASSWORD"  # noqa: S105  the name of a variable
    ca_file: Path | None = None
    """The certificates that the server's is to hang on; those of the system without."""

    @model_validator(mode="after")
    def _sealed(self) -> SmtpSettings:
        if self.security == "none" and (self.host not in LOOPBACK or self.user is not None):
            raise ValueError(
                'security = "none" is for a server on this machine that asks for no password'
            )
        return self


class GatewaySettings(Definition):
    """How an SMS or a group's message goes out: by which definition, where, with which secret."""

    definition: str
    """The id of a shipped gateway, or the path of a file of one's own."""
    url: str = Field(pattern=r"^https://|^http://(127\.0\.0\.1|localhost)[:/]", max_length=1000)
    """`{secret}` in it is replaced by the secret."""
    secret_env: Variable | None = None


class GroupSettings(GatewaySettings):
    """A group of staff that is told of `events` in `language`.

    `project`: the code of the project whose events they are; without it those of every project.
    """

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    project: str | None = None
    events: Annotated[tuple[Kind, ...], AfterValidator(_outward)] = Field(min_length=1)
    language: Annotated[str, AfterValidator(_language)] = LANGUAGES[0]


class DeliverySettings(Definition):
    """All of it. A channel that is not set up is offered to nobody."""

    links: str = Field(pattern=r"^https?://[^\s?#]+$")
    """Where people reach the pages, such as https://bills.example.com."""
    smtp: SmtpSettings | None = None
    sms: GatewaySettings | None = None
    group: tuple[GroupSettings, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> DeliverySettings:
        names = [each.name for each in self.group]
        if len(set(names)) != len(names):
            raise ValueError("two groups have one name")
        return self


def load_delivery(path: Path) -> DeliverySettings:
    """Return the settings in the file `path`; raise `DefinitionError`."""
    return validate(DeliverySettings, read_document(path), str(path))


def secret(variable: str | None, environment: Mapping[str, str], *, source: str) -> str | None:
    """Return the secret in a variable, None where none is named; raise `DefinitionError`."""
    if variable is None:
        return None
    found = environment.get(variable)
    if not found:
        what = f"names the variable {variable}, which is empty; put the secret there"
        raise DefinitionError([Problem(source, "", what)])
    return found


def gateway_of(settings: GatewaySettings, *, source: str) -> Gateway:
    """Return the gateway that settings name; raise `DefinitionError`."""
    known = shipped_gateways()
    if settings.definition in known:
        return known[settings.definition]
    path = Path(settings.definition)
    if path.suffix != ".toml":
        what = f"must be one of {', '.join(known)}, or the path of a .toml file"
        raise DefinitionError([Problem(source, "definition", what)])
    return load_gateway(path)
