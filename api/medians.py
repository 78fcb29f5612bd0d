"""What similar households used in issued months: worked out once, as those months do not change."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from billing import similar
from billing.store.views import consumption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from billing.similar import Medians
    from meters.interval import Period

MOST_KEPT = 5000
"""Months of communities; a few hundred bytes each."""


class KnownMedians:
    """The medians that were asked for, by community run and medium, the latest of them.

    A unit's class or area that is corrected afterwards counts in what is not kept yet.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], Medians] = {}

    def of(
        self, connection: Connection, community_id: int, medium: str, parts: Mapping[int, Period]
    ) -> dict[int, Medians]:
        """Return the medians of issued community runs, given by id with their months."""
        missing = [each for each in parts if (each, medium) not in self._kept]
        found = {each: self._kept[each, medium] for each in parts if each not in missing}
        if missing:
            used = consumption.used_by_units(connection, missing, medium)
            days = [parts[each].first for each in missing]
            known = consumption.households(connection, community_id, days)
            for each, households in zip(missing, known, strict=True):
                found[each] = similar.medians(used[each], households)
                self._kept[each, medium] = found[each]
            for oldest in list(islice(self._kept, max(0, len(self._kept) - MOST_KEPT))):
                self._kept.pop(oldest, None)
        return found
