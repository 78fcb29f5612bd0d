"""What engineers ask of meters, and what gateways ask of engineers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from api import asking, etag, exchanging, idempotency, problems
from api.paging import Page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import failing, held
from api.schemas.exchanges import Exchanged, NewExchange
from api.schemas.requests import AnswerKept, QuestionAnswer, QuestionShown, ReadRequest
from api.security import Requires
from api.store import gateway_requests, questions
from billing.store import exchange_doubt

if TYPE_CHECKING:
    from billing.database import Database

router = APIRouter(prefix="/v1", tags=["engineering"])

MeterReader = Annotated[Principal, Depends(Requires(Permission.METERS_READ))]
Asker = Annotated[Principal, Depends(Requires(Permission.METERS_ASK))]
Answerer = Annotated[Principal, Depends(Requires(Permission.QUESTIONS_ANSWER))]

CHANGING = (problems.KEY_MISSING, problems.KEY_REUSED, problems.STILL_WORKING)


@router.post(
    "/meters/{meter}/read-requests",
    operation_id="readMeterNow",
    summary="Have a meter read now",
    status_code=202,
    response_model=ReadRequest,
    responses=failing(*CHANGING, problems.CANNOT_ASK),
)
async def read_meter_now(
    request: Request,
    caller: Asker,
    meter: Annotated[str, Path(max_length=200)],
    key: idempotency.Key = None,
) -> Response:
    """Its gateway does so when it calls next, within seconds; ask for the request's state then."""
    resources = of(request)
    now = resources.now()

    def work(database: Database) -> tuple[int, ReadRequest]:
        with database.transaction() as connection:
            types = resources.catalogue.known(connection)
            number = asking.ask(connection, types, meter, actor=caller.name, now=now)
            found = gateway_requests.find(connection, number)
        if found is None:
            raise ProblemError(problems.NOT_FOUND)
        return 202, ReadRequest.of(found, now=now)

    return await idempotency.once(request, caller, key, work)


@router.get(
    "/read-requests/{number}",
    operation_id="getReadRequest",
    summary="Get what came of a request to read a meter",
    response_model=ReadRequest,
    responses=held(problems.NOT_FOUND),
)
async def get_read_request(
    request: Request,
    caller: MeterReader,
    number: Annotated[int, Path(ge=1, lt=2**63)],
    known: etag.Known,
) -> Response:
    """Registers with raw words and verdicts, or why there are none."""
    del caller
    resources = of(request)
    with resources.database.snapshot() as connection:
        found = gateway_requests.find(connection, number)
    if found is None or found.kind != "read":
        raise ProblemError(problems.NOT_FOUND)
    return etag.answer(ReadRequest.of(found, now=resources.now()), known)


@router.post(
    "/meters/{meter}/exchange",
    operation_id="recordExchange",
    summary="Record that a meter was exchanged",
    status_code=201,
    response_model=Exchanged,
    responses=failing(*CHANGING, problems.NO_EXCHANGE, problems.NOT_TAKEN, problems.ARCHIVE_AWAY),
)
async def record_exchange(
    request: Request,
    caller: Answerer,
    meter: Annotated[str, Path(max_length=200)],
    body: NewExchange,
    key: idempotency.Key = None,
) -> Response:
    """Use is counted to the old meter's last register and from the new one's first.

    On a gateway's list the new meter takes the old one's place.
    """
    resources = of(request)
    now = resources.now()
    exchange = body.exchange(meter)
    ask = partial(exchange_doubt.shown_around, resources.archive, exchange)
    shown = {} if body.confirmed else await anyio.to_thread.run_sync(ask)

    def work(database: Database) -> tuple[int, Exchanged]:
        with database.transaction() as connection:
            exchanging.record(
                connection,
                resources.catalogue.known(connection),
                exchange,
                shown=shown,
                identity=body.identity,
                actor=caller.name,
                now=now,
            )
        return 201, Exchanged(old=meter, new=body.new, at=body.at)

    return await idempotency.once(request, caller, key, work)


@router.get(
    "/questions",
    operation_id="listQuestions",
    summary="List the counters that fell and need a person's word",
    responses=failing(),
)
async def list_questions(request: Request, caller: MeterReader) -> Page[QuestionShown]:
    """Nothing is counted from such a register until somebody has answered."""
    del caller
    with of(request).database.snapshot() as connection:
        found = questions.open_questions(connection)
    return Page(items=[QuestionShown.of(each) for each in found])


@router.post(
    "/questions/answers",
    operation_id="answerQuestion",
    summary="Say why a counter fell",
    status_code=201,
    response_model=AnswerKept,
    responses=failing(*CHANGING, problems.NO_QUESTION),
)
async def answer_question(
    request: Request, caller: Answerer, body: QuestionAnswer, key: idempotency.Key = None
) -> Response:
    """After a reset or an exchange the gateway counts on from what the meter shows."""
    now = of(request).now()

    def work(database: Database) -> tuple[int, AnswerKept]:
        with database.transaction() as connection:
            number = questions.answer(
                connection,
                meter=body.meter,
                register=body.register_name,
                cause=body.cause,
                reason=body.reason,
                actor=caller.name,
                now=now,
            )
        return 201, AnswerKept(id=number)

    return await idempotency.once(request, caller, key, work)
