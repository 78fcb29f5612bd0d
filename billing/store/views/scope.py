"""Whose bills may be seen: part of every query, so that no page can forget it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam

from billing import tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement

ACCOUNTS = "accounts_in_scope"
"""The parameter of statements that holds the accounts of a scope."""


@dataclass(frozen=True, slots=True)
class Scope:
    """`accounts`: the ids whose bills are seen, None for all; `unissued`: also before issue."""

    accounts: frozenset[int] | None = None
    unissued: bool = False

    @property
    def shape(self) -> Scope:
        """What statements differ by: a scope of the same kind that holds no account."""
        return Scope(None if self.accounts is None else frozenset(), self.unissued)

    @property
    def values(self) -> Mapping[str, list[int]]:
        """What a statement with `conditions` is executed with; without it, it fails."""
        return {} if self.accounts is None else {ACCOUNTS: sorted(self.accounts)}

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what must hold of `bill` (and its `bill_run`, joined) for it to be seen.

        They name no account, so that a statement can be made once for all scopes of a `shape`.
        """
        found: list[ColumnElement[bool]] = []
        if self.accounts is not None:
            found.append(tables.bill.c.account_id.in_(bindparam(ACCOUNTS, expanding=True)))
        if not self.unissued:
            found.append(tables.bill_run.c.state == "issued")
        return found
