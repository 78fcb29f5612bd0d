"""The meter types that are known now: shipped, from folders of the settings, and uploaded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from api.store import meter_types
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from billing.database import Database
    from meters.meter_type import MeterType

LOG = logging.getLogger(__name__)


class Catalogue:
    """The types of this process, `fixed` for its life, and those that the database holds."""

    def __init__(self, fixed: Mapping[str, MeterType]) -> None:
        self.fixed = fixed
        self._digests: tuple[str, ...] = ()
        self._known: Mapping[str, MeterType] = fixed

    def current(self, database: Database) -> Mapping[str, MeterType]:
        """Return every type by id, as the database holds them now."""
        with database.snapshot() as connection:
            return self.known(connection)

    def known(self, connection: Connection) -> Mapping[str, MeterType]:
        """Return every type by id. Uploaded files are proven again where one of them changed."""
        digests = meter_types.digests(connection)
        if digests != self._digests:
            found: dict[str, MeterType] = {}
            for name, text in meter_types.texts(connection).items():
                try:
                    found |= meter_types.parsed({name: text})
                except DefinitionError as error:
                    # a release may ship a type under an id that was uploaded before
                    LOG.error("the uploaded meter type %s does not load any more: %s", name, error)  # noqa: TRY400 - what is wrong stands in the error
            self._known, self._digests = {**found, **self.fixed}, digests
        return self._known
