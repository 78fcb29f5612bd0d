"""From shared meters, master and subs, or documents, to what a pool has to share."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from billing.money import from_fen
from billing.pools.loss import loss
from billing.pools.metered import metered, tariff_problems
from billing.pools.supply import Supply, invoiced
from billing.problem import Problem
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from billing.pools.papers import Cost
    from billing.pools.pool import Pool
    from billing.registry import PoolVersion, Registry
    from billing.usage.measuring import Measured


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
    return _metered(registry, version, measured)


def _not_approved(pool: Pool, cost: Cost) -> Problem:
    return Problem(
        "CostNotApproved",
        pool.id,
        told(
            "{person} entered {amount} by {document}; somebody else has to approve or reject it: "
            "`tallygate billing cost approve {cost}`",
            person=cost.entered_by,
            amount=from_fen(cost.amount),
            document=cost.document,
            cost=cost.id,
        ),
    )


def _by_document(registry: Registry, version: PoolVersion) -> Sourced | list[Problem]:
    if not version.costs:
        text = told(
            "nobody entered what it cost in {month}; enter it with its document: "
            "`tallygate billing cost enter`",
            month=registry.period.key,
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


def _metered(
    registry: Registry, version: PoolVersion, measured: Measured
) -> Sourced | list[Problem]:
    """Return what shared meters counted, or of a master what its subs do not account for."""
    pool = version.pool
    problems = list(tariff_problems(registry, pool))
    if problems:
        return problems
    found = metered(registry, pool, measured)
    if found is None:
        return []
    first = found.versions[0].id
    if pool.source.subs is None:
        return Sourced(supply=found.supply, tariff_version_id=first, evidence=found.evidence)
    missing = loss(registry, version, measured, found)
    if isinstance(missing, list):
        return missing
    return Sourced(
        supply=missing.supply,
        tariff_version_id=first,
        evidence={**found.evidence, **missing.evidence},
        of_documents=missing.of_documents,
    )
