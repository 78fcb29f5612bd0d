"""The review queue: what a clerk has to decide about usage, with the readings around it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeAlias
from urllib.parse import urlencode

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from api import deciding, problems
from api.errors import DOMAIN_ERRORS, as_problem
from api.pages import around, chart
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.security import FormRequires, PageRequires
from billing.store import reviews
from billing.store.views import review_cases
from billing.vee.reviews import Decision
from meters.interval import Interval
from meters.reading import Series

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from billing.store.views.review_cases import Case
    from billing.vee.reviews import Item
    from meters.archive.protocol import Archive
    from meters.reading import Reading

    Drawn: TypeAlias = tuple[str, chart.Chart | None]
    """A meter, and its register over the month."""

router = APIRouter(include_in_schema=False, prefix="/staff/reviews")

RunReader = Annotated[Principal, Depends(PageRequires(Permission.RUNS_READ))]
Preparing = Annotated[Principal, Depends(FormRequires(Permission.RUNS_PREPARE))]
Text = Annotated[str, Field(max_length=200)]

QUEUE_SHOWN = 200


class Said(BaseModel):
    """What a form says of a decision; what is empty was not said."""

    community: Text = ""
    period: Text = ""
    point: Text = ""
    register_name: Text = Field("", alias="register")
    decision: Text = ""
    finding: Text = ""
    method: Text = ""
    value: Text = ""
    at: Text = ""
    use: Text = ""
    reason: Annotated[str, Field(max_length=1000)] = ""


@router.get("")
async def show_queue(request: Request, caller: RunReader) -> Response:
    """What waits for a decision in runs that are not issued; what blocks comes first."""
    with of(request).database.snapshot() as connection:
        queue = reviews.queue(connection)
    return page(
        request,
        "reviews.html",
        principal=caller,
        queue=[(each, urlencode(_place(*each))) for each in queue[:QUEUE_SHOWN]],
        more=max(0, len(queue) - QUEUE_SHOWN),
    )


def _place(community: str, period: str, item: Item) -> dict[str, str]:
    return {
        "community": community,
        "period": period,
        "point": item.point,
        "register": item.register,
    }


@router.get("/case")
async def show_case(
    *, request: Request, caller: RunReader, community: str, period: str, point: str, register: str
) -> Response:
    """One register: what was found, its use, its readings, and what can be decided."""
    place = {"community": community, "period": period, "point": point, "register": register}
    return await _case_page(request, caller, place)


@router.post("/case")
async def decide(request: Request, caller: Preparing, said: Annotated[Said, Form()]) -> Response:
    """Keep a decision; it counts when the run is computed again, or in a correction."""
    told = said.model_dump(by_alias=True)
    place = {name: told[name] for name in ("community", "period", "point", "register")}
    resources = of(request)
    found = _case(request, place)
    try:
        review = deciding.review_of(
            told, author=caller.name, now=resources.now(), zone=found.period.zone
        )
        work = partial(deciding.decide, resources.database, said.community, review)
        await anyio.to_thread.run_sync(work)
    except DOMAIN_ERRORS as error:
        return await _case_page(request, caller, place, as_problem(error))
    return RedirectResponse(f"/staff/reviews/case?{urlencode(place)}", 303)


def _case(request: Request, place: dict[str, str]) -> Case:
    with of(request).database.snapshot() as connection:
        found = review_cases.case(connection, **place)
    if found is None or not (found.items or found.usages or found.decided):
        raise ProblemError(problems.NOT_FOUND)
    return found


async def _case_page(
    request: Request,
    caller: Principal,
    place: dict[str, str],
    problem: ProblemError | None = None,
) -> Response:
    found = _case(request, place)
    read = partial(_seen, of(request).archive, found)
    ends, drawn = await anyio.to_thread.run_sync(read)
    return page(
        request,
        "review.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        case=found,
        place=place,
        ends=ends,
        drawn=drawn,
        unit=found.usages[0].unit if found.usages else "",
        methods=deciding.METHODS,
        zone=found.period.zone,
    )


def _seen(archive: Archive, case: Case) -> tuple[list[tuple[datetime, list[Reading]]], list[Drawn]]:
    """Return each end of the month with the readings nearest to it, and each meter's drawing."""
    month = case.period.interval
    shown = Interval(month.start - around.AROUND, month.end + around.AROUND)
    read = {meter: archive.readings(Series(meter, case.register), shown) for meter in case.meters}
    stated = _stated(case)
    ends = [
        (at, around.nearest([each for found in read.values() for each in found], at))
        for at in (month.start, month.end)
    ]
    drawn = [(meter, chart.of_readings(found, shown, stated)) for meter, found in read.items()]
    return ends, drawn


def _stated(case: Case) -> list[tuple[datetime, Decimal]]:
    """Return the registers that somebody stated since decisions were last taken back."""
    found: list[tuple[datetime, Decimal]] = []
    for each in case.decided:
        if each.decision is Decision.WITHDRAW:
            found = []
        elif each.at is not None and each.value is not None:
            found.append((each.at, each.value))
    return found
