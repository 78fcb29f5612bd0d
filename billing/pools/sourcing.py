"""From shared meters, master and subs, or documents, to what a pool has to share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from billing.evidence import quantity_text, usage_evidence
from billing.money import from_fen, largest_remainder
from billing.pools.supply import Supply, invoiced, lost, rated, together
from billing.problem import Problem
from billing.rating.evidence import inputs, parts
from billing.rating.rate import rate
from billing.rating.subjects import Needs, Subjects
from meters.interval import Interval, local_midnight
from meters.quantity import plain, to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from billing.pools.papers import Cost
    from billing.pools.pool import Pool
    from billing.registry import PoolVersion, Registry, TariffVersion
    from billing.usage.measuring import Measured
    from meters.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """A supply with what it rests on.

    `tariff_version_id`: the first version that it was rated by, None for a cost by document.
    `of_documents`: how much of a supplier's bill the supply is.
    """

    supply: Supply
    tariff_version_id: int | None
    evidence: dict[str, Any]
    of_documents: Fraction = field(default=Fraction(1))


def source(registry: Registry, version: PoolVersion, measured: Measured) -> Sourced | list[Problem]:
    """Return what `version`'s pool shares in the period, or what stands in the way.

    Where a finding blocks a meter, which is said already, there is nothing to say.
    """
    pool = version.pool
    if waiting := [each for each in version.costs if each.approved_by is None]:
        return [_not_approved(pool, each) for each in waiting]
    if pool.source.cost is not None:
        return _by_document(registry, version)
    problems = list(_tariff_problems(registry, pool))
    if problems:
        return problems
    master = _metered(registry, pool, measured)
    if master is None or pool.source.subs is None:
        return master or []
    return _loss(registry, version, measured, master)


def _not_approved(pool: Pool, cost: Cost) -> Problem:
    return Problem(
        "CostNotApproved",
        pool.id,
        f"{cost.entered_by} entered {from_fen(cost.amount)} by {cost.document}; somebody else has "
        f"to approve or reject it: `tallygate billing cost approve {cost.id}`",
    )


def _by_document(registry: Registry, version: PoolVersion) -> Sourced | list[Problem]:
    if not version.costs:
        text = (
            f"nobody entered what it cost in {registry.period.key}; enter it with its document: "
            "`tallygate billing cost enter`"
        )
        return [Problem("NoCost", version.pool.id, text)]
    supply = invoiced(((each.document, each.amount) for each in version.costs), registry.currency)
    evidence = {"currency": registry.currency, "costs": cost_documents(version.costs)}
    return Sourced(supply=supply, tariff_version_id=None, evidence=evidence)


def cost_documents(costs: Iterable[Cost]) -> list[dict[str, str]]:
    """Return approved costs as evidence."""
    return [
        {
            "document": each.document,
            "amount": str(from_fen(each.amount)),
            "entered_by": each.entered_by,
            "approved_by": str(each.approved_by),
        }
        for each in costs
    ]


def _tariff_problems(registry: Registry, pool: Pool) -> Iterator[Problem]:
    name, register = str(pool.source.tariff), str(pool.source.register_name)
    versions = registry.tariffs.get(name, ())
    if not versions or versions[0].tariff.valid_from > registry.period.first:
        yield Problem(
            "NoTariff", pool.id, f"no version of its tariff {name!r} is in force; add one"
        )
    for version in versions:
        needs = version.tariff.needs
        told = Needs(frozenset({register}), needs.year_to_date, needs.quarter_to_date)
        if needs != told:
            what = f"its tariff {name!r} does not bill {register!r} alone; name one that does"
            yield Problem("TariffMismatch", pool.id, what)


def _metered(registry: Registry, pool: Pool, measured: Measured) -> Sourced | None:
    """Return what the shared meters counted and what it costs; None where a finding blocks it."""
    register = str(pool.source.register_name)
    usages: list[Usage] = []
    for point in pool.source.points:
        if measured.over(point, register) is None:
            return None
        usages += measured.of(point, register)
    versions = registry.tariffs[str(pool.source.tariff)]
    rated_parts, supplies = [], []
    used = _Used(registry, pool)
    for version, (first, days), quantity in _by_version(registry, versions, usages):
        subject = used.subject(version, days=days, days_before=first - 1, quantity=quantity)
        charges = rate(version.tariff, subject)
        supplies.append(rated(version.tariff, quantity, charges))
        rated_parts.append(
            {
                "tariff": version.tariff.id,
                "version": version.tariff.version,
                "inputs": next(inputs(subject)),
                "charges": [
                    {
                        "charge": each.charge,
                        "amount": str(from_fen(int(each.amount[0]))),
                        "parts": next(parts(each)),
                    }
                    for each in charges
                ],
            }
        )
    evidence = {"sources": [_usage_document(each) for each in usages], "rated": rated_parts}
    return Sourced(supply=together(supplies), tariff_version_id=versions[0].id, evidence=evidence)


def _usage_document(usage: Usage) -> dict[str, Any]:
    return {
        "point": usage.point,
        "register": usage.register,
        "quantity": plain(usage.quantity or Decimal(0)),
        "unit": usage.unit,
        **usage_evidence(usage),
    }


def _by_version(
    registry: Registry, versions: Sequence[TariffVersion], usages: Sequence[Usage]
) -> Iterator[tuple[TariffVersion, tuple[int, int], int]]:
    """Yield each tariff version with its first day and days, and the use that it prices, 10⁻⁴.

    A usage that a price change cuts through is divided by days.
    """
    period = registry.period
    firsts = [max(each.tariff.valid_from, period.first) for each in versions]
    days = [(after - first).days for first, after in pairwise([*firsts, period.after])]
    edges = [local_midnight(day, period.zone) for day in [*firsts, period.after]]
    quantities = [0] * len(versions)
    for usage in usages:
        shared = [
            common_days(usage.interval, Interval(*ends), period.zone) for ends in pairwise(edges)
        ]
        split = largest_remainder(
            to_scaled(usage.quantity or Decimal(0)), shared, tie_key=lambda place: place.to_bytes(4)
        )
        for place, quantity in enumerate(split.parts):
            quantities[place] += quantity
    for version, first, count, quantity in zip(versions, firsts, days, quantities, strict=True):
        yield version, ((first - period.first).days + 1, count), quantity


def common_days(one: Interval, other: Interval, zone: ZoneInfo) -> int:
    """Return how many local days lie in both intervals, which are cut at midnights."""
    common = one.intersection(other)
    if common is None:
        return 0
    return (common.end.astimezone(zone).date() - common.start.astimezone(zone).date()).days


class _Used:
    """What the shared meters used before: in the year, in the quarter, and in earlier versions."""

    def __init__(self, registry: Registry, pool: Pool) -> None:
        self._register = str(pool.source.register_name)
        self._period = registry.period
        issued = (
            registry.issued.get((point.id, self._register))
            for point in registry.points
            if point.code in pool.source.points
        )
        months = (each.by_month for each in issued if each is not None)
        self._by_month = sum((Counter(each) for each in months), Counter[str]())
        self._earlier = 0

    def subject(
        self, version: TariffVersion, *, days: int, days_before: int, quantity: int
    ) -> Subjects:
        """Return `quantity` as the next thing that is rated, by `version`, in time order."""
        needs = version.tariff.needs
        quarter = self._period.earlier_months(3)
        year = sum(self._by_month.values()) + self._earlier
        in_quarter = sum(self._by_month[month] for month in quarter) + self._earlier
        self._earlier += quantity
        return Subjects.one(
            period_days=self._period.days,
            days=days,
            days_before=days_before,
            use={self._register: quantity},
            before_year=dict.fromkeys(needs.year_to_date, year),
            before_quarter=dict.fromkeys(needs.quarter_to_date, in_quarter),
        )


def _loss(
    registry: Registry, version: PoolVersion, measured: Measured, master: Sourced
) -> Sourced | list[Problem]:
    """Return what the subs of a master do not account for; a problem where that is too much."""
    pool, register = version.pool, str(version.pool.source.register_name)
    subs: dict[str, int] = {}
    for point in pool.source.subs or ():
        used = measured.over(point, register)
        if used is None:
            return []
        subs[point] = used
    whole = master.supply.quantity
    quantity = whole - sum(subs.values())
    if whole == 0 and quantity == 0:
        share = Fraction(0)
    elif whole == 0:
        text = "its master counted nothing while its subs did; correct the readings"
        return [Problem("NothingAtMaster", pool.id, text)]
    else:
        share = Fraction(quantity, whole)
    passed = next((each for each in version.losses_approved if each.lost == quantity), None)
    usual = _within(pool, share)
    if not usual and passed is None:
        return [_outside(registry, pool, share, quantity)]
    evidence = {
        **master.evidence,
        "subs": {point: quantity_text(used) for point, used in subs.items()},
        "loss": {"master": quantity_text(whole), "lost": quantity_text(quantity)},
    }
    if not usual and passed is not None:
        evidence["loss"] |= {"approved_by": passed.approved_by, "reason": passed.reason}
    supply = lost(master.supply, quantity)
    return replace(master, supply=supply, evidence=evidence, of_documents=share)


def _within(pool: Pool, share: Fraction) -> bool:
    low, high = pool.source.loss_band or (0, 0)
    return Fraction(low) <= share <= Fraction(high)


def _outside(registry: Registry, pool: Pool, share: Fraction, quantity: int) -> Problem:
    low, high = pool.source.loss_band or (0, 0)
    lost_text = quantity_text(quantity)
    return Problem(
        "LossOutsideBand",
        pool.id,
        f"{lost_text} of its master's use is lost, {_percent(share)}; its band is "
        f"{_percent(Fraction(low))} to {_percent(Fraction(high))}. Look for a leak, theft or stuck "
        f"meter, or let it pass: `tallygate billing loss approve {registry.code} {pool.id} "
        f"{registry.period.key} {lost_text}`",
    )


def _percent(share: Fraction) -> str:
    return f"{Decimal(round(share * 10000)).scaleb(-2)} %"
