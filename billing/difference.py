"""Differences: what is claimed, held against what comes out when it is made again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.money import from_fen
from meters.quantity import from_scaled, plain

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in the evidence that does not give what the line claims."""

    what: str
    claimed: str
    recomputed: str

    def __str__(self) -> str:
        return f"{self.what}: the bill says {self.claimed}, the evidence gives {self.recomputed}"


def differing(what: str, claimed: object, recomputed: object) -> Iterator[Difference]:
    """Yield the difference between two values, if there is one."""
    if claimed != recomputed:
        yield Difference(what, str(claimed), str(recomputed))


def differing_quantity(what: str, claimed: int, recomputed: int) -> Iterator[Difference]:
    """Yield the difference between two quantities in 10⁻⁴, if there is one."""
    if claimed != recomputed:
        yield Difference(what, plain(from_scaled(claimed)), plain(from_scaled(recomputed)))


def differing_money(what: str, claimed: int, recomputed: int) -> Iterator[Difference]:
    """Yield the difference between two amounts in fen, if there is one."""
    if claimed != recomputed:
        yield Difference(what, str(from_fen(claimed)), str(from_fen(recomputed)))
