"""The review queue: what waits for a clerk, and what the clerk decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from api import deciding, idempotency, problems
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, paged, read_number_cursor
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.routes.answers import failing
from api.schemas.reviews import Decided, NewReview, ReviewItem
from api.security import Requires
from billing.store import reviews

if TYPE_CHECKING:
    from billing.database import Database

router = APIRouter(prefix="/v1/reviews", tags=["staff"])

RunReader = Annotated[Principal, Depends(Requires(Permission.RUNS_READ))]
Preparer = Annotated[Principal, Depends(Requires(Permission.RUNS_PREPARE))]


@router.get(
    "",
    operation_id="listReviews",
    summary="List what waits for a clerk's decision",
    responses=failing(problems.INVALID_CURSOR),
)
async def list_reviews(
    *,
    request: Request,
    caller: RunReader,
    community: str | None = None,
    period: str | None = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[ReviewItem]:
    """Of runs that are not issued; what blocks comes first."""
    del caller
    start = read_number_cursor(cursor) or 0
    with of(request).database.snapshot() as connection:
        queue = reviews.queue(connection, community=community, period=period)
    rows = list(enumerate(queue, start=1))[start : start + limit + 1]
    return paged(
        rows, limit, key=lambda row: (str(row[0]),), shown=lambda row: ReviewItem.of(*row[1])
    )


@router.post(
    "",
    operation_id="decideReview",
    summary="Decide about the use of a register in a month",
    status_code=201,
    response_model=Decided,
    responses=failing(
        problems.KEY_MISSING,
        problems.KEY_REUSED,
        problems.STILL_WORKING,
        problems.UNDECIDED,
        problems.UNKNOWN_POINT,
    ),
)
async def decide(
    request: Request, caller: Preparer, new: NewReview, key: idempotency.Key = None
) -> Response:
    """It lies over the readings, changes none, and stands in the audit log."""
    now = of(request).now()
    said = new.model_dump(mode="json", exclude_none=True)
    said["register"] = said.pop("register_name")
    review = deciding.review_of(said, author=caller.name, now=now)

    def work(database: Database) -> tuple[int, Decided]:
        number = deciding.decide(database, new.community, review)
        return 201, Decided(id=number, decision=review.decision, author=review.author, made_at=now)

    return await idempotency.once(request, caller, key, work)
