"""What billing staff do: runs from draft to issued."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.responses import Response

from api import etag, idempotency, problems
from api.language import languages, of_program
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, paged, read_number_cursor
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.routes.answers import Reader, failing, held, run_of
from api.schemas.jobs import Job
from api.schemas.runs import (
    AnomalyOfRun,
    NewHold,
    NewRun,
    Place,
    Run,
    RunSummary,
    Seen,
    Withdrawal,
)
from api.security import Requires
from billing import holding, lifecycle, working
from billing.anomalies import AnomalyKind
from billing.store import runs as run_store
from billing.store.views import runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from billing.database import Database

router = APIRouter(prefix="/v1", tags=["staff"])

RunReader = Annotated[Principal, Depends(Requires(Permission.RUNS_READ))]
Preparer = Annotated[Principal, Depends(Requires(Permission.RUNS_PREPARE))]
Approver = Annotated[Principal, Depends(Requires(Permission.RUNS_APPROVE))]
Issuer = Annotated[Principal, Depends(Requires(Permission.RUNS_ISSUE))]
RunId = Annotated[int, Path(ge=1, lt=2**63)]
Prefer = Annotated[
    str,
    Header(
        max_length=200,
        description="`respond-async` (RFC 7240): answer 202 at once, compute in the background.",
    ),
]

CHANGING = (
    problems.KEY_MISSING,
    problems.KEY_REUSED,
    problems.STILL_WORKING,
    problems.WRONG_STATE,
    problems.CHANGED_SINCE,
)
HOLDING = (problems.NOT_FOUND, problems.UNKNOWN_PLACE, problems.NOT_HELD_SO)


@router.get(
    "/runs",
    operation_id="listRuns",
    summary="List bill runs, the newest first",
    responses=failing(problems.INVALID_CURSOR),
)
async def list_runs(
    request: Request, caller: RunReader, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[RunSummary]:
    """Each with its state and totals."""
    del caller
    before_id = read_number_cursor(cursor)
    with of(request).database.snapshot() as connection:
        rows = runs.heads(connection, limit=limit + 1, before_id=before_id)
    return paged(rows, limit, key=lambda row: (str(row.id),), shown=RunSummary.of)


@router.get(
    "/runs/{run}",
    operation_id="getRun",
    summary="Get a bill run",
    response_model=Run,
    responses=held(problems.NOT_FOUND),
)
async def get_run(
    request: Request, caller: RunReader, run: RunId, reader: Reader, known: etag.Known
) -> Response:
    """With what it made of each community, and every problem that keeps one from being billed."""
    del caller
    with of(request).database.snapshot() as connection:
        return etag.answer(run_of(connection, run, reader), known)


@router.post(
    "/runs",
    operation_id="createRun",
    summary="Create a bill run",
    status_code=201,
    response_model=Run,
    responses=failing(
        problems.KEY_MISSING,
        problems.KEY_REUSED,
        problems.STILL_WORKING,
        problems.RUN_EXISTS,
        problems.NOT_BILLABLE,
        problems.UNKNOWN_COMMUNITY,
    ),
)
async def create_run(
    request: Request, caller: Preparer, new: NewRun, key: idempotency.Key = None
) -> Response:
    """A draft for one month. A month is billed once for each community."""
    now = of(request).now()

    def work(database: Database) -> tuple[int, Run]:
        run_id = lifecycle.create_run(
            database,
            period=new.period,
            communities=list(dict.fromkeys(new.communities)),
            actor=caller.name,
            now=now,
        )
        with database.snapshot() as connection:
            return 201, run_of(connection, run_id, of_program(request))

    return await idempotency.once(request, caller, key, work)


@router.post(
    "/runs/{run}/compute",
    operation_id="computeRun",
    summary="Compute a bill run",
    response_model=Run,
    dependencies=[etag.EXPECTING],
    responses={
        **failing(*CHANGING, problems.NOT_FOUND, problems.ARCHIVE_AWAY),
        202: {"model": Job, "description": "It is computed in the background: see `Location`"},
    },
)
async def compute_run(
    *,
    request: Request,
    caller: Preparer,
    run: RunId,
    prefer: Prefer = "",
    key: idempotency.Key = None,
) -> Response:
    """From readings to bills. A run that is not approved yet may be computed again.

    With `Prefer: respond-async` the answer comes at once, 202 with a job to ask after.
    """
    resources = of(request)
    now = resources.now()
    if "respond-async" in {each.strip().lower() for each in prefer.split(",")}:
        return await _ask(request, caller, run, key)

    def work(database: Database) -> tuple[int, Run]:
        _demand(request, database, run)
        lifecycle.compute_run(
            database,
            resources.archive,
            resources.catalogue.current(database),
            run_id=run,
            actor=caller.name,
            now=now,
        )
        with database.snapshot() as connection:
            return 200, run_of(connection, run, of_program(request))

    return await idempotency.repeatable(request, caller, key, work)


@router.post(
    "/runs/{run}/review",
    operation_id="reviewRun",
    summary="Review a bill run",
    response_model=Run,
    dependencies=[etag.EXPECTING],
    responses=failing(*CHANGING, problems.NOT_FOUND),
)
async def review_run(
    request: Request, caller: Preparer, run: RunId, key: idempotency.Key = None
) -> Response:
    """Say that the differences and anomalies of a computed run were looked at."""
    return await _advance(request, caller, run, key, lifecycle.review_run)


@router.post(
    "/runs/{run}/approve",
    operation_id="approveRun",
    summary="Approve a bill run",
    response_model=Run,
    dependencies=[etag.EXPECTING],
    responses=failing(*CHANGING, problems.NOT_FOUND, problems.FOUR_EYES, problems.POOL_HELD),
)
async def approve_run(
    request: Request, caller: Approver, run: RunId, seen: Seen, key: idempotency.Key = None
) -> Response:
    """Approve what you saw. Whoever created or computed a run cannot approve it."""
    step = partial(lifecycle.approve_run, digest=seen.digest)
    return await _advance(request, caller, run, key, step)


@router.post(
    "/runs/{run}/issue",
    operation_id="issueRun",
    summary="Issue a bill run",
    response_model=Run,
    dependencies=[etag.EXPECTING],
    responses=failing(*CHANGING, problems.NOT_FOUND),
)
async def issue_run(
    request: Request, caller: Issuer, run: RunId, key: idempotency.Key = None
) -> Response:
    """Owners see the bills from now on, and nothing changes them any more."""
    return await _advance(request, caller, run, key, lifecycle.issue_run)


@router.post(
    "/runs/{run}/withdraw",
    operation_id="withdrawRun",
    summary="Withdraw a bill run",
    response_model=Run,
    dependencies=[etag.EXPECTING],
    responses=failing(*CHANGING, problems.NOT_FOUND, problems.REASON_MISSING),
)
async def withdraw_run(
    request: Request, caller: Preparer, run: RunId, why: Withdrawal, key: idempotency.Key = None
) -> Response:
    """End a run that is not issued. Its bills are gone, its month is free for another run."""
    step = partial(lifecycle.withdraw_run, reason=why.reason)
    return await _advance(request, caller, run, key, step)


@router.post(
    "/runs/{run}/hold",
    operation_id="holdInRun",
    summary="Leave a unit, a building or a community out of a bill run",
    response_model=Run,
    dependencies=[etag.EXPECTING],
    responses=failing(*CHANGING, *HOLDING, problems.REASON_MISSING),
)
async def hold_in_run(
    request: Request, caller: Preparer, run: RunId, place: NewHold, key: idempotency.Key = None
) -> Response:
    """The others go on, after the run is computed again."""
    step = partial(holding.hold, **place.model_dump())
    return await _advance(request, caller, run, key, step)


@router.post(
    "/runs/{run}/release",
    operation_id="releaseInRun",
    summary="Let a bill run bill a unit or a building that it held",
    response_model=Run,
    dependencies=[etag.EXPECTING],
    responses=failing(*CHANGING, *HOLDING),
)
async def release_in_run(
    request: Request, caller: Preparer, run: RunId, place: Place, key: idempotency.Key = None
) -> Response:
    """It is billed when the run is computed again."""
    step = partial(holding.release, **place.model_dump())
    return await _advance(request, caller, run, key, step)


@router.get(
    "/runs/{run}/anomalies",
    operation_id="listAnomalies",
    summary="List what is unusual in a bill run",
    responses=failing(problems.INVALID_CURSOR, problems.NOT_FOUND),
)
async def list_anomalies(
    *,
    request: Request,
    caller: RunReader,
    run: RunId,
    kind: AnomalyKind | None = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[AnomalyOfRun]:
    """By community, month and unit; of one kind, or all of them."""
    del caller
    start = read_number_cursor(cursor) or 0
    with of(request).database.snapshot() as connection:
        parts = run_store.read(connection, run).communities
    found = [(part, each) for part in parts for each in part.anomalies if kind in (None, each.kind)]
    rows = list(enumerate(found, start=1))[start : start + limit + 1]
    return paged(
        rows, limit, key=lambda row: (str(row[0]),), shown=lambda row: AnomalyOfRun.of(*row[1])
    )


async def _ask(request: Request, caller: Principal, run: int, key: str | None) -> Response:
    """Have a run computed in the background."""
    now = of(request).now()

    def work(database: Database) -> tuple[int, Job]:
        _demand(request, database, run)
        return 202, Job.of(working.ask(database, run_id=run, actor=caller.name, now=now))

    answer = await idempotency.once(request, caller, key, work)
    job = json.loads(bytes(answer.body))["id"]
    answer.headers["Location"] = f"/v1/jobs/{job}"
    answer.headers["Preference-Applied"] = "respond-async"
    return answer


async def _advance(
    request: Request,
    caller: Principal,
    run: int,
    key: str | None,
    step: Callable[..., run_store.Run],
) -> Response:
    step = partial(step, run_id=run, actor=caller.name, now=of(request).now())

    def work(database: Database) -> tuple[int, Run]:
        _demand(request, database, run)
        step(database)
        with database.snapshot() as connection:
            return 200, run_of(connection, run, of_program(request))

    return await idempotency.once(request, caller, key, work)


def _demand(request: Request, database: Database, run: int) -> None:
    def tag() -> str:
        with database.snapshot() as connection:
            answers = [run_of(connection, run, each) for each in languages().values()]
        tags = [etag.tag_of(each) for each in answers]
        return next((each for each in tags if each in request.headers["if-match"]), tags[0])

    etag.demand(request, tag)
