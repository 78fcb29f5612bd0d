"""What every request works with: the databases, the meter types, the clock. One set an app."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from api.catalogue import Catalogue
from api.credentials import Passwords
from api.notices import Notices
from api.papers.attaching import attached_bill
from api.papers.sealing import Seals, open_seals
from api.providers import Providers, open_providers
from api.rate import Limiter
from api.tokens import Tokens
from billing.database import Database
from billing.delivery.channels import Channels, open_channels
from billing.delivery.destination import Reach
from billing.scoping import NOBODY
from billing.sealing import Seal
from meters.archive.open import open_archive
from meters.catalog.choice import known_types

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import HTTPConnection

    from api.principal import Principal
    from api.settings import ApiSettings
    from meters.archive.protocol import Archive


CALLER = "caller"
"""Where the state of a request keeps who makes it."""


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
    channels: Channels
    notices: Notices
    now: Callable[[], datetime]
    seals: Seals | None = None
    tokens: Tokens = field(default_factory=Tokens)
    seal: Seal = field(default_factory=Seal)
    limiter: Limiter = field(default_factory=Limiter)
    under_way: dict[tuple[str, str], str] = field(default_factory=dict)
    """The keyed calls that this process works on: by caller and key, what they ask for."""

    def within(self, project: int | None) -> Resources:
        """Return the same with the database as `project` sees it; the whole of it for None."""
        return replace(self, database=self.database.within(project))

    def close(self) -> None:
        self.providers.close()
        self.archive.close()
        self.database.close()
        self.limiter.close()


def open_resources(
    settings: ApiSettings,
    clock: Callable[[], datetime] = read_clock,
    limiter: Limiter | None = None,
) -> Resources:
    """Return the resources that `settings` name; a database that is away is no error yet.

    Raises `DefinitionError` for a meter type, merchant account, mail server or file of seal keys
    that does not load, and `ArchiveUrlError`.
    """
    seals = open_seals(settings.seal_keys, settings.public_address)
    papers = partial(attached_bill, seals)
    seal = Seal(settings.secret_keys)
    reach = reach_of(settings)
    database = Database(settings.database_url)
    return Resources(
        settings=settings,
        database=database,
        archive=open_archive(settings.archive_url),
        catalogue=Catalogue(known_types(*settings.meter_types)),
        passwords=Passwords(),
        providers=open_providers(settings),
        channels=open_channels(settings.delivery_settings, reach, os.environ, papers, seal=seal),
        notices=Notices(database),
        now=clock,
        seals=seals,
        tokens=Tokens(settings.token_keys),
        seal=seal,
        limiter=limiter or Limiter(),
    )


def reach_of(settings: ApiSettings) -> Reach:
    """Return how far webhooks of this installation reach."""
    return Reach.THIS_MACHINE if settings.webhooks_to_this_machine else Reach.PUBLIC


def whole(connection: HTTPConnection) -> Resources:
    """Return the resources of the app that `connection` came to, with what all projects have.

    For what happens before it is known who calls, and for what is not done for a caller.
    """
    resources: Resources = connection.app.state.resources
    return resources


def admit(connection: HTTPConnection, principal: Principal) -> None:
    """Keep what `of` gives to the project of `principal`, who makes the call."""
    connection.scope.setdefault("state", {})[CALLER] = principal


def of(connection: HTTPConnection) -> Resources:
    """Return the resources as the caller has them: rows of the own project and no others.

    Where a guard has admitted nobody, there are no rows at all.
    """
    principal: Principal | None = connection.scope.get("state", {}).get(CALLER)
    return whole(connection).within(NOBODY if principal is None else principal.project)
