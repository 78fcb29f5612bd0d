"""A bill run: one community, one period, from readings to bills, or to what stands in the way."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.bill import Bill, Debtor
from billing.charging import charge_units
from billing.pools.policy import Payer
from billing.pools.sharing import share_pools
from billing.problem import Problem
from billing.usage.measuring import measure_points
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from billing.bill import Line
    from billing.pools.obstacle import Waiting
    from billing.pools.sharing import PoolResult, Shared
    from billing.registry import Registry, Unit
    from billing.usage.measuring import UsageKey
    from billing.vee.reviews import Item
    from meters.archive.protocol import Archive
    from meters.meter_type import MeterType
    from meters.usage import Usage


@dataclass(frozen=True, slots=True)
class Computed:
    """What a run makes of a community: its bills, and everything that they rest on.

    Units that are held have no bills, but shares in statements; pools that wait for them have none.
    """

    registry: Registry
    usages: Mapping[UsageKey, Usage]
    statements: tuple[PoolResult, ...]
    bills: tuple[Bill, ...]
    items: tuple[Item, ...] = ()
    """What a clerk should look at in its usage, although it is billed."""
    waiting: tuple[Waiting, ...] = ()
    """The pools that are not shared before units are billed that are held."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A community that cannot be billed yet, and every reason why."""

    registry: Registry
    problems: tuple[Problem, ...]
    items: tuple[Item, ...] = ()
    """What a clerk should look at in its usage."""


class UnbalancedError(RuntimeError):
    """Bills do not add up to what was charged and shared: a defect, so nothing may be issued."""


def compute(
    registry: Registry,
    archive: Archive,
    types: Mapping[str, MeterType],
    *,
    held: Collection[str] = (),
    unbilled: Mapping[str, str] | None = None,
) -> Computed | Parked:
    """Return the bills of a community for its period, or all that keeps them from being made.

    Units that are `held` are left out, with what stands in their way; the others' shares of pools
    stay what they are, but a pool that cannot be shared for what they lack waits with them: its
    lines come with the correction that bills them. `unbilled` are the units that were held before,
    with the month since when: they are either held on, or corrected from that month on. The same
    registry and readings give the same bills, whatever else happened in between.
    """
    measured = measure_points(registry, archive, types)
    charged = charge_units(registry, measured)
    shared = share_pools(registry, measured, held)
    bills, homeless = _bills(registry, charged.lines, shared.lines, held)
    found = {*measured.problems, *charged.problems, *shared.problems, *homeless}
    found |= {*_changed_meters(registry), *_not_billed_yet(held, unbilled or {})}
    of_held = {*held, *(point.code for point in registry.points if point.unit in held)}
    problems = tuple(sorted(each for each in found if each.subject not in of_held))
    if problems:
        return Parked(registry, problems, measured.items)
    usages = {key: usage for key, usage in measured.usages.items() if usage.quantity is not None}
    computed = Computed(
        registry,
        usages,
        tuple(shared.results),
        bills,
        measured.items,
        tuple(sorted(shared.waiting)),
    )
    _assert_balanced(computed, shared, held)
    return computed


def _changed_meters(registry: Registry) -> Iterator[Problem]:
    """Yield where a meter stands at the start that is not the one which closed the month before.

    It was exchanged in a month that is issued, and recorded since.
    """
    start = registry.period.interval.start
    closing: dict[int, set[str]] = defaultdict(set)
    for (point_id, _), issued in registry.issued.items():
        if issued.closing is not None and issued.closing.at == start:
            closing[point_id].add(issued.closing.meter)
    for point in registry.points:
        standing = [
            each
            for each in point.installations
            if each.start < start and (each.end is None or start < each.end)
        ]
        for meter in closing[point.id] - {each.meter for each in standing} if standing else ():
            if not any(each.meter == meter and each.end == start for each in point.installations):
                text = told(
                    "{month} was issued with meter {meter}, which {other} had replaced by then; "
                    "correct that month",
                    month=registry.period.previous.key,
                    meter=meter,
                    other=standing[0].meter,
                )
                yield Problem("CorrectionNeeded", point.code, text)


def _not_billed_yet(held: Collection[str], unbilled: Mapping[str, str]) -> Iterator[Problem]:
    for unit, since in unbilled.items():
        if unit not in held:
            text = told(
                "it was held in {month} and is not billed since; hold it on, or correct {month}",
                month=since,
            )
            yield Problem("HeldBefore", unit, text)


def _bills(
    registry: Registry,
    charged: Mapping[Debtor, list[Line]],
    shared: Mapping[Debtor, list[Line]],
    held: Collection[str],
) -> tuple[tuple[Bill, ...], list[Problem]]:
    """Put the lines of each unit and holder on one bill, numbered in the order of the units."""
    bills: list[Bill] = []
    homeless: list[Problem] = []
    named = f"{registry.code}-{registry.period.key}"
    for unit in registry.units:
        if unit.code in held:
            continue
        for account in dict.fromkeys(span.account for span in unit.spans):
            debtor = Debtor(unit.code, account)
            lines = (*charged.get(debtor, ()), *shared.get(debtor, ()))
            if lines and account is None:
                homeless.append(_homeless(registry, unit))
            elif lines and account is not None:
                number = f"{named}-{len(bills) + 1:04d}"
                bills.append(Bill(number=number, unit=unit, account=account, lines=lines))
    return tuple(bills), homeless


def _homeless(registry: Registry, unit: Unit) -> Problem:
    empty = next(span for span in unit.spans if span.account is None)
    first = empty.interval.start.astimezone(registry.period.zone).date()
    last = first + timedelta(days=empty.days - 1)
    text = told(
        "no account holds the unit from {first} to {last}; add the owner's", first=first, last=last
    )
    return Problem("NoAccount", unit.code, text)


def _assert_balanced(computed: Computed, shared: Shared, held: Collection[str]) -> None:
    """Hold what was billed of each pool against its statement, and each use against its readings.

    Statements sum to their supply by themselves (I4); here no share may be lost or billed twice.
    """
    billed: dict[str, int] = {}
    for bill in computed.bills:
        for line in bill.lines:
            if line.share is not None:
                billed[line.share[0]] = billed.get(line.share[0], 0) + line.amount
    for result in shared.results:
        owed = result.statement.amount_of(Payer.OWNER) - sum(
            each.amount
            for each in result.statement.shares
            if each.payer is Payer.OWNER and each.unit in held
        )
        if billed.get(result.statement.pool, 0) != owed:
            raise UnbalancedError(
                f"pool {result.statement.pool}: owners owe {owed} fen, their bills hold "
                f"{billed.get(result.statement.pool, 0)}"
            )
    for key, usage in computed.usages.items():
        if usage.quantity != sum(segment.quantity for segment in usage.segments):
            raise UnbalancedError(f"the usage of {key} is not the sum of its installations")
