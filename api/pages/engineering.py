"""The engineers' pages: which meters report, what they said, and what could not be understood."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from api import freshness, problems
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.security import PageRequires
from api.store import gateways
from billing.store.views import meters, runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

router = APIRouter(include_in_schema=False, prefix="/engineering")

MeterReader = Annotated[Principal, Depends(PageRequires(Permission.METERS_READ))]
QuarantineReader = Annotated[Principal, Depends(PageRequires(Permission.QUARANTINE_READ))]

METERS_SHOWN = 200
ITEMS_SHOWN = 100
READINGS_BACK = timedelta(hours=24)
CONTENT_SHOWN = 400
"""How many characters of a content the page shows; the API gives all of it."""


@router.get("/meters")
async def list_meters(request: Request, caller: MeterReader, after: str | None = None) -> Response:
    """Every meter that stands now, with its newest reading, and the gateways that read them."""
    resources = of(request)
    now = resources.now()
    with resources.database.snapshot() as connection:
        standing = meters.standing(connection, at=now, after=after, limit=METERS_SHOWN + 1)
        reporting = gateways.gateways(connection)
        devices = gateways.devices(connection)
        types = resources.catalogue.known(connection)
    states = await anyio.to_thread.run_sync(
        partial(
            freshness.meter_states,
            resources.archive,
            types,
            standing[:METERS_SHOWN],
            now=now,
        )
    )
    return page(
        request,
        "meters.html",
        principal=caller,
        states=states,
        counts=Counter(state.freshness for state in states),
        Freshness=freshness.Freshness,
        devices=devices,
        gateways=reporting,
        more=standing[METERS_SHOWN - 1].meter if len(standing) > METERS_SHOWN else None,
    )


@router.get("/meters/{meter}")
async def show_meter(request: Request, caller: MeterReader, meter: str) -> Response:
    """A meter's recent readings with raw words and verdicts."""
    resources = of(request)
    now = resources.now()
    with resources.database.snapshot() as connection:
        standing = meters.standing(connection, meter=meter)
        device = gateways.device(connection, meter)
        types = resources.catalogue.known(connection)
    if not standing:
        raise ProblemError(problems.NOT_FOUND)
    last = standing[-1]

    def ask() -> tuple[freshness.MeterState, list[freshness.Newest]]:
        archive = resources.archive
        (state,) = freshness.meter_states(archive, types, [last], now=now)
        # A meter that has been silent for long still shows what it said last.
        since = now if state.age is None else now - state.age
        found = freshness.recent_readings(archive, types, last, back=READINGS_BACK, now=since)
        return state, found

    state, readings = await anyio.to_thread.run_sync(ask)
    return page(
        request,
        "meter.html",
        principal=caller,
        standing=standing,
        state=state,
        readings=readings,
        meter_type=types.get(last.meter_type),
        zone=ZoneInfo(last.zone),
        device=device,
    )


@router.get("/quarantine")
async def list_quarantine(
    request: Request, caller: QuarantineReader, before: int | None = None
) -> Response:
    """What gateways received and could not understand, as it came in."""
    with of(request).database.snapshot() as connection:
        held = gateways.quarantine(connection, before_id=before, limit=ITEMS_SHOWN + 1)
        total = gateways.quarantined(connection)
        zone = _zone(connection)
    return page(
        request,
        "quarantine.html",
        principal=caller,
        items=[(each, readable(each.entry.content)) for each in held[:ITEMS_SHOWN]],
        more=held[ITEMS_SHOWN - 1].id if len(held) > ITEMS_SHOWN else None,
        total=total,
        zone=zone,
    )


def readable(content: bytes) -> str:
    """Return `content` as text where it is text, else as hex, cut to what a page shows."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = ""
    if not text or not all(letter.isprintable() or letter in "\r\n\t" for letter in text):
        text = content.hex(" ")
    return text if len(text) <= CONTENT_SHOWN else text[:CONTENT_SHOWN] + " …"


def _zone(connection: Connection) -> ZoneInfo:
    """Return the zone that times of gateways are shown in: the first community's."""
    found = runs.communities(connection)
    return ZoneInfo(found[0].zone) if found else ZoneInfo("UTC")
