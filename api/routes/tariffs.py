"""Tariffs: their versions, and drafts that one person tries and another publishes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api import etag, idempotency, problems
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, paged, read_number_cursor
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import failing, held
from api.schemas.runs import Code
from api.schemas.tariffs import DraftTrial, NewDraft, TariffDraft, TariffShown, TariffVersion
from api.schemas.values import Month
from api.security import Requires
from billing.previewing import tariff_tried
from billing.store import tariff_drafts
from billing.store.views import tariffs

if TYPE_CHECKING:
    from collections.abc import Callable

    from billing.database import Database
    from billing.store.tariff_drafts import Draft

router = APIRouter(prefix="/v1", tags=["staff"])

RunReader = Annotated[Principal, Depends(Requires(Permission.RUNS_READ))]
Preparer = Annotated[Principal, Depends(Requires(Permission.RUNS_PREPARE))]
Approver = Annotated[Principal, Depends(Requires(Permission.RUNS_APPROVE))]
DraftId = Annotated[int, Path(ge=1, lt=2**63)]

KEYED = (problems.KEY_MISSING, problems.KEY_REUSED, problems.STILL_WORKING)
DECIDING = (*KEYED, problems.NOT_FOUND, problems.WRONG_STATE)


@router.get(
    "/tariffs",
    operation_id="listTariffs",
    summary="List the versions of all tariffs",
    responses=failing(problems.INVALID_CURSOR),
)
async def list_tariffs(
    request: Request, caller: RunReader, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[TariffVersion]:
    """By tariff, the newest version first."""
    del caller
    start = read_number_cursor(cursor) or 0
    with of(request).database.snapshot() as connection:
        today = tariffs.today(connection, of(request).now())
        known = tariffs.by_code(connection)
    found = [
        TariffVersion.of(each, today.in_force(versions))
        for versions in known.values()
        for each in versions
    ]
    rows = list(enumerate(found, start=1))[start : start + limit + 1]
    return paged(rows, limit, key=lambda row: (str(row[0]),), shown=lambda row: row[1])


@router.get(
    "/tariffs/{tariff}/versions/{version}",
    operation_id="getTariff",
    summary="Get a version of a tariff",
    response_model=TariffShown,
    responses=held(problems.NOT_FOUND),
)
async def get_tariff(
    request: Request,
    caller: RunReader,
    tariff: Annotated[str, Path(max_length=64)],
    version: Annotated[int, Path(ge=1, lt=2**31)],
    known: etag.Known,
) -> Response:
    """With all that its file says: charges, prices, rounding, and the examples that prove it."""
    del caller
    with of(request).database.snapshot() as connection:
        versions = tariffs.versions(connection, tariff)
        today = tariffs.today(connection, of(request).now())
    found = next((each for each in versions if each.version == version), None)
    if found is None:
        raise ProblemError(problems.NOT_FOUND)
    in_force = today.in_force(versions)
    return etag.answer(TariffShown.whole(found, in_force), known)


@router.get(
    "/tariff-drafts",
    operation_id="listTariffDrafts",
    summary="List the drafts of tariffs that are open, the oldest first",
    responses=failing(problems.INVALID_CURSOR),
)
async def list_drafts(
    request: Request, caller: RunReader, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[TariffDraft]:
    """Each with its file."""
    del caller
    after = read_number_cursor(cursor) or 0
    with of(request).database.snapshot() as connection:
        waiting = [each for each in tariff_drafts.waiting(connection) if each.id > after]
    rows = waiting[: limit + 1]
    return paged(rows, limit, key=lambda row: (str(row.id),), shown=TariffDraft.of)


@router.post(
    "/tariff-drafts",
    operation_id="draftTariff",
    summary="Draft a tariff",
    status_code=201,
    response_model=TariffDraft,
    responses=failing(*KEYED, problems.NOT_TAKEN),
)
async def draft_tariff(
    request: Request, caller: Preparer, new: NewDraft, key: idempotency.Key = None
) -> Response:
    """It is kept only if its examples hold; until somebody else publishes it, it bills nothing."""
    step = partial(tariff_drafts.add, document=new.document)
    return await _once(request, caller, key, step, 201)


@router.get(
    "/tariff-drafts/{draft}",
    operation_id="getTariffDraft",
    summary="Get a draft of a tariff",
    response_model=TariffDraft,
    responses=held(problems.NOT_FOUND),
)
async def get_draft(
    request: Request, caller: RunReader, draft: DraftId, known: etag.Known
) -> Response:
    """Open, published or dropped."""
    del caller
    with of(request).database.snapshot() as connection:
        return etag.answer(TariffDraft.of(tariff_drafts.read(connection, draft)), known)


@router.get(
    "/tariff-drafts/{draft}/trial",
    operation_id="tryTariffDraft",
    summary="Ask what a draft would have changed in an issued month",
    responses=failing(problems.NOT_FOUND, problems.UNKNOWN_COMMUNITY, problems.NO_WHAT_IF),
)
def try_draft(  # noqa: PLR0917 - FastAPI names them all
    request: Request,
    caller: RunReader,
    draft: DraftId,
    community: Annotated[Code, Query()],
    period: Annotated[Month, Query()],
    instead_of: Annotated[
        str, Query(max_length=64, description="The tariff that it replaces, if of another id.")
    ] = "",
) -> DraftTrial:
    """Per account and in sum. Shares of pools, whose supply it may price, stay out of it."""
    del caller
    database = of(request).database
    with database.snapshot() as connection:
        tariff = tariff_drafts.read(connection, draft).tariff
    return DraftTrial.of(
        tariff_tried(database, tariff, community=community, period=period, instead_of=instead_of)
    )


@router.post(
    "/tariff-drafts/{draft}/publish",
    operation_id="publishTariffDraft",
    summary="Make a version of a draft",
    response_model=TariffDraft,
    responses=failing(*DECIDING, problems.FOUR_EYES, problems.NOT_TAKEN),
)
async def publish_draft(
    request: Request, caller: Approver, draft: DraftId, key: idempotency.Key = None
) -> Response:
    """It holds from its day on and never changes. Who has drafted it does not publish it."""
    return await _once(request, caller, key, partial(tariff_drafts.publish, draft_id=draft))


@router.post(
    "/tariff-drafts/{draft}/drop",
    operation_id="dropTariffDraft",
    summary="Give a draft up",
    response_model=TariffDraft,
    responses=failing(*DECIDING),
)
async def drop_draft(
    request: Request, caller: Preparer, draft: DraftId, key: idempotency.Key = None
) -> Response:
    """It stays to be seen."""
    return await _once(request, caller, key, partial(tariff_drafts.drop, draft_id=draft))


async def _once(
    request: Request,
    caller: Principal,
    key: str | None,
    step: Callable[..., Draft],
    status: int = 200,
) -> Response:
    now = of(request).now()

    def work(database: Database) -> tuple[int, TariffDraft]:
        with database.transaction() as connection:
            return status, TariffDraft.of(step(connection, actor=caller.name, now=now))

    return await idempotency.once(request, caller, key, work)
