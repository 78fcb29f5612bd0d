"""My use: by month and by day, as a picture and as the table beneath it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api import consumption
from api.consumption import Gap
from api.pages import columns
from api.pages.columns import Used
from api.pages.rendering import page
from api.payers import Naming, payers
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.schemas.values import Month
from api.security import PageRequires
from billing.similar import FEWEST

if TYPE_CHECKING:
    from api.consumption import ByDay, ByMonth
    from billing.store.payments_due import Payer

router = APIRouter(include_in_schema=False, prefix="/meters/usage")

Reader = Annotated[Principal, Depends(PageRequires(Permission.USAGE_READ))]
Code = Annotated[str | None, Query(max_length=40)]
Medium = Annotated[str | None, Query(max_length=40)]


@router.get("")
async def show_months(
    request: Request,
    caller: Reader,
    code: Code = None,
    medium: Medium = None,
    until: Annotated[Month | None, Query()] = None,
) -> Response:
    """Twelve months, as they were billed."""
    asked = partial(
        consumption.by_month, of(request), caller, code=code, medium=medium, until=until
    )
    found = await anyio.to_thread.run_sync(asked)
    first, last = found.months[0].period, found.months[-1].period
    return _page(
        request,
        caller,
        found,
        picture=columns.drawn(
            [
                Used(
                    each.quantity,
                    each.last_year,
                    None if each.similar is None else each.similar.quantity,
                    estimated=each.estimated,
                    is_gap=is_missed(each.gap),
                )
                for each in found.months
            ]
        ),
        earlier=first.later(-1).key if found.shown.since < first.first else None,
        following=last.later(consumption.MONTHS).key if last.after <= found.newest.first else None,
    )


@router.get("/days")
async def show_days(
    request: Request,
    caller: Reader,
    code: Code = None,
    medium: Medium = None,
    month: Annotated[Month | None, Query()] = None,
) -> Response:
    """The days of a month, as the meters were read."""
    asked = partial(consumption.by_day, of(request), caller, code=code, medium=medium, month=month)
    found = await anyio.to_thread.run_sync(asked)
    similar = None if found.similar is None else found.similar.median.quantity
    period = found.period
    return _page(
        request,
        caller,
        found,
        picture=columns.drawn(
            [
                Used(each.quantity, each.last_year, similar, is_gap=is_missed(each.gap))
                for each in found.days
            ]
        ),
        earlier=period.later(-1).key if found.shown.since < period.first else None,
        following=period.later(1).key if period.after <= found.newest.first else None,
    )


def is_missed(gap: Gap | None) -> bool:
    """Return whether a use is not known that there was, or will be."""
    return gap is not None and gap is not Gap.NOT_HELD


def _page(request: Request, caller: Principal, found: ByMonth | ByDay, **values: Any) -> Response:
    choice: list[Payer] = []
    if caller.accounts is not None:
        with of(request).database.snapshot() as connection:
            choice = payers(connection, caller, Naming())
    return page(
        request,
        "usage.html",
        principal=caller,
        found=found,
        shown=found.shown,
        choice=choice,
        fewest=FEWEST,
        **values,
    )
