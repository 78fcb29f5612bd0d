"""The engineers' form for an exchanged meter: both registers, when, and where the pictures are."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from api import exchanging, problems
from api.errors import DOMAIN_ERRORS, as_problem
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.security import FormRequires, PageRequires
from billing.store import exchange_doubt
from billing.store.exchange import Exchange, ExchangeError
from billing.store.views import meters
from meters.interval import utc
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from billing.store.views.meters import Standing

router = APIRouter(include_in_schema=False, prefix="/engineering")

Recorder = Annotated[Principal, Depends(PageRequires(Permission.QUESTIONS_ANSWER))]
Recording = Annotated[Principal, Depends(FormRequires(Permission.QUESTIONS_ANSWER))]


@router.get("/meters/{meter}/exchange")
async def show_exchange(request: Request, caller: Recorder, meter: str) -> Response:
    """The form, with the registers of the meter that stands."""
    return _page(request, caller, meter, {})


@router.post("/meters/{meter}/exchange")
async def record_exchange(request: Request, caller: Recording, meter: str) -> Response:
    """Record the exchange and lead to the new meter."""
    resources = of(request)
    now = resources.now()
    filled = {key: str(value).strip() for key, value in (await request.form()).items()}

    def record() -> str:
        with resources.database.snapshot() as connection:
            exchange = _read(filled, _standing(connection, meter))
        insists = "confirmed" in filled
        shown = {} if insists else exchange_doubt.shown_around(resources.archive, exchange)
        with resources.database.transaction() as connection:
            exchanging.record(
                connection,
                resources.catalogue.known(connection),
                exchange,
                shown=shown,
                identity=filled.get("identity") or None,
                actor=caller.name,
                now=now,
            )
        return exchange.new

    try:
        new = await anyio.to_thread.run_sync(record)
    except DOMAIN_ERRORS as error:
        doubtful = isinstance(error, exchange_doubt.DoubtfulExchangeError)
        return _page(request, caller, meter, filled, as_problem(error), doubtful=doubtful)
    return RedirectResponse(f"/engineering/meters/{new}", 303)


def _standing(connection: Connection, meter: str) -> Standing:
    """Return where a meter stands, or stood last."""
    found = meters.standing(connection, meter=meter)
    if not found:
        raise ProblemError(problems.NOT_FOUND)
    return found[-1]


def _read(filled: Mapping[str, str], standing: Standing) -> Exchange:
    """Return the exchange that the form tells; raise `ExchangeError` for what cannot be read."""
    try:
        at = datetime.fromisoformat(filled.get("at", ""))
    except ValueError as error:
        raise ExchangeError(told("say when the meter was exchanged: day and time")) from error
    zone = ZoneInfo(standing.zone)
    until = filled.get("verified_until", "")
    try:
        verified_until = date.fromisoformat(until) if until else None
    except ValueError as error:
        raise ExchangeError(told("'{text}' is no day such as 2034-11-15", text=until)) from error
    return Exchange(
        old=standing.meter,
        new=filled.get("new") or _missing(),
        new_type=filled.get("new_type") or standing.meter_type,
        at=utc(at.replace(tzinfo=zone) if at.tzinfo is None else at),
        last=_registers(filled, "last."),
        first=_registers(filled, "first."),
        multiplier=_number(filled.get("multiplier") or "1"),
        last_photo=filled.get("last_photo") or None,
        first_photo=filled.get("first_photo") or None,
        verified_until=verified_until,
    )


def _missing() -> str:
    raise ExchangeError(told("fill in the new meter's code"))


def _registers(filled: Mapping[str, str], prefix: str) -> dict[str, Decimal]:
    return {
        key.removeprefix(prefix): _number(text)
        for key, text in filled.items()
        if key.startswith(prefix) and text
    }


def _number(text: str) -> Decimal:
    try:
        return Decimal(text.replace(",", ""))
    except InvalidOperation as error:
        raise ExchangeError(told("'{text}' is no number such as 5790.1", text=text)) from error


def _page(
    request: Request,
    caller: Principal,
    meter: str,
    filled: Mapping[str, str],
    problem: ProblemError | None = None,
    *,
    doubtful: bool = False,
) -> Response:
    resources = of(request)
    with resources.database.snapshot() as connection:
        standing = _standing(connection, meter)
        types = resources.catalogue.known(connection)
    known = types.get(standing.meter_type)
    return page(
        request,
        "exchange.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        doubtful=doubtful,
        standing=standing,
        filled=filled,
        registers={} if known is None else known.billing_registers,
        types=sorted(
            (each.id, each.name) for each in types.values() if each.medium == standing.medium
        ),
        zone=ZoneInfo(standing.zone),
    )
