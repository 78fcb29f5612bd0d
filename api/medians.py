"""What similar households used in issued months: worked out once, as those months do not change."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from billing import similar
from billing.store import changes
from billing.store.views import consumption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from billing.similar import Medians
    from meters.interval import Period

MOST_KEPT = 5000
"""Months of communities; a few hundred bytes each."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What was said of the units of a community: up to `position` of the audit log, by `last`."""

    position: int
    last: int


class KnownMedians:
    """The medians that were asked for, by community run and medium, the latest of them.

    They are worked out anew once somebody has said another area or class of a unit.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], tuple[int, Medians]] = {}
        self._facts: dict[int, _Facts] = {}

    def of(
        self, connection: Connection, community_id: int, medium: str, parts: Mapping[int, Period]
    ) -> dict[int, Medians]:
        """Return the medians of issued community runs, given by id with their months."""
        last = self._last_said(connection, community_id)
        found = {}
        for each in parts:
            said, medians = self._kept.get((each, medium), (None, None))
            if medians is not None and said == last:
                found[each] = medians
        missing = [each for each in parts if each not in found]
        if missing:
            used = consumption.used_by_units(connection, missing, medium)
            days = [parts[each].first for each in missing]
            known = consumption.households(connection, community_id, days)
            for each, households in zip(missing, known, strict=True):
                found[each] = similar.medians(used[each], households)
                if last is not None:
                    self._kept[each, medium] = last, found[each]
            for oldest in list(islice(self._kept, max(0, len(self._kept) - MOST_KEPT))):
                self._kept.pop(oldest, None)
        return found

    def _last_said(self, connection: Connection, community_id: int) -> int | None:
        """Return where the audit log said something of the community's units last.

        None where `connection` sees less of it than somebody has seen already: what is worked out
        from that is not kept.
        """
        before = self._facts.get(community_id, _Facts(-1, -1))
        newest = changes.newest(connection)
        if newest < before.position:
            return None
        said = changes.last_fact(connection, community_id, after=before.position)
        found = _Facts(newest, before.last if said is None else said)
        self._facts[community_id] = found
        return found.last
