"""Registers at edges of bands and at midnights, asked of the archive while a run does other work.

A register is asked once for all its instants, so that a day of the archive is unpacked once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.usage.dividing import seconds, series_of
from meters.edges import of_all

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from concurrent.futures import Executor
    from datetime import datetime

    from billing.usage.wanted import Wanted
    from meters.archive.protocol import Archive
    from meters.edges import Edges


class EdgesAhead:
    """What the registers that are `wanted` showed at the edges of bands and at `midnights`.

    The archive is asked by a thread of `aside`: for those that are divided, and for the others.
    `of_bands` are the edges of bands, of all of them.
    """

    def __init__(
        self,
        archive: Archive,
        wanted: Sequence[Wanted],
        midnights: Collection[datetime],
        aside: Executor,
    ) -> None:
        self.of_bands = frozenset().union(*{part.edges for each in wanted for part in each.every})
        divided: list[Wanted] = []
        others: list[Wanted] = []
        for each in wanted:
            (divided if any(part.edges for part in each.every) else others).append(each)
        questions = ((self.of_bands.union(midnights), divided), (frozenset(midnights), others))
        self._asked = [
            (instants, aside.submit(archive.edges, series_of(some), instants))
            for instants, some in questions
            if instants and some
        ]

    def at(self, instants: Collection[datetime]) -> Edges:
        """Return what all showed that were asked at `instants`. May wait for the archive.

        Raises `ArchiveUnavailableError`.
        """
        at_s = seconds(instants)
        found = [each.result() for asked, each in self._asked if asked.issuperset(instants)]
        return of_all([each.at(at_s) for each in found])
