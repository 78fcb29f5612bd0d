"""A pool's statement to publish: everything that it rests on and comes to, readable by machines."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing.evidence import quantity_text
from billing.money import from_fen
from billing.pools.apportionment import Statement, key_documents
from billing.pools.odd_cents import CARRIED_PER_UNIT
from billing.pools.rooms import by_size, masked
from billing.pools.supply import part_document
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from billing.store.views.statements import StatementView, WholeStatement

PRIVATE = ("participants", "carried", "subs")
"""What the evidence says of single rooms; masked statements go without."""


def publication(view: WholeStatement, *, hide_rooms: bool) -> dict[str, Any]:
    """Return a statement as a document: texts, whole numbers, lists and tables only.

    Quantities and money are decimal texts. With `hide_rooms` nobody's room can be told.
    """
    head, pool = view.head, view.head.pool
    again = view.shared_again
    return {
        "statement": head.id,
        "period": head.period.key,
        "community": dict(head.community),
        "pool": {"id": pool.id, "version": pool.version, "digest": pool.digest},
        "title": dict(pool.title),
        "issued": head.run_state == "issued",
        "supply": _supply(view),
        "method": _method(view),
        "rates": [str(rate) for rate in again.rates] if isinstance(again, Statement) else None,
        "excluded": _excluded(view, hide_rooms=hide_rooms),
        "shares": list(_shares(view, again, hide_rooms=hide_rooms)),
        "sums": {
            "quantity": quantity_text(view.sums.quantity),
            "amount": _money(view.sums.amount),
            "owners": _money(view.sums.owners),
            "company": _money(view.sums.company),
            "remainder": _money(view.sums.amount - head.amount),
        },
        "margin": {
            "charged": _money(view.margin.charged),
            "paid": _money(view.margin.paid),
            "documented": view.margin.documented,
        },
        "odd_cents": {
            "months": view.odd_cents.months,
            "fewest": view.odd_cents.fewest,
            "most": view.odd_cents.most,
            "most_carried_cents": plain(Decimal(view.sums.most_carried) / CARRIED_PER_UNIT),
        },
        "earlier": _earlier(view),
        "evidence": {
            name: value
            for name, value in view.evidence.items()
            if not (hide_rooms and name in PRIVATE)
        },
    }


def _supply(view: StatementView) -> dict[str, Any]:
    head, tariff = view.head, view.tariff
    return {
        "quantity": quantity_text(head.quantity),
        "unit": head.unit,
        "amount": _money(head.amount),
        "currency": head.currency,
        "tariff": {"id": tariff.id, "version": tariff.version} if tariff else None,
        "parts": [part_document(part) for part in view.parts],
        "cuts": [
            {"from": cut.first.isoformat(), "by": "readings" if cut.by_readings else "days"}
            for cut in view.cuts
        ],
    }


def _method(view: StatementView) -> dict[str, Any]:
    pool = view.head.pool
    return {
        "basis": pool.basis.value,
        "keys": key_documents(view.keys),
        "company_share": plain(pool.borne_by_company),
        "vacant": pool.vacant.value,
        "owner_change": pool.owner_change.value if pool.owner_change else "block",
        "contract": pool.charging.contract if pool.charging and pool.charged else None,
    }


def _excluded(view: StatementView, *, hide_rooms: bool) -> list[dict[str, Any]]:
    """Return who takes no part by which rule; where rooms are hidden, how many."""
    if not hide_rooms:
        return [{"unit": each.unit, "reason": each.reason.value} for each in view.excluded]
    reasons = [each.reason.value for each in view.excluded]
    return [{"units": reasons.count(name), "reason": name} for name in sorted(set(reasons))]


def _shares(view: WholeStatement, again: object, *, hide_rooms: bool) -> Iterator[dict[str, Any]]:
    before = {each.unit: each.before for each in view.changes}
    amounts: Sequence[Sequence[int]] = [()] * len(view.shares)
    quantities = amounts
    if isinstance(again, Statement):
        amounts, quantities = again.step_amounts(), again.step_quantities()
    for share in by_size(view.shares) if hide_rooms else view.shares:
        yield {
            "unit": masked(share.unit) if hide_rooms else share.unit,
            "payer": share.payer.value,
            **({} if hide_rooms else {"vacant": share.vacant, "bill": share.bill}),
            "key": None if share.key is None else quantity_text(share.key),
            "rest_key": None if share.rest_key is None else quantity_text(share.rest_key),
            "quantity": quantity_text(share.quantity),
            "amount": _money(share.amount),
            "steps": list(map(_money, amounts[share.position])),
            "step_quantities": list(map(quantity_text, quantities[share.position])),
            "odd_cent": share.odd_amount,
            **({} if hide_rooms else {"earlier": _money_or_none(before.get(share.unit))}),
        }


def _earlier(view: StatementView) -> dict[str, str] | None:
    """Return what the pool came to the month before, None where it has no statement then."""
    if view.earlier is None:
        return None
    head = view.earlier
    return {
        "period": head.period.key,
        "quantity": quantity_text(head.quantity),
        "amount": _money(head.amount),
        "more_quantity": quantity_text(view.head.quantity - head.quantity),
        "more_amount": _money(view.head.amount - head.amount),
    }


def _money_or_none(fen: int | None) -> str | None:
    return None if fen is None else _money(fen)


def _money(fen: int) -> str:
    return str(from_fen(fen))
