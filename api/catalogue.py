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

KEPT = 64
"""Of how many projects, or versions of what they uploaded, the proven types are kept."""

LOG = logging.getLogger(__name__)


class Catalogue:
    """The types of this process, `fixed` for its life, and those that the database holds."""

    def __init__(self, fixed: Mapping[str, MeterType]) -> None:
        self.fixed = fixed
        self._proven: dict[tuple[str, ...], Mapping[str, MeterType]] = {(): fixed}

    def current(self, database: Database) -> Mapping[str, MeterType]:
        """Return every type by id, as the database holds them now."""
        with database.snapshot() as connection:
            return self.known(connection)

    def known(self, connection: Connection) -> Mapping[str, MeterType]:
        """Return every type by id, as `connection` sees them.

        Uploaded files are proven again where one of them changed.
        """
        digests = meter_types.digests(connection)
        known = self._proven.get(digests)
        if known is None:
            found: dict[str, MeterType] = {}
            for name, text in meter_types.texts(connection).items():
                try:
                    found |= meter_types.parsed({name: text})
                except DefinitionError as error:
                    # a release may ship a type under an id that was uploaded before
                    LOG.error("the uploaded meter type %s does not load any more: %s", name, error)  # noqa: TRY400 - what is wrong stands in the error
            if len(self._proven) >= KEPT:
                self._proven = {(): self.fixed}
            self._proven[digests] = known = {**found, **self.fixed}
        return known
