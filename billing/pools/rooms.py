"""Masked rooms: a statement that may hang in the hall shows shares, and not whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "•••"


class Shown(Protocol):
    """A share as statements hold it."""

    @property
    def unit(self) -> str | None: ...

    @property
    def key(self) -> int | None: ...


AnyShare = TypeVar("AnyShare", bound=Shown)


def masked(unit: str | None) -> str | None:
    """Return a unit's code with everything hidden but its building: `1-•••`."""
    if unit is None:
        return None
    building, dash, _room = unit.partition("-")
    return f"{building}-{HIDDEN}" if dash else HIDDEN


def by_size(shares: Iterable[AnyShare]) -> list[AnyShare]:
    """Return `shares` in an order that does not tell rooms: the largest key first, company last."""
    return sorted(shares, key=lambda each: (each.unit is None, -(each.key or 0)))
