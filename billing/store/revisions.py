"""The months that a run computes of a community, in the database: what they see, what they become.

An ordinary run has one month, which was not billed before. A month that is issued gets a new
revision: usages, statements and shares whole, and bills of what changes for people alone. Where the
community corrects on the next bill, those lines stand on the bills of the run's ordinary month.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, select

from billing import tables
from billing.anomalies import anomalies
from billing.bill import Bill
from billing.comparison import amounts
from billing.correction import Correction, corrections
from billing.run import Computed, Parked
from billing.store import corrections as lines
from billing.store import holds, records, registry, results, reviews, runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.anomalies import Anomaly
    from billing.comparison import Amounts
    from billing.correction import BilledLine
    from billing.registry import Registry
    from billing.store.results import Laid

NEXT_BILL, CORRECTION_BILL = "next bill", "correction bill"
"""The policies of communities: where what is corrected stands."""


class Month(NamedTuple):
    """One month of a community in a run: the id of its row, and which revision it makes."""

    part_id: int
    period: str
    revision: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run sees of a community, month by month.

    `held`: the units that it leaves out; `unbilled`: those that are left out of earlier months,
    with the first of them; `counting`: what counts of each month that is issued, and `numbered` how
    many bills it has; `before`: what the month before the first one bills, by unit and charge.
    """

    months: tuple[Month, ...]
    registries: tuple[Registry, ...]
    held: frozenset[str]
    unbilled: Mapping[str, str]
    counting: Mapping[str, Sequence[BilledLine]]
    numbered: Mapping[str, int]
    before: Amounts
    on_next_bill: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a month comes to, ready to be stored.

    `bills` are the corrections that each bill holds beside its own lines, in the order of the
    bills; `laid` is None where problems are in the way.
    """

    month: Month
    made: Computed | Parked
    laid: Laid | None
    bills: tuple[tuple[Correction, ...], ...] = ()
    anomalies: tuple[Anomaly, ...] = ()

    @property
    def corrects(self) -> bool:
        return any(self.bills)


def read(connection: Connection, run_id: int, community_id: int, months: Sequence[Month]) -> Seen:
    """Return what a run sees of a community, in one snapshot."""
    first = registry.period_of(connection, community_id, months[0].period)
    issued = [month.period for month in months if month.revision]
    return Seen(
        tuple(months),
        tuple(registry.read(connection, community_id, month.period) for month in months),
        holds.units(connection, run_id, community_id),
        {
            unit: since
            for unit, (since, _) in holds.unbilled(
                connection, community_id, before=first.key
            ).items()
        },
        {period: lines.counting(connection, community_id, period) for period in issued},
        {month.period: lines.numbered(connection, community_id, month.period) for month in months},
        lines.amounts(connection, community_id, first.previous.key),
        policy(connection, community_id) == NEXT_BILL,
    )


def policy(connection: Connection, community_id: int) -> str:
    """Return where a community bills what is corrected."""
    community = tables.community
    query = select(community.c.corrections).where(community.c.id == community_id)
    return str(connection.execute(query).scalar_one())


def changes(seen: Seen, made: Sequence[Computed | Parked]) -> dict[str, tuple[Correction, ...]]:
    """Return what people owe differently for each month that is issued already."""
    return {
        month.period: corrections(
            month.period,
            result.registry.units,
            seen.counting[month.period],
            result.bills,
            held=seen.held,
        )
        for month, result in zip(seen.months, made, strict=True)
        if month.revision and isinstance(result, Computed)
    }


def outcomes(seen: Seen, made: Sequence[Computed | Parked]) -> list[Outcome]:
    """Return what each month comes to; all are parked where one of them is."""
    corrected = changes(seen, made)
    parked = any(isinstance(result, Parked) for result in made)
    found = []
    before = seen.before
    for month, result in zip(seen.months, made, strict=True):
        if parked or isinstance(result, Parked):
            found.append(Outcome(month, result, None))
            continue
        now = amounts(result.bills)
        unusual = anomalies(result, before, now, held=seen.held)
        bills, held_by = _billed(seen, month, result, corrected)
        laid = results.lay_out(month.part_id, replace(result, bills=bills))
        found.append(Outcome(month, result, laid, held_by, unusual))
        before = now
    return found


def _billed(
    seen: Seen,
    month: Month,
    made: Computed,
    corrected: Mapping[str, tuple[Correction, ...]],
) -> tuple[tuple[Bill, ...], tuple[tuple[Correction, ...], ...]]:
    """Return the bills of a month, and the corrections that stand on each beside its own lines."""
    own = () if month.revision else made.bills
    if month.revision:
        mine = () if seen.on_next_bill else corrected[month.period]
    else:
        mine = tuple(each for found in corrected.values() for each in found)
        mine = mine if seen.on_next_bill else ()
    by_debtor: dict[tuple[str, int], list[Correction]] = {}
    for each in mine:
        by_debtor.setdefault((each.unit.code, each.account.id), []).append(each)
    held_by = [tuple(by_debtor.pop((bill.unit.code, bill.account.id), ())) for bill in own]
    added = list(by_debtor.values())
    number = seen.numbered[month.period] + len(own)
    bills = [
        Bill(
            number=f"{made.registry.code}-{month.period}-{number + place:04d}",
            unit=found[0].unit,
            account=found[0].account,
            lines=(),
        )
        for place, found in enumerate(added, start=1)
    ]
    return (*own, *bills), (*held_by, *map(tuple, added))


def store(connection: Connection, found: Sequence[Outcome]) -> None:
    """Store what the months of a community come to in place of what was computed before."""
    for each in found:
        results.replace(connection, each.month.part_id, each.laid)
    places = {
        each.month.period: lines.Places(each.month.part_id, each.made)
        for each in found
        if isinstance(each.made, Computed)
    }
    for each in found:
        part_id = each.month.part_id
        points = {point.code: point.id for point in each.made.registry.points}
        reviews.replace_items(connection, part_id, each.made.items, points)
        if each.laid is None:
            problems = each.made.problems if isinstance(each.made, Parked) else ()
            runs.record_result(connection, part_id, state="blocked", problems=problems)
            continue
        _add_corrections(connection, each, places)
        digest = records.community_digest(connection, part_id) if each.corrects else None
        bills, total = results.counted(connection, part_id)
        runs.record_result(
            connection,
            part_id,
            state="computed",
            anomalies=each.anomalies,
            bills=bills,
            total=total,
            digest=digest or each.laid.digest,
        )


def _add_corrections(
    connection: Connection, outcome: Outcome, places: Mapping[str, lines.Places]
) -> None:
    bill = tables.bill
    for place, held in enumerate(outcome.bills, start=1):
        if not held:
            continue
        bill_id = outcome.month.part_id * records.PLACES + place
        after = results.lines_of(connection, bill_id)
        amount = lines.add_lines(connection, bill_id, after, held, places)
        connection.execute(
            bill.update().where(bill.c.id == bill_id).values(total=bill.c.total + amount)
        )
