"""Recompute an issued line from the evidence frozen with it, and from nothing else (I7).

A rated line is rated again by its tariff version from the inputs in its evidence, and its use is
added up again from the registers of its usage. A shared line is apportioned again with everybody in
its statement. What comes out must be the line. Evidence that cannot even be read raises one of
`UNREADABLE`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from billing.difference import Difference, differing_money, differing_quantity
from billing.pools.apportionment import Statement, apportion
from billing.pools.participant import read_participants
from billing.pools.supply import Supply, read_part
from billing.pools.supply_again import supply_again
from billing.rating.evidence import parts, read_rows, shape, tax_stated
from billing.rating.rate import rate
from billing.usage.counted import added_up
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from billing.pools.pool import Pool
    from billing.pools.supply_again import Evidence, Tariffs
    from billing.rating.rate import ChargeColumns
    from billing.tariff import Tariff
    from meters.interval import Period


UNREADABLE = (ValueError, LookupError, TypeError, ArithmeticError)
"""What damaged evidence raises: no JSON, a key or version that is not there, no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a line or share says: `quantity` in 10⁻⁴ of its unit, `amount` in fen."""

    quantity: int
    amount: int


class Rated(NamedTuple):
    """A line that a tariff rated: what it claims, by which charge, and the evidence of it.

    `usages` is the evidence of what the line counts, by register; empty where it counts nothing.
    """

    claim: Claim
    charge: str
    evidence: Evidence
    usages: Mapping[str, Evidence]


def recompute_charge(
    claim: Claim,
    *,
    charge: str,
    tariff: Tariff,
    evidence: Mapping[str, Any],
    usages: Mapping[str, Mapping[str, Any]],
) -> list[Difference]:
    """Return where the line of `charge` differs from what its evidence gives; nothing if it holds.

    `usages` is the evidence of what the line counts, by register; empty where it counts nothing.
    """
    (found,) = recompute_charges(tariff, [Rated(claim, charge, evidence, usages)])
    return found


def recompute_charges(tariff: Tariff, lines: Sequence[Rated]) -> list[list[Difference]]:
    """Return where each of `lines` differs from what its evidence gives.

    Those of one charge whose inputs have one shape are rated at once.
    """
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for place, line in enumerate(lines):
        alike[line.charge, shape(line.evidence["inputs"])].append(place)
    found: dict[int, list[Difference]] = {}
    for places in alike.values():
        some = [lines[place] for place in places]
        rated_lines = rate(tariff, read_rows([each.evidence["inputs"] for each in some]))
        rated_line = {each.charge: each for each in rated_lines}[some[0].charge]
        found.update(zip(places, _charge_differences(tariff, rated_line, some), strict=True))
    return [found[place] for place in range(len(lines))]


def _charge_differences(
    tariff: Tariff, recomputed: ChargeColumns, lines: Sequence[Rated]
) -> Iterator[list[Difference]]:
    """Yield where each of `lines` differs from its row of `recomputed`."""
    count = len(lines)
    rows = zip(
        lines,
        [True] * count if recomputed.applies is None else recomputed.applies.tolist(),
        recomputed.quantity.tolist(),
        recomputed.amount.tolist(),
        parts(recomputed),
        tax_stated(recomputed),
        strict=True,
    )
    for line, applies, quantity, amount, steps, tax in rows:
        if not applies:
            yield [Difference("charge", "billed", "it does not apply")]
            continue
        found = [*differing_quantity("quantity", line.claim.quantity, quantity)]
        found += differing_money("amount", line.claim.amount, amount)
        if steps != line.evidence["parts"]:
            found.append(Difference("steps", str(line.evidence["parts"]), str(steps)))
        if tax.get("tax") != line.evidence.get("tax"):
            found.append(Difference("tax", str(line.evidence.get("tax")), str(tax.get("tax"))))
        yield found + _use_differences(tariff.registers_of(line.charge), line)


def _use_differences(registers: list[str], line: Rated) -> list[Difference]:
    """Hold what a line was rated with against the usages that it counts."""
    if registers != sorted(line.usages):
        return [Difference("registers", str(registers), str(sorted(line.usages)))]
    found: list[Difference] = []
    for register in registers:
        used = to_scaled(Decimal(line.evidence["inputs"]["use"][register]))
        what = "use" if len(registers) == 1 else f"use of {register}"
        found += differing_quantity(what, used, added_up(line.usages[register]))
    return found


def recompute_share(
    claim: Claim, *, position: int, pool: Pool, tariffs: Tariffs, period: Period, evidence: Evidence
) -> list[Difference]:
    """Return where share `position` of a statement differs from what its evidence gives."""
    result = recompute_pool(pool=pool, tariffs=tariffs, period=period, evidence=evidence)
    if isinstance(result, Difference):
        return [result]
    share = result.shares[position]
    found = [*differing_quantity("quantity", claim.quantity, share.quantity)]
    found += differing_money("amount", claim.amount, share.amount)
    return found


def recompute_statement(
    supply: Claim,
    claims: Sequence[tuple[str | None, Claim]],
    *,
    pool: Pool,
    tariffs: Tariffs,
    period: Period,
    evidence: Evidence,
) -> list[Difference]:
    """Return where a statement differs from what its evidence gives: its supply, and every share.

    `claims` are the units (None: the company's own share) and what they bear, in order.
    """
    result = recompute_pool(pool=pool, tariffs=tariffs, period=period, evidence=evidence)
    if isinstance(result, Difference):
        return [result]
    found = [*differing_quantity("quantity of the supply", supply.quantity, result.supply.quantity)]
    found += differing_money("amount of the supply", supply.amount, result.supply.amount)
    if [unit for unit, _ in claims] != [share.unit for share in result.shares]:
        found.append(Difference("who shares", f"{len(claims)} shares", f"{len(result.shares)}"))
        return found
    for (unit, claim), share in zip(claims, result.shares, strict=True):
        whose = "the company's share" if unit is None else f"share of unit {unit}"
        found += differing_quantity(f"{whose}, quantity", claim.quantity, share.quantity)
        found += differing_money(f"{whose}, amount", claim.amount, share.amount)
    return found


def recompute_pool(
    *, pool: Pool, tariffs: Tariffs, period: Period, evidence: Evidence
) -> Statement | Difference:
    """Share the supply in `evidence` again; a difference if it does not rest on its sources."""
    supply = supply_again(pool, tariffs, period, evidence)
    if isinstance(supply, Difference):
        return supply
    stated = tuple(map(read_part, evidence["parts"]))
    if stated != supply.parts:
        return Difference("steps of the supply", str(stated), str(supply.parts))
    return share_again(pool, supply, period.key, evidence)


def share_again(
    pool: Pool, supply: Supply, period: str, evidence: Evidence
) -> Statement | Difference:
    """Share `supply` among the participants that `evidence` holds."""
    result = apportion(
        pool,
        supply,
        read_participants(evidence["participants"]),
        period=period,
        carried=dict(evidence["carried"]),
    )
    if not isinstance(result, Statement):
        return Difference("statement", "shared", "; ".join(map(str, result.obstacles)))
    return result
