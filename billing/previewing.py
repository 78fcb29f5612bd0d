"""What would be, without doing it: a month billed for nothing, a correction, another tariff."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from billing.anomalies import anomalies
from billing.comparison import amounts, differences
from billing.computing import made_of
from billing.months import to_correct
from billing.run import Parked
from billing.store import frozen, registry, revisions
from billing.store.revisions import Month
from billing.what_if.tried import tried

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from billing.anomalies import Anomaly
    from billing.comparison import Difference
    from billing.computing import Sources
    from billing.correction import Correction
    from billing.database import Database
    from billing.problem import Problem
    from billing.tariff import Tariff
    from billing.what_if.tried import Trial

NO_RUN = 0


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a month would come to. `total` in fen; differences are from the month before."""

    community: str
    period: str
    bills: int
    total: int
    problems: tuple[Problem, ...]
    differences: tuple[Difference, ...]
    anomalies: tuple[Anomaly, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What an issued month would be corrected by, as things are known today."""

    period: str
    corrections: tuple[Correction, ...]
    problems: tuple[Problem, ...]

    @property
    def total(self) -> int:
        """What people would owe more for the month, in fen."""
        return sum(each.total for each in self.corrections)


def dry_run(sources: Sources, *, community: str, period: str) -> DryRun:
    """Compute a month of a community and store nothing of it.

    Units that are held and not billed since are held on. Raises `UnknownCommunityError`, and
    `ValueError` where `period` is no month.
    """
    with sources.database.snapshot() as connection:
        community_id = _id(connection, community)
        months = [Month(0, period, 0)]
        seen = revisions.read(connection, NO_RUN, community_id, months)
    seen = replace(seen, held=frozenset(seen.unbilled))
    (made,) = made_of(seen, sources.archive, sources.types)
    if isinstance(made, Parked):
        return DryRun(community, period, 0, 0, made.problems, (), ())
    now = amounts(made.bills)
    return DryRun(
        community,
        period,
        len(made.bills),
        sum(now.values()),
        (),
        differences(seen.before, now) if seen.before else (),
        anomalies(made, seen.before, now, held=seen.held),
    )


def affected(sources: Sources, *, community: str, first: str) -> list[Change]:
    """Return what a correction from the month `first` on would change, month by month.

    Months that it would not change have no corrections; what stands in its way is a problem.
    Raises `UnknownCommunityError` and `PeriodError`.
    """
    with sources.database.snapshot() as connection:
        community_id = _id(connection, community)
        issued = to_correct(connection, community, community_id, first)
        months = [Month(0, period, 1) for period in issued]
        seen = revisions.read(connection, NO_RUN, community_id, months)
    made = made_of(seen, sources.archive, sources.types)
    changed = revisions.changes(seen, made)
    return [
        Change(
            period,
            changed.get(period, ()),
            result.problems if isinstance(result, Parked) else (),
        )
        for period, result in zip(issued, made, strict=True)
    ]


def tariff_tried(
    database: Database, tariff: Tariff, *, community: str, period: str, instead_of: str = ""
) -> Trial:
    """Return what `tariff` would have billed in an issued month, on what is frozen behind it.

    `instead_of`: the id of the tariff whose lines it is tried on; its own unless said. Raises
    `UnknownCommunityError` and `NothingBilledError`.
    """
    with database.snapshot() as connection:
        community_id = _id(connection, community)
        lines = frozen.of_tariff(connection, community_id, period, instead_of or tariff.id)
    return tried(tariff, lines)


def _id(connection: Connection, code: str) -> int:
    known = registry.community_ids(connection)
    if code not in known:
        raise registry.UnknownCommunityError(
            f"there is no community {code!r}; there is: {', '.join(known) or 'none'}"
        )
    return known[code]
