"""The page of webhooks: who is told of what, the last messages, and sending them again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar
from zoneinfo import ZoneInfo

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import RedirectResponse, Response

from api.errors import DOMAIN_ERRORS, as_problem
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.resources import of, reach_of
from api.schemas.webhooks import OutwardKind, Title
from api.security import FormRequires, PageRequires
from billing.delivery.destination import destination
from billing.delivery.event import OUTWARD
from billing.store import delivery_webhooks
from billing.store.delivery_pruning import assert_kept
from meters.interval import utc

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from api.problems import ProblemError
    from billing.store.delivery_webhooks import Webhook

router = APIRouter(include_in_schema=False, prefix="/webhooks")

Keeper = Annotated[Principal, Depends(PageRequires(Permission.WEBHOOKS_MANAGE))]
Keeping = Annotated[Principal, Depends(FormRequires(Permission.WEBHOOKS_MANAGE))]
Number = Annotated[int, Path(ge=1, lt=2**63)]

Made = TypeVar("Made")

SHOWN = 50
ZONE = ZoneInfo("UTC")


@router.get("")
async def show_webhooks(request: Request, caller: Keeper) -> Response:
    """All webhooks, and the form that adds one."""
    return _list_page(request, caller)


@router.post("")
async def add_webhook(
    request: Request,
    caller: Keeping,
    url: Annotated[str, Form(max_length=1000)] = "",
    title: Annotated[Title, Form()] = "",
    events: Annotated[list[OutwardKind] | None, Form()] = None,
) -> Response:
    """Add one and show its secret, this once on a page."""
    resources = of(request)

    def work(connection: Connection) -> Webhook:
        return delivery_webhooks.add(
            connection,
            resources.seal,
            url=url,
            title=title,
            kinds=events or OUTWARD,
            actor=caller.name,
            now=resources.now(),
        )

    try:
        destination(url, reach_of(of(request).settings))
        made = await _changed(request, work)
    except DOMAIN_ERRORS as error:
        return _list_page(request, caller, problem=as_problem(error))
    newest, *_ = made.secrets(resources.seal, resources.now())
    return _list_page(request, caller, secret=newest)


@router.get("/{webhook}")
async def show_webhook(request: Request, caller: Keeper, webhook: Number) -> Response:
    """One webhook with its last messages and what came of the last try of each."""
    return _webhook_page(request, caller, webhook)


@router.post("/{webhook}/replay")
async def replay(
    request: Request,
    caller: Keeping,
    webhook: Number,
    delivery: Annotated[int | None, Form(ge=1, lt=2**63)] = None,
    since: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Send one message again, or all since a time."""
    now, kept_days = of(request).now(), of(request).settings.events_kept_days

    def work(connection: Connection) -> object:
        if delivery is not None:
            return delivery_webhooks.replay(
                connection, webhook, delivery, actor=caller.name, now=now
            )
        moment = _moment(since, now)
        assert_kept(moment, timedelta(days=kept_days), now=now)
        return delivery_webhooks.replay_since(
            connection, webhook, moment, actor=caller.name, now=now
        )

    return await _done(request, caller, webhook, work)


@router.post("/{webhook}/switch")
async def switch(
    request: Request, caller: Keeping, webhook: Number, on: Annotated[bool, Form()]
) -> Response:
    """Switch it on or off."""
    now = of(request).now()

    def work(connection: Connection) -> Webhook:
        found = delivery_webhooks.read(connection, webhook, lock=True)
        return delivery_webhooks.change(
            connection,
            webhook,
            url=found.url,
            title=found.title,
            kinds=found.kinds,
            on=on,
            actor=caller.name,
            now=now,
        )

    return await _done(request, caller, webhook, work)


def _moment(text: str, now: datetime) -> datetime:
    """Return the moment that a form states, in UTC where it says no zone; now for none."""
    try:
        found = datetime.fromisoformat(text)
        return utc(found if found.tzinfo is not None else found.replace(tzinfo=UTC))
    except ValueError:
        return now


async def _done(
    request: Request, caller: Principal, webhook: int, work: Callable[[Connection], object]
) -> Response:
    try:
        await _changed(request, work)
    except DOMAIN_ERRORS as error:
        return _webhook_page(request, caller, webhook, as_problem(error))
    return RedirectResponse(f"/webhooks/{webhook}", 303)


async def _changed(request: Request, work: Callable[[Connection], Made]) -> Made:
    def change() -> Made:
        with of(request).database.transaction() as connection:
            return work(connection)

    return await anyio.to_thread.run_sync(change)


def _list_page(
    request: Request,
    caller: Principal,
    *,
    secret: str | None = None,
    problem: ProblemError | None = None,
) -> Response:
    with of(request).database.snapshot() as connection:
        found = delivery_webhooks.listed(connection)
    return page(
        request,
        "webhooks.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        webhooks=found,
        secret=secret,
        problem=problem,
        kinds=OUTWARD,
        zone=ZONE,
    )


def _webhook_page(
    request: Request, caller: Principal, webhook: int, problem: ProblemError | None = None
) -> Response:
    with of(request).database.snapshot() as connection:
        found = delivery_webhooks.read(connection, webhook)
        sent = delivery_webhooks.sent(connection, webhook, limit=SHOWN)
        tries = {each.id: delivery_webhooks.attempts(connection, each.id) for each in sent}
    return page(
        request,
        "webhook.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        webhook=found,
        sent=sent,
        tries=tries,
        problem=problem,
        zone=ZONE,
    )
