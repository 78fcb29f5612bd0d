"""Where owners want to be told what of: by their own choice, at addresses that they confirm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from api import etag, idempotency, problems
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import failing, held
from api.schemas.notifications import (
    Channel,
    Dropped,
    NotificationSettings,
    NotificationShown,
    NotificationWish,
)
from api.security import Requires
from billing.store import delivery_contacts
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.database import Database

router = APIRouter(prefix="/v1", tags=["notifications"])

Person = Annotated[Principal, Depends(Requires(Permission.NOTIFICATIONS_SET))]

CHANGING = (problems.KEY_MISSING, problems.KEY_REUSED, problems.STILL_WORKING)


def channels_of(request: Request) -> Sequence[str]:
    """Return the channels that people of this installation may choose among."""
    return of(request).channels.people


def assert_offered(request: Request, channel: str) -> None:
    """Raise `ProblemError` unless this installation can send over `channel`."""
    if channel not in channels_of(request):
        raise ProblemError(
            problems.ADDRESS_REFUSED, told("nothing is sent over {channel} here", channel=channel)
        )


@router.get(
    "/notifications",
    operation_id="getNotifications",
    summary="Get where you are told of what",
    response_model=NotificationSettings,
    responses=held(),
)
async def get_notifications(request: Request, caller: Person, known: etag.Known) -> Response:
    """By channel, with the channels that there are."""
    with of(request).database.snapshot() as connection:
        found = delivery_contacts.of_person(connection, caller.name)
    return etag.answer(NotificationSettings.told(channels_of(request), found), known)


@router.put(
    "/notifications/{channel}",
    operation_id="setNotification",
    summary="Say where you are told of what over a channel",
    response_model=NotificationShown,
    responses=failing(*CHANGING, problems.ADDRESS_REFUSED),
)
async def set_notification(
    request: Request,
    caller: Person,
    channel: Channel,
    wish: NotificationWish,
    key: idempotency.Key = None,
) -> Response:
    """A new address is sent a link first; nothing else goes there before that is opened."""
    assert_offered(request, channel)
    now = of(request).now()

    def work(database: Database) -> tuple[int, NotificationShown]:
        with database.transaction() as connection:
            stated = delivery_contacts.state(
                connection,
                person=caller.name,
                accounts=caller.accounts or (),
                channel=channel,
                address=wish.address,
                language=wish.language,
                kinds=wish.events,
                now=now,
            )
            return 200, NotificationShown.of(stated)

    return await idempotency.once(request, caller, key, work)


@router.delete(
    "/notifications/{channel}",
    operation_id="dropNotification",
    summary="Be told nothing more over a channel",
    response_model=Dropped,
    responses=failing(*CHANGING),
)
async def drop_notification(
    request: Request, caller: Person, channel: Channel, key: idempotency.Key = None
) -> Response:
    """The address is forgotten."""
    now = of(request).now()

    def work(database: Database) -> tuple[int, Dropped]:
        with database.transaction() as connection:
            dropped = delivery_contacts.drop(
                connection, person=caller.name, channel=channel, now=now
            )
            return 200, Dropped(dropped=dropped)

    return await idempotency.once(request, caller, key, work)
