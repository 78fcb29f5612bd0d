"""Hold the parts of a billed usage against the registers frozen with it: bands, and demand."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from billing.difference import Difference
from meters.archive.rows import EPOCH, SECOND
from meters.quantity import from_scaled, plain, to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOUR_MINUTES = 60


def step_differences(quantity: int, evidence: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield what does not follow in the parts of a usage of `quantity`, 10⁻⁴ units.

    Each part is Σ (register − the one before, rollover resolved) × multiplier between two edges;
    rounded, where that is finer than 10⁻⁴, are the sums up to each edge.
    """
    if "steps" not in evidence:
        return
    steps = evidence["steps"]
    edges = steps["edges"]
    if any(earlier >= later for earlier, later in pairwise(edges)):
        yield Difference("edges", str(edges), "edges one after another")
    parts = [0] * (len(edges) + 1)
    for segment, piece in zip(evidence["segments"], steps["pieces"], strict=True):
        yield from _ends(segment, piece)
        over, under = Decimal(segment["multiplier"]).as_integer_ratio()
        turn = 0 if segment["modulus"] is None else to_scaled(Decimal(segment["modulus"]))
        counted = before = 0
        for (_, opening), (at, closing) in pairwise(zip(piece["at"], piece["values"], strict=True)):
            counted += closing - opening + (turn if closing < opening else 0)
            until = counted * over // under
            parts[bisect_left(edges, at)] += until - before
            before = until
    if parts != steps["quantities"]:
        yield Difference("parts", str(steps["quantities"]), str(parts))
    if sum(parts) != quantity:
        yield Difference("sum of the parts", plain(from_scaled(quantity)), f"{sum(parts)} × 10⁻⁴")


def peak_differences(evidence: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the highest averages that their registers do not give, or that lie in no segment."""
    for peak in evidence.get("peaks", ()):
        grown = Decimal(peak["closing"]) - Decimal(peak["opening"])
        if grown < 0 and peak["modulus"] is not None:
            grown += Decimal(peak["modulus"])
        average = grown * Decimal(peak["multiplier"]) * HOUR_MINUTES / Decimal(peak["minutes"])
        if average != Decimal(peak["average"]):
            yield Difference("highest average", peak["average"], plain(average))
        start = datetime.fromisoformat(peak["start"])
        if not any(_holds(segment, peak, start) for segment in evidence["segments"]):
            yield Difference("highest average", peak["start"], "in no part of the use")


def _ends(segment: Mapping[str, Any], piece: Mapping[str, Any]) -> Iterator[Difference]:
    ends = segment["opening"], segment["closing"]
    claimed = [(piece["at"][place], piece["values"][place]) for place in (0, -1)]
    stated = [
        ((datetime.fromisoformat(end["at"]) - EPOCH) // SECOND, to_scaled(Decimal(end["value"])))
        for end in ends
    ]
    if claimed != stated:
        yield Difference("ends of the parts", str(claimed), str(stated))


def _holds(segment: Mapping[str, Any], peak: Mapping[str, Any], start: datetime) -> bool:
    opening, closing = segment["opening"], segment["closing"]
    begins, ends = datetime.fromisoformat(opening["at"]), datetime.fromisoformat(closing["at"])
    same = (segment["multiplier"], opening["meter"]) == (peak["multiplier"], peak["meter"])
    return same and begins <= start < ends
