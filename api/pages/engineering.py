"""The engineers' pages of meters: which report, how completely, what one said, and read it now."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import compress, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import anyio.to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from api import asking, freshness, problems
from api.completeness import Completeness, Span, completeness
from api.errors import DOMAIN_ERRORS, as_problem
from api.freshness import Freshness
from api.pages import chart
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import Resources, of
from api.security import FormRequires, PageRequires
from api.store import device_lists, gateway_requests, gateways, questions
from billing.store.views import meters, runs
from billing.store.views.meter_times import own_times_of
from meters.interval import Interval, local_midnight
from meters.reading import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from api.freshness import Conditions, MeterState
    from billing.store.views.meter_times import OwnTimes
    from billing.store.views.meters import Placed, Standing
    from meters.meter_type import MeterType
    from meters.reading import Reading

router = APIRouter(include_in_schema=False, prefix="/engineering")

MeterReader = Annotated[Principal, Depends(PageRequires(Permission.METERS_READ))]
QuarantineReader = Annotated[Principal, Depends(PageRequires(Permission.QUARANTINE_READ))]
Asking = Annotated[Principal, Depends(FormRequires(Permission.METERS_ASK))]

METERS_SHOWN = 100
ITEMS_SHOWN = 100
READINGS_SHOWN = 100
LONGEST_RANGE_DAYS = 366
CONTENT_SHOWN = 400
"""How many characters of a content the page shows; the API gives all of it."""
SUSPECT = "suspect"
"""The filter for meters whose newest reading is not good."""


@router.get("/meters")
async def list_meters(  # noqa: PLR0917 - the filters of the page
    request: Request,
    caller: MeterReader,
    state: str = "",
    gateway: str = "",
    q: str = "",
    days: Span = Span.DAY,
    after: str = "",
) -> Response:
    """Every meter that stands now, with its newest reading and how complete its readings are."""
    resources, now = of(request), of(request).now()
    with resources.database.snapshot() as connection:
        placed = meters.placed(connection, at=now)
        types = resources.catalogue.known(connection)
        names = device_lists.gateway_names(connection)
        read_there = device_lists.meters_of(connection, gateway) if gateway else frozenset()
    own = own_times_of(resources.database, caller.project)
    # by our own order: the databases' collations differ
    wanted = [
        each
        for each in sorted(placed, key=attrgetter("meter"))
        if (not gateway or each.meter in read_there) and _is_about(each, q)
    ]

    def ask() -> tuple[Conditions, list[Placed], list[tuple[MeterState, Completeness]]]:
        found = freshness.conditions(resources.archive, types, wanted, now=now, own=own)
        matching = list(compress(wanted, _matching(found, state)))
        begin = bisect_right(matching, after, key=attrgetter("meter"))
        shown = matching[begin : begin + METERS_SHOWN + 1]
        listed = shown[:METERS_SHOWN]
        return found, shown, _rows(resources, types, listed, own=own, span=days, now=now)

    found, shown, states = await anyio.to_thread.run_sync(ask)
    return page(
        request,
        "meters.html",
        principal=caller,
        states=states,
        counts={each: int(found.are(each).sum()) for each in Freshness},
        doubtful=int(found.doubtful.sum()),
        Freshness=Freshness,
        Span=Span,
        is_empty=not placed,
        **_said_by_gateways(resources, [each.meter for each in shown]),
        gateways=names,
        chosen={"state": state, "gateway": gateway, "q": q, "days": int(days)},
        more=shown[METERS_SHOWN - 1].meter if len(shown) > METERS_SHOWN else None,
    )


@router.get("/meters/{meter}")
async def show_meter(  # noqa: PLR0917 - what part of the readings is shown
    request: Request,
    caller: MeterReader,
    meter: str,
    first: str = "",
    last: str = "",
    register: str = "",
    before: int = 0,
) -> Response:
    """A meter's readings with raw words and verdicts, as a drawing and as a table."""
    return await _meter_page(
        request, caller, meter, Part(first, last, register, before), problem=None
    )


@router.post("/meters/{meter}/read")
async def read_meter(request: Request, caller: Asking, meter: str) -> Response:
    """Have the meter read now, and lead to where the answer will be."""
    resources = of(request)

    def ask() -> None:
        with resources.database.transaction() as connection:
            types = resources.catalogue.known(connection)
            asking.ask(connection, types, meter, actor=caller.name, now=resources.now())

    try:
        await anyio.to_thread.run_sync(ask)
    except DOMAIN_ERRORS as error:
        return await _meter_page(request, caller, meter, Part(), problem=as_problem(error))
    return RedirectResponse(f"{_address(meter)}#now", 303)


@router.get("/quarantine")
async def list_quarantine(
    request: Request, caller: QuarantineReader, before: int | None = None
) -> Response:
    """What gateways received and could not understand, as it came in."""
    with of(request).database.snapshot() as connection:
        held = gateways.quarantine(connection, before_id=before, limit=ITEMS_SHOWN + 1)
        total = gateways.quarantined(connection)
        zone = runs.zone(connection)
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


@dataclass(frozen=True, slots=True)
class Part:
    """What part of a meter's readings a page shows: local days, a register, up to a time."""

    first: str = ""
    last: str = ""
    register: str = ""
    before: int = 0

    def interval(self, zone: ZoneInfo, newest: datetime) -> Interval:
        """Return the days that are asked for, else the day before the newest reading."""
        first, last = _day(self.first), _day(self.last)
        if first is None and last is None:
            end = newest + timedelta(seconds=1)
            return Interval(end - timedelta(days=1), end)
        first = first or last or newest.date()
        last = min(max(last or first, first), first + timedelta(days=LONGEST_RANGE_DAYS))
        after = last + timedelta(days=1)
        return Interval(local_midnight(first, zone), local_midnight(after, zone))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _is_about(placed: Placed, text: str) -> bool:
    told = f"{placed.meter} {placed.unit or ''} {placed.point}"
    return text.casefold() in told.casefold()


def _matching(found: Conditions, state: str) -> Iterable[object]:
    """Return which meters the filter `state` lets through."""
    if state == SUSPECT:
        return found.doubtful
    if not state:
        return repeat(True)  # noqa: FBT003  it is what is repeated
    return found.are(Freshness(state)) if state in set(Freshness) else ()


def _said_by_gateways(resources: Resources, shown: Sequence[str]) -> dict[str, Any]:
    with resources.database.snapshot() as connection:
        return {
            "devices": gateways.devices(connection, of=shown),
            "listed_by": device_lists.listed_by(connection, shown),
        }


def _rows(
    resources: Resources,
    types: Mapping[str, MeterType],
    listed: Sequence[Placed],
    *,
    own: OwnTimes,
    span: Span,
    now: datetime,
) -> list[tuple[MeterState, Completeness]]:
    """Return what the table says of the meters of `listed`; may wait for the archive."""
    with resources.database.snapshot() as connection:
        standing = meters.standing(connection, ids=[each.installation_id for each in listed])
    standing.sort(key=lambda each: each.meter)
    states = freshness.meter_states(resources.archive, types, standing, now=now, own=own)
    complete = completeness(resources.archive, types, states, span=span, now=now)
    return list(zip(states, complete, strict=True))


async def _meter_page(
    request: Request,
    caller: Principal,
    meter: str,
    part: Part,
    *,
    problem: ProblemError | None,
) -> Response:
    resources = of(request)
    now = resources.now()
    with resources.database.snapshot() as connection:
        standing = meters.standing(connection, meter=meter)
        device = gateways.device(connection, meter)
        way = device_lists.way_of(connection, meter)
        types = resources.catalogue.known(connection)
        asked = gateway_requests.reads_of(connection, meter, limit=1)
        askable = asking.can_be_asked(connection, types, meter)
        open_questions = questions.open_questions(connection, meter=meter)
    if not standing:
        raise ProblemError(problems.NOT_FOUND)
    last = standing[-1]
    own = own_times_of(resources.database, caller.project, meter)
    look = partial(_look, resources, types, last, part, now=now, own=own)
    looked = await anyio.to_thread.run_sync(look)
    request_state = asked[0].state(now) if asked else None
    return page(
        request,
        "meter.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        standing=standing,
        meter_type=types.get(last.meter_type),
        zone=ZoneInfo(last.zone),
        device=device,
        way=way,
        askable=askable,
        asked=asked[0] if asked else None,
        asked_state=None if request_state is None else request_state.value,
        waits=request_state is not None and request_state.value in ("waiting", "taken"),
        address=_address(meter, request.url.query),
        questions=open_questions,
        part=part,
        **looked,
    )


def _address(meter: str, query: str = "") -> str:
    """Return where the meter's page is. It has no fragment: with one, a browser loads nothing."""
    path = f"/engineering/meters/{quote(meter, safe='')}"
    return f"{path}?{query}" if query else path


def _look(
    resources: Resources,
    types: Mapping[str, MeterType],
    standing: Standing,
    part: Part,
    *,
    now: datetime,
    own: OwnTimes,
) -> dict[str, object]:
    """Return what the archive says of the meter while it was the caller's own; may wait for it."""
    archive, zone = resources.archive, ZoneInfo(standing.zone)
    (state,) = freshness.meter_states(archive, types, [standing], now=now, own=own)
    known = types.get(standing.meter_type)
    names = {} if known is None else known.registers
    chosen = part.register if part.register in names else next(iter(_billing(known)), "")
    # a meter that has been silent for long still shows what it said last
    silent = own.end(standing.meter) or now
    newest = silent if state.age is None else now - state.age
    interval = part.interval(zone, newest)
    found: Sequence[Reading] = ()
    if chosen:
        series = Series(standing.meter, chosen)
        every = archive.readings(series, interval)
        found = [each for each in every if own.is_own(standing.meter, each.time)]
    until = part.before
    table = [each for each in reversed(found) if not until or each.time.timestamp() < until]
    shown = table[:READINGS_SHOWN]
    return {
        "state": state,
        "registers": list(names),
        "register": chosen,
        "unit": names[chosen].canonical_unit if chosen else "",
        "readings": shown,
        "more": int(shown[-1].time.timestamp()) if len(table) > len(shown) else None,
        "counts": Counter(each.verdict.name.lower() for each in found),
        "chart": chart.of_readings(found, interval),
        "interval": interval,
        "complete": {
            span: completeness(archive, types, [state], span=span, now=now)[0] for span in Span
        },
    }


def _billing(known: MeterType | None) -> Sequence[str]:
    return () if known is None else list(known.billing_registers)
