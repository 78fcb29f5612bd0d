"""What every request works with: the databases, the meter types, the clock. One set an app."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from api.catalogue import Catalogue
from api.credentials import Passwords
from api.providers import Providers, open_providers
from api.rate import Limiter
from billing.database import Database
from meters.archive.open import open_archive
from meters.catalog.choice import known_types

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import HTTPConnection

    from api.settings import ApiSettings
    from meters.archive.protocol import Archive


def read_clock() -> datetime:
    """Return this instant."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Resources:
    """The parts of a running API. `close` releases their files and connections."""

    settings: ApiSettings
    database: Database
    archive: Archive
    catalogue: Catalogue
    passwords: Passwords
    providers: Providers
    now: Callable[[], datetime]
    limiter: Limiter = field(default_factory=Limiter)

    def close(self) -> None:
        self.providers.close()
        self.archive.close()
        self.database.close()


def open_resources(settings: ApiSettings, clock: Callable[[], datetime] = read_clock) -> Resources:
    """Return the resources that `settings` name; a database that is away is no error yet.

    Raises `DefinitionError` for a meter type or merchant account that does not load, and
    `ArchiveUrlError`.
    """
    return Resources(
        settings=settings,
        database=Database(settings.database_url),
        archive=open_archive(settings.archive_url),
        catalogue=Catalogue(known_types(*settings.meter_types)),
        passwords=Passwords(),
        providers=open_providers(settings),
        now=clock,
    )


def of(connection: HTTPConnection) -> Resources:
    """Return the resources of the app that `connection` came to."""
    resources: Resources = connection.app.state.resources
    return resources
