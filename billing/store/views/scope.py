"""Whose bills may be seen: part of every query, so that no page can forget it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing import tables

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


@dataclass(frozen=True, slots=True)
class Scope:
    """`accounts`: the ids whose bills are seen, None for all; `unissued`: also before issue."""

    accounts: frozenset[int] | None = None
    unissued: bool = False

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what must hold of `bill` (and its `bill_run`, joined) for it to be seen."""
        found: list[ColumnElement[bool]] = []
        if self.accounts is not None:
            found.append(tables.bill.c.account_id.in_(self.accounts))
        if not self.unissued:
            found.append(tables.bill_run.c.state == "issued")
        return found
