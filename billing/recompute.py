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

from billing.money import from_fen, to_fen
from billing.pools.apportionment import Statement, apportion
from billing.pools.participant import read_participants
from billing.pools.supply import Supply, invoiced, lost, rated, read_part, together
from billing.rating.evidence import parts, read_inputs, read_rows, shape, tax_stated
from billing.rating.rate import rate
from meters.quantity import from_scaled, plain, to_scaled

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from billing.pools.pool import Pool
    from billing.rating.rate import ChargeColumns
    from billing.tariff import Tariff

    Tariffs: TypeAlias = Callable[[str, int], Tariff]
    """Finds a tariff by its id and version."""
    Evidence: TypeAlias = Mapping[str, Any]


UNREADABLE = (ValueError, LookupError, TypeError, ArithmeticError)
"""What damaged evidence raises: no JSON, a key or version that is not there, no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a line or share says: `quantity` in 10⁻⁴ of its unit, `amount` in fen."""

    quantity: int
    amount: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in the evidence that does not give what the line claims."""

    what: str
    claimed: str
    recomputed: str

    def __str__(self) -> str:
        return f"{self.what}: the bill says {self.claimed}, the evidence gives {self.recomputed}"


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
        found = _compare("quantity", line.claim.quantity, quantity)
        found += _compare_money("amount", line.claim.amount, amount)
        if steps != line.evidence["parts"]:
            found.append(Difference("steps", str(line.evidence["parts"]), str(steps)))
        if tax.get("tax") != line.evidence.get("tax"):
            found.append(Difference("tax", str(line.evidence.get("tax")), str(tax.get("tax"))))
        yield found + _use_differences(tariff.registers_of(line.charge), line)


def _use_differences(registers: list[str], line: Rated) -> list[Difference]:
    """Hold what a line was rated with against the usages that it counts."""
    if registers != sorted(line.usages):
        return [Difference("registers", str(registers), str(sorted(line.usages)))]
    found = []
    for register in registers:
        used = to_scaled(Decimal(line.evidence["inputs"]["use"][register]))
        what = "use" if len(registers) == 1 else f"use of {register}"
        found += _compare(what, used, added_up(line.usages[register]))
    return found


def recompute_share(
    claim: Claim, *, position: int, pool: Pool, tariffs: Tariffs, period: str, evidence: Evidence
) -> list[Difference]:
    """Return where share `position` of a statement differs from what its evidence gives."""
    result = recompute_pool(pool=pool, tariffs=tariffs, period=period, evidence=evidence)
    if isinstance(result, Difference):
        return [result]
    share = result.shares[position]
    found = _compare("quantity", claim.quantity, share.quantity)
    found += _compare_money("amount", claim.amount, share.amount)
    return found


def recompute_statement(
    supply: Claim,
    claims: Sequence[tuple[str | None, Claim]],
    *,
    pool: Pool,
    tariffs: Tariffs,
    period: str,
    evidence: Evidence,
) -> list[Difference]:
    """Return where a statement differs from what its evidence gives: its supply, and every share.

    `claims` are the units (None: the company's own share) and what they bear, in order.
    """
    result = recompute_pool(pool=pool, tariffs=tariffs, period=period, evidence=evidence)
    if isinstance(result, Difference):
        return [result]
    found = _compare("quantity of the supply", supply.quantity, result.supply.quantity)
    found += _compare_money("amount of the supply", supply.amount, result.supply.amount)
    if [unit for unit, _ in claims] != [share.unit for share in result.shares]:
        found.append(Difference("who shares", f"{len(claims)} shares", f"{len(result.shares)}"))
        return found
    for (unit, claim), share in zip(claims, result.shares, strict=True):
        whose = "the company's share" if unit is None else f"share of unit {unit}"
        found += _compare(f"{whose}, quantity", claim.quantity, share.quantity)
        found += _compare_money(f"{whose}, amount", claim.amount, share.amount)
    return found


def recompute_pool(
    *, pool: Pool, tariffs: Tariffs, period: str, evidence: Evidence
) -> Statement | Difference:
    """Share the supply in `evidence` again; a difference if it does not rest on its sources."""
    supply = _supply(pool, tariffs, evidence)
    if isinstance(supply, Difference):
        return supply
    stated = tuple(map(read_part, evidence["parts"]))
    if stated != supply.parts:
        return Difference("steps of the supply", str(stated), str(supply.parts))
    return share_again(pool, supply, period, evidence)


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


def _supply(pool: Pool, tariffs: Tariffs, evidence: Evidence) -> Supply | Difference:
    """Return what the sources in `evidence` come to; a difference where they disagree."""
    if pool.source.cost is not None:
        costs = [(each["document"], to_fen(Decimal(each["amount"]))) for each in evidence["costs"]]
        return invoiced(costs, evidence["currency"])
    supplies = []
    for each in evidence["rated"]:
        subject = read_inputs(each["inputs"])
        used = sum(int(column[0]) for column in subject.use.values())
        tariff = tariffs(each["tariff"], each["version"])
        supplies.append(rated(tariff, used, rate(tariff, subject)))
    supply = together(supplies)
    counted = sum(added_up(each) for each in evidence["sources"])
    if differing := _compare("use", supply.quantity, counted):
        return differing[0]
    if pool.source.subs is None:
        return supply
    subs = sum(to_scaled(Decimal(each)) for each in evidence["subs"].values())
    return lost(supply, supply.quantity - subs)


def added_up(usage: Mapping[str, Any]) -> int:
    """Return Σ (closing − opening, rollover resolved) × multiplier of a usage's evidence, 10⁻⁴."""
    whole = Decimal(0)
    for segment in usage["segments"]:
        opening = Decimal(segment["opening"]["value"])
        closing = Decimal(segment["closing"]["value"])
        grown = closing - opening
        if segment["modulus"] is not None and grown < 0:
            grown += Decimal(segment["modulus"])
        whole += grown * Decimal(segment["multiplier"])
    return to_scaled(whole)


def _compare(what: str, claimed: int, recomputed: int) -> list[Difference]:
    if claimed == recomputed:
        return []
    return [Difference(what, plain(from_scaled(claimed)), plain(from_scaled(recomputed)))]


def _compare_money(what: str, claimed: int, recomputed: int) -> list[Difference]:
    if claimed == recomputed:
        return []
    return [Difference(what, str(from_fen(claimed)), str(from_fen(recomputed)))]
