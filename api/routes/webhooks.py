"""Which programs are told of what, what they were sent, and sending it again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from api import etag, idempotency, problems
from api.paging import DEFAULT_LIMIT, Cursor, Limit, Page, paged, read_number_cursor
from api.permission import Permission
from api.principal import Principal
from api.resources import of, reach_of
from api.routes.answers import failing, held
from api.schemas.webhooks import (
    ChangedWebhook,
    DeliveryShown,
    DeliveryWithAttempts,
    NewSecret,
    NewWebhook,
    Replayed,
    Since,
    WebhookShown,
    WebhookWithSecret,
)
from api.security import Requires
from billing.delivery.destination import destination
from billing.delivery.schedule import State
from billing.store import delivery_webhooks
from billing.store.delivery_pruning import EventsGoneError, assert_kept, is_kept
from meters.told import told

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from billing.database import Database

router = APIRouter(prefix="/v1", tags=["webhooks"])

Keeper = Annotated[Principal, Depends(Requires(Permission.WEBHOOKS_MANAGE))]
WebhookId = Annotated[int, Path(ge=1, lt=2**63)]
DeliveryId = Annotated[int, Path(ge=1, lt=2**63)]

CHANGING = (problems.KEY_MISSING, problems.KEY_REUSED, problems.STILL_WORKING, problems.NOT_FOUND)


@router.get(
    "/webhooks",
    operation_id="listWebhooks",
    summary="List webhooks",
    responses=failing(),
)
async def list_webhooks(request: Request, caller: Keeper) -> Page[WebhookShown]:
    """The oldest first, with since when each fails."""
    del caller
    with of(request).database.snapshot() as connection:
        found = delivery_webhooks.listed(connection)
    return Page(items=[WebhookShown.of(each) for each in found])


@router.post(
    "/webhooks",
    operation_id="addWebhook",
    summary="Add a webhook",
    status_code=201,
    response_model=WebhookWithSecret,
    responses=failing(*CHANGING, problems.NOT_SENT_THERE, problems.NO_SEAL),
)
async def add_webhook(
    request: Request, caller: Keeper, new: NewWebhook, key: idempotency.Key = None
) -> Response:
    """The answer holds the secret that signs its messages, by the Standard Webhooks convention.

    It is told of what happens from now on.
    """
    now, seal = of(request).now(), of(request).seal
    destination(new.url, reach_of(of(request).settings))

    def work(database: Database) -> tuple[int, WebhookWithSecret]:
        with database.transaction() as connection:
            made = delivery_webhooks.add(
                connection,
                seal,
                url=new.url,
                title=new.title,
                kinds=new.events,
                actor=caller.name,
                now=now,
            )
            return 201, WebhookWithSecret.opened(made, seal, now)

    return await idempotency.once(request, caller, key, work)


@router.get(
    "/webhooks/{webhook}",
    operation_id="getWebhook",
    summary="Get a webhook",
    response_model=WebhookShown,
    responses=held(problems.NOT_FOUND),
)
async def get_webhook(
    request: Request, caller: Keeper, webhook: WebhookId, known: etag.Known
) -> Response:
    """Where it leads, what it is told of, and whether it fails."""
    del caller
    with of(request).database.snapshot() as connection:
        return etag.answer(_shown(connection, webhook), known)


@router.put(
    "/webhooks/{webhook}",
    operation_id="changeWebhook",
    summary="Change a webhook, or switch it on or off",
    response_model=WebhookShown,
    responses=failing(*CHANGING, problems.NOT_SENT_THERE, problems.CHANGED_SINCE),
    dependencies=[etag.EXPECTING],
)
async def change_webhook(
    request: Request,
    caller: Keeper,
    webhook: WebhookId,
    changed: ChangedWebhook,
    key: idempotency.Key = None,
) -> Response:
    """What happens while it is off can be sent later. Its secret stays."""
    now = of(request).now()
    destination(changed.url, reach_of(of(request).settings))

    def work(database: Database) -> tuple[int, WebhookShown]:
        with database.transaction() as connection:
            delivery_webhooks.read(connection, webhook, lock=True)
            etag.demand(request, lambda: etag.tag_of(_shown(connection, webhook)))
            found = delivery_webhooks.change(
                connection,
                webhook,
                url=changed.url,
                title=changed.title,
                kinds=changed.events,
                on=changed.on,
                actor=caller.name,
                now=now,
            )
            return 200, WebhookShown.of(found)

    return await idempotency.once(request, caller, key, work)


@router.delete(
    "/webhooks/{webhook}",
    operation_id="endWebhook",
    summary="End a webhook",
    response_model=WebhookShown,
    responses=failing(*CHANGING),
)
async def end_webhook(
    request: Request, caller: Keeper, webhook: WebhookId, key: idempotency.Key = None
) -> Response:
    """Nothing more is sent, and its secret is forgotten. The answer is what it was."""
    now = of(request).now()

    def work(database: Database) -> tuple[int, WebhookShown]:
        with database.transaction() as connection:
            before = _shown(connection, webhook)
            delivery_webhooks.end(connection, webhook, actor=caller.name, now=now)
            return 200, before

    return await idempotency.once(request, caller, key, work)


@router.post(
    "/webhooks/{webhook}/secret",
    operation_id="rotateWebhookSecret",
    summary="Replace the secret of a webhook",
    response_model=WebhookWithSecret,
    responses=failing(*CHANGING, problems.NO_SEAL),
)
async def rotate_webhook_secret(
    request: Request,
    caller: Keeper,
    webhook: WebhookId,
    new: NewSecret,
    key: idempotency.Key = None,
) -> Response:
    """Both sign for a while: a message is genuine where one of its signatures fits."""
    now, seal = of(request).now(), of(request).seal

    def work(database: Database) -> tuple[int, WebhookWithSecret]:
        with database.transaction() as connection:
            overlap = timedelta(hours=new.overlap_hours)
            found = delivery_webhooks.rotate(
                connection, seal, webhook, overlap=overlap, actor=caller.name, now=now
            )
            return 200, WebhookWithSecret.opened(found, seal, now)

    return await idempotency.once(request, caller, key, work)


@router.get(
    "/webhooks/{webhook}/deliveries",
    operation_id="listDeliveries",
    summary="List what a webhook was sent, the newest first",
    responses=failing(problems.NOT_FOUND, problems.INVALID_CURSOR, problems.EVENTS_GONE),
)
async def list_deliveries(
    *,
    request: Request,
    caller: Keeper,
    webhook: WebhookId,
    state: Annotated[State | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[DeliveryShown]:
    """Each with where it stands, and when it is tried next.

    They are kept as long as their events; 410 where that of the cursor is gone meanwhile.
    """
    del caller
    before = read_number_cursor(cursor)
    with of(request).database.snapshot() as connection:
        delivery_webhooks.read(connection, webhook)
        if before is not None and not is_kept(connection, webhook, before):
            raise EventsGoneError(told("messages as old as those of the cursor are no longer kept"))
        rows = delivery_webhooks.sent(
            connection, webhook, limit=limit + 1, before_id=before, state=state
        )
    return paged(rows, limit, key=lambda row: (str(row.id),), shown=DeliveryShown.of)


@router.get(
    "/webhooks/{webhook}/deliveries/{delivery}",
    operation_id="getDelivery",
    summary="Get a message with its tries",
    response_model=DeliveryWithAttempts,
    responses=held(problems.NOT_FOUND),
)
async def get_delivery(
    *,
    request: Request,
    caller: Keeper,
    webhook: WebhookId,
    delivery: DeliveryId,
    known: etag.Known,
) -> Response:
    """What it told, and what came of each try."""
    del caller
    with of(request).database.snapshot() as connection:
        delivery_webhooks.read(connection, webhook)
        sent = delivery_webhooks.one_sent(connection, webhook, delivery)
        tries = delivery_webhooks.attempts(connection, delivery)
    return etag.answer(DeliveryWithAttempts.told(sent, tries), known)


@router.post(
    "/webhooks/{webhook}/deliveries/{delivery}/replay",
    operation_id="replayDelivery",
    summary="Send a message again",
    status_code=202,
    response_model=DeliveryShown,
    responses=failing(*CHANGING, problems.WEBHOOK_OFF),
)
async def replay_delivery(
    *,
    request: Request,
    caller: Keeper,
    webhook: WebhookId,
    delivery: DeliveryId,
    key: idempotency.Key = None,
) -> Response:
    """Within seconds, under the same id. One that still waits is left as it is."""
    now = of(request).now()

    def work(database: Database) -> tuple[int, DeliveryShown]:
        with database.transaction() as connection:
            again = delivery_webhooks.replay(
                connection, webhook, delivery, actor=caller.name, now=now
            )
            return 202, DeliveryShown.of(again)

    return await idempotency.once(request, caller, key, work)


@router.post(
    "/webhooks/{webhook}/replay",
    operation_id="replayDeliveries",
    summary="Send everything again since a time",
    status_code=202,
    response_model=Replayed,
    responses=failing(*CHANGING, problems.WEBHOOK_OFF, problems.EVENTS_GONE),
)
async def replay_deliveries(
    request: Request, caller: Keeper, webhook: WebhookId, wanted: Since, key: idempotency.Key = None
) -> Response:
    """What has happened since then, whether it was sent before or missed while it was off.

    Events are kept for some months (`events_kept_days` of the settings, 180): 410 for earlier ones.
    """
    now = of(request).now()
    kept = timedelta(days=of(request).settings.events_kept_days)
    assert_kept(wanted.since, kept, now=now)

    def work(database: Database) -> tuple[int, Replayed]:
        with database.transaction() as connection:
            count = delivery_webhooks.replay_since(
                connection, webhook, wanted.since, actor=caller.name, now=now
            )
            return 202, Replayed(messages=count)

    return await idempotency.once(request, caller, key, work)


def _shown(connection: Connection, webhook: int) -> WebhookShown:
    return WebhookShown.of(delivery_webhooks.read(connection, webhook))
