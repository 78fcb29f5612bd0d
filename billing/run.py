"""A bill run: one community, one period, from readings to bills, or to what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.apportionment import Payer
from billing.bill import Bill, Debtor
from billing.charging import charge_units
from billing.measuring import measure_points
from billing.problem import Problem
from billing.sharing import share_pools

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.bill import Line
    from billing.measuring import Measured, UsageKey
    from billing.registry import Registry, Unit
    from billing.sharing import PoolResult, Shared
    from meters.archive.protocol import Archive
    from meters.meter_type import MeterType
    from meters.usage import Usage


@dataclass(frozen=True, slots=True)
class Computed:
    """What a run makes of a community: its bills, and everything that they rest on."""

    registry: Registry
    usages: Mapping[UsageKey, Usage]
    statements: tuple[PoolResult, ...]
    bills: tuple[Bill, ...]


@dataclass(frozen=True, slots=True)
class Parked:
    """A community that cannot be billed yet, and every reason why."""

    registry: Registry
    problems: tuple[Problem, ...]


class UnbalancedError(RuntimeError):
    """Bills do not add up to what was charged and shared: a defect, so nothing may be issued."""


def compute(
    registry: Registry, archive: Archive, types: Mapping[str, MeterType]
) -> Computed | Parked:
    """Return the bills of a community for its period, or all that keeps them from being made.

    The same registry and readings give the same bills, whatever else happened in between.
    """
    measured = measure_points(registry, archive, types)
    charged = charge_units(registry, measured)
    shared = share_pools(registry, measured)
    bills, homeless = _bills(registry, charged.lines, shared.lines)
    problems = (*measured.problems, *charged.problems, *shared.problems, *homeless)
    if problems:
        return Parked(registry, tuple(sorted(set(problems))))
    computed = Computed(registry, measured.usages, tuple(shared.results), bills)
    _assert_balanced(computed, measured, shared)
    return computed


def _bills(
    registry: Registry,
    charged: Mapping[Debtor, list[Line]],
    shared: Mapping[Debtor, list[Line]],
) -> tuple[tuple[Bill, ...], list[Problem]]:
    """Put the lines of each unit and holder on one bill, numbered in the order of the units."""
    bills: list[Bill] = []
    homeless: list[Problem] = []
    for unit in registry.units:
        for account in dict.fromkeys(span.account for span in unit.spans):
            debtor = Debtor(unit.code, account)
            lines = (*charged.get(debtor, ()), *shared.get(debtor, ()))
            if lines and account is None:
                homeless.append(_homeless(registry, unit))
            elif lines and account is not None:
                number = f"{registry.code}-{registry.period.key}-{len(bills) + 1:04d}"
                bills.append(Bill(number=number, unit=unit, account=account, lines=lines))
    return tuple(bills), homeless


def _homeless(registry: Registry, unit: Unit) -> Problem:
    empty = next(span for span in unit.spans if span.account is None)
    first = empty.interval.start.astimezone(registry.period.zone).date()
    last = first + timedelta(days=empty.days - 1)
    text = f"no account holds the unit from {first} to {last}; add the owner's"
    return Problem("NoAccount", unit.code, text)


def _assert_balanced(computed: Computed, measured: Measured, shared: Shared) -> None:
    """Hold what was billed of each pool against its statement, and each use against its readings.

    Statements sum to their supply by themselves (I4); here no share may be lost or billed twice.
    """
    billed: dict[str, int] = {}
    for bill in computed.bills:
        for line in bill.lines:
            if line.share is not None:
                billed[line.share[0]] = billed.get(line.share[0], 0) + line.amount
    for result in shared.results:
        owed = result.statement.amount_of(Payer.OWNER)
        if billed.get(result.statement.pool, 0) != owed:
            raise UnbalancedError(
                f"pool {result.statement.pool}: owners owe {owed} fen, their bills hold "
                f"{billed.get(result.statement.pool, 0)}"
            )
    for key, usage in measured.usages.items():
        if usage.quantity != sum(segment.quantity for segment in usage.segments):
            raise UnbalancedError(f"the usage of {key} is not the sum of its installations")
