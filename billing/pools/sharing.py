"""From what a pool has to share to its statement, and from that to the lines of those who share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing.bill import Debtor, Line
from billing.money import from_fen, largest_remainder
from billing.pools.apportionment import Statement, apportion
from billing.pools.margin import margin_of
from billing.pools.obstacle import Blocked, Waiting
from billing.pools.participant import Participant, participant_document
from billing.pools.policy import Payer
from billing.pools.sourcing import Sourced, cost_documents, source
from billing.pools.supply import part_document
from billing.problem import Problem
from meters.quantity import to_scaled
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from billing.pools.basis import UseKey
    from billing.pools.pool import Pool
    from billing.registry import Account, PoolVersion, Registry, Unit
    from billing.usage.measuring import Measured
    from meters.interval import Interval
    from meters.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolResult:
    """A pool's statement with the versions and the evidence that it rests on."""

    version: PoolVersion
    tariff_version_id: int | None
    statement: Statement
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shared:
    """Every pool's result, the lines of those who owe a share, and what is missing.

    `waiting`: the pools that wait for units that are held, and what each of those lacks.
    """

    results: list[PoolResult] = field(default_factory=list)
    lines: Mapping[Debtor, list[Line]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)


def share_pools(registry: Registry, measured: Measured, held: Collection[str] = ()) -> Shared:
    """Return the statement of every pool of `registry`, and the lines that come of them.

    A pool that nothing keeps from being shared but what units lack that are `held` waits with them:
    it has no statement, and whoever corrects the month to bill those units shares it too.
    """
    results: list[PoolResult] = []
    lines: dict[Debtor, list[Line]] = defaultdict(list)
    holders = {
        (unit.code, span.account.code if span.account else None): span.account
        for unit in registry.units
        for span in unit.spans
    }
    problems: list[Problem] = list(_shared_twice(registry))
    waiting: list[Waiting] = []
    for version in registry.pools:
        result = _share(registry, version, measured)
        if isinstance(result, PoolResult):
            results.append(result)
            for debtor, line in _lines(result, holders):
                lines[debtor].append(line)
        elif isinstance(result, Blocked):
            waits, blocks = _divided(result, held)
            waiting.extend([] if blocks else waits)
            problems.extend(blocks)
        else:
            problems.extend(result)
    return Shared(results, lines, problems, waiting)


def _divided(blocked: Blocked, held: Collection[str]) -> tuple[list[Waiting], list[Problem]]:
    """Return what units lack that are `held`, and what else keeps a pool from being shared."""
    waits, blocks = [], []
    for each in blocked.obstacles:
        if each.unit is not None and each.unit in held:
            waits.append(Waiting(blocked.pool, each.unit, each.what))
        else:
            blocks.append(Problem(each.kind, blocked.pool, each.text))
    return waits, blocks


def _shared_twice(registry: Registry) -> Iterator[Problem]:
    """Yield the pools that bill a shared meter by the same register: people would pay twice."""
    taken: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in registry.pools:
        source = each.pool.source
        versions = registry.tariffs.get(source.tariff or "", ())
        read = {name for version in versions for name in version.tariff.needs.registers}
        for point in source.points:
            for register in {*source.counted, *read}:
                taken[point, register].append(each.pool.id)
    for pool, other, point in sorted(
        {(pool, names[0], point) for (point, _), names in taken.items() for pool in names[1:]}
    ):
        text = told(
            "measures at {point}, as pool '{pool}' does; one of them must let it go",
            point=point,
            pool=other,
        )
        yield Problem("SharedTwice", pool, text)


def _share(
    registry: Registry, version: PoolVersion, measured: Measured
) -> PoolResult | Blocked | list[Problem]:
    pool = version.pool
    sourced = source(registry, version, measured)
    if not isinstance(sourced, Sourced):
        return sourced
    participants = list(_participants(registry, pool, measured))
    statement = apportion(
        pool,
        sourced.supply,
        participants,
        period=registry.period.key,
        carried=version.carried,
    )
    if isinstance(statement, Blocked):
        return statement
    margin = margin_of(statement, version.costs, of_documents=sourced.of_documents)
    if margin.exceeded:
        text = told(
            "its owners would be charged {charged} for what cost {paid} by its documents; correct "
            "the tariff, the documents or the company's share",
            charged=from_fen(margin.charged),
            paid=from_fen(margin.paid),
        )
        return [Problem("ChargedMoreThanPaid", pool.id, text)]
    evidence = {
        **sourced.evidence,
        "parts": [part_document(each) for each in sourced.supply.parts],
        "participants": [participant_document(each) for each in participants],
        "carried": [[unit, carried] for unit, carried in _in_order(version.carried) if carried],
    }
    if version.costs:
        evidence["costs"] = cost_documents(version.costs)
    return PoolResult(
        version=version,
        tariff_version_id=sourced.tariff_version_id,
        statement=statement,
        evidence=evidence,
    )


def _in_order(carried: Mapping[str | None, int]) -> list[tuple[str | None, int]]:
    """Return what is carried by unit, the company's last."""
    return sorted(carried.items(), key=lambda each: (each[0] is None, each[0] or ""))


def _participants(registry: Registry, pool: Pool, measured: Measured) -> Iterator[Participant]:
    """Yield the units of the scope's building, or all, as the pool sees their spans.

    They hold what the pool's keys read, and no more of what is known about people.
    """
    reads = {key.reads for key in pool.keys} - {None}
    counted, uses = pool.uses, _uses(registry, pool, measured)
    for unit in registry.units:
        if pool.scope.building not in (None, unit.building):
            continue
        by_span = [_used(unit, key, uses, registry.period.zone) for key in counted]
        first_day = 1
        for place, span in enumerate(unit.spans):
            yield Participant(
                unit=unit.code,
                building=unit.building,
                entrance=unit.entrance,
                floor=unit.floor,
                customer_class=span.customer_class,
                account=span.account.code if span.account else None,
                first_day=first_day,
                days=span.days,
                attributes={k: v for k, v in span.attributes.items() if k in reads},
                use={
                    key.name: used[place]
                    for key, used in zip(counted, by_span, strict=True)
                    if used is not None
                },
                vacant=span.vacant,
            )
            first_day += span.days


def _uses(
    registry: Registry, pool: Pool, measured: Measured
) -> dict[tuple[str, str], Sequence[Usage]]:
    """Return the usages that are keys, by unit and the name of the use; none that is blocked."""
    return {
        (str(point.unit), key.name): measured.of(point.code, key.register_name)
        for key in pool.uses
        for point in registry.points
        if point.unit is not None and point.medium == key.medium
        if measured.over(point.code, key.register_name) is not None
    }


def _used(
    unit: Unit, key: UseKey, uses: Mapping[tuple[str, str], Sequence[Usage]], zone: ZoneInfo
) -> list[int] | None:
    """Return the use of `unit` in each of its spans, 10⁻⁴; None where it is not known.

    Use is measured wherever a unit changes hands. What else cuts a span divides it by days: it does
    not change who bears it, or it changes only whether the company does.
    """
    usages = uses.get((unit.code, key.name))
    if usages is None:
        return None
    found = [0] * len(unit.spans)
    for usage in usages:
        days = [_common_days(usage.interval, span.interval, zone) for span in unit.spans]
        split = largest_remainder(
            to_scaled(usage.quantity or Decimal(0)), days, tie_key=lambda place: place.to_bytes(4)
        )
        found = [one + more for one, more in zip(found, split.parts, strict=True)]
    return found


def _common_days(one: Interval, other: Interval, zone: ZoneInfo) -> int:
    """Return how many local days lie in both intervals, which are cut at midnights."""
    common = one.intersection(other)
    if common is None:
        return 0
    return (common.end.astimezone(zone).date() - common.start.astimezone(zone).date()).days


def _lines(
    result: PoolResult, holders: Mapping[tuple[str, str | None], Account | None]
) -> Iterator[tuple[Debtor, Line]]:
    """Yield what the owners of a statement owe, with who owes it; nothing where nobody may."""
    statement = result.statement
    if not result.version.pool.charged:
        return
    for position, share in enumerate(statement.shares):
        if share.unit is None or share.payer is not Payer.OWNER:
            continue
        yield (
            Debtor(share.unit, holders[share.unit, share.account]),
            Line(
                charge=statement.pool,
                revenue="pool",
                quantity=share.quantity,
                unit=statement.supply.unit,
                amount=share.amount,
                share=(statement.pool, position),
            ),
        )
