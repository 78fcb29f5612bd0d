"""The engineers' page of questions: counters that fell, and what somebody found."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from api import problems
from api.errors import DOMAIN_ERRORS, as_problem
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.security import FormRequires, PageRequires
from api.store import questions
from api.store.questions import Cause
from billing.store.views import runs

router = APIRouter(include_in_schema=False, prefix="/engineering")

MeterReader = Annotated[Principal, Depends(PageRequires(Permission.METERS_READ))]
Answering = Annotated[Principal, Depends(FormRequires(Permission.QUESTIONS_ANSWER))]

ANSWERS_SHOWN = 50
SHORTEST_REASON = 3


@router.get("/questions")
async def list_questions(request: Request, caller: MeterReader) -> Response:
    """What is asked now, and what was answered last."""
    return _page(request, caller)


@router.post("/questions")
async def answer_question(  # noqa: PLR0917 - the fields of the form
    request: Request,
    caller: Answering,
    meter: Annotated[str, Form(max_length=200)] = "",
    name: Annotated[str, Form(alias="register", max_length=200)] = "",
    cause: Annotated[str, Form(max_length=20)] = "",
    reason: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Keep what somebody found, and ask the gateway to act on it."""
    if cause not in set(Cause) or len(reason.strip()) < SHORTEST_REASON:
        return _page(request, caller, ProblemError(problems.NO_REASON))
    resources = of(request)

    def keep() -> None:
        with resources.database.transaction() as connection:
            questions.answer(
                connection,
                meter=meter,
                register=name,
                cause=Cause(cause),
                reason=reason.strip(),
                actor=caller.name,
                now=resources.now(),
            )

    try:
        await anyio.to_thread.run_sync(keep)
    except DOMAIN_ERRORS as error:
        return _page(request, caller, as_problem(error))
    return RedirectResponse("/engineering/questions", 303)


def _page(request: Request, caller: Principal, problem: ProblemError | None = None) -> Response:
    with of(request).database.snapshot() as connection:
        asked = questions.open_questions(connection)
        answered = questions.answers(connection, limit=ANSWERS_SHOWN)
        zone = runs.zone(connection)
    return page(
        request,
        "questions.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        asked=asked,
        answered=answered,
        causes=[cause.value for cause in Cause],
        zone=zone,
    )
