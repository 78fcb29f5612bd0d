"""The page on which owners say where they are told of what, and the link that confirms it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import RedirectResponse, Response

from api import language
from api.errors import DOMAIN_ERRORS, as_problem
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.resources import Resources, of, whole
from api.routes.notifications import assert_offered, channels_of
from api.schemas.notifications import Channel, OwnerKind
from api.security import ANYONE, FormRequires, PageRequires, page_principal
from billing.delivery.event import OF_OWNERS
from billing.store import delivery_contacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from api.problems import ProblemError

router = APIRouter(include_in_schema=False)

Person = Annotated[Principal, Depends(PageRequires(Permission.NOTIFICATIONS_SET))]
Stating = Annotated[Principal, Depends(FormRequires(Permission.NOTIFICATIONS_SET))]
Code = Annotated[str, Path(min_length=8, max_length=100)]


@router.get("/settings/notifications")
async def show_notifications(request: Request, caller: Person) -> Response:
    """One card for each channel that there is."""
    return _page(request, caller)


@router.post("/settings/notifications")
async def state(
    request: Request,
    caller: Stating,
    channel: Annotated[Channel, Form()],
    address: Annotated[str, Form(max_length=254)] = "",
    events: Annotated[list[OwnerKind] | None, Form()] = None,
) -> Response:
    """Keep what a form says; without an address, or without events, nothing is told any more."""
    assert_offered(request, channel)
    now, reader = of(request).now(), language.of_request(request)

    def work(connection: Connection) -> None:
        if not address.strip() or not events:
            delivery_contacts.drop(connection, person=caller.name, channel=channel, now=now)
            return
        delivery_contacts.state(
            connection,
            person=caller.name,
            accounts=caller.accounts or (),
            channel=channel,
            address=address,
            language=reader.tag,
            kinds=events,
            now=now,
        )

    try:
        await _changed(request, work)
    except DOMAIN_ERRORS as error:
        return _page(request, caller, as_problem(error))
    return RedirectResponse("/settings/notifications", 303)


@router.get("/notifications/confirm/{code}", dependencies=[ANYONE])
async def ask_to_confirm(request: Request, code: Code) -> Response:
    """Ask whoever opens the link: programs that look at mails open links too, but press nothing."""
    return page(
        request, "confirm.html", principal=page_principal(request), code=code, confirmed=None
    )


@router.post("/notifications/confirm/{code}", dependencies=[ANYONE])
async def confirm(request: Request, code: Code) -> Response:
    """Take it that whoever presses the button reads what is sent there."""
    confirmed = await anyio.to_thread.run_sync(_confirmed, whole(request), code)
    return page(
        request,
        "confirm.html",
        principal=page_principal(request),
        status=200 if confirmed else 404,
        code=code,
        confirmed=confirmed,
    )


def _confirmed(resources: Resources, code: str) -> bool:
    """Confirm the address that `code` was sent to, in its own project; who opens it is nobody."""
    with resources.database.snapshot() as connection:
        project = delivery_contacts.project_of(connection, code)
    if project is None:
        return False
    try:
        with resources.database.within(project).transaction() as connection:
            delivery_contacts.confirm(connection, code, now=resources.now())
    except delivery_contacts.UnknownCodeError:
        return False
    return True


async def _changed(request: Request, work: Callable[[Connection], None]) -> None:
    def change() -> None:
        with of(request).database.transaction() as connection:
            work(connection)

    await anyio.to_thread.run_sync(change)


def _page(request: Request, caller: Principal, problem: ProblemError | None = None) -> Response:
    with of(request).database.snapshot() as connection:
        found = delivery_contacts.of_person(connection, caller.name)
    return page(
        request,
        "notifications.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        channels=channels_of(request),
        contacts={each.channel: each for each in found},
        kinds=OF_OWNERS,
        problem=problem,
    )
