"""The application: routes of `/v1` and pages, over one set of resources."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from api import errors
from api.body_limit import BodyLimit
from api.deadline import Deadline
from api.document import tell_problems_as_problems
from api.headers import SecurityHeaders
from api.metrics import Measured, Metrics
from api.pages import access as access_pages
from api.pages import accounts as account_pages
from api.pages import audit as audit_pages
from api.pages import catalogue as catalogue_pages
from api.pages import consumption as consumption_pages
from api.pages import corrections as correction_pages
from api.pages import desk as desk_pages
from api.pages import display as display_pages
from api.pages import disputes as dispute_pages
from api.pages import engineering as engineering_pages
from api.pages import exchange as exchange_pages
from api.pages import export as export_pages
from api.pages import gateways as gateway_pages
from api.pages import messages as message_pages
from api.pages import notifications as notification_pages
from api.pages import own_meters as meter_pages
from api.pages import papers as paper_pages
from api.pages import paying as paying_pages
from api.pages import pool_checks as pool_check_pages
from api.pages import portal as portal_pages
from api.pages import publication as publication_pages
from api.pages import questions as question_pages
from api.pages import rendering, second_factor, sign_in
from api.pages import reviews as review_pages
from api.pages import staff as staff_pages
from api.pages import tariffs as tariff_pages
from api.pages import webhooks as webhook_pages
from api.rate import Limiter, RateHeaders
from api.resources import open_resources, read_clock
from api.routes import (
    access,
    audit,
    callbacks,
    consumption,
    corrections,
    devices,
    disputes,
    engineering,
    export,
    gateways,
    jobs,
    notifications,
    operations,
    papers,
    payments,
    portal,
    publication,
    requests,
    reviews,
    sessions,
    staff,
    statements,
    tariffs,
    till,
    webhook_messages,
    webhooks,
)
from api.security import assert_guarded
from api.signposts import Signposts
from api.upkeep import certificate_upkeep, upkeep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from api.settings import ApiSettings

TITLE = "Tallygate"
SUMMARY = "From smart water and electricity meters to bills that people can check."
DESCRIPTION = """\
Money and quantities are texts (`"2852.00"`), times are UTC in ISO 8601, lists come in pages with an
opaque `next_cursor`. Failures are problems (RFC 9457) with a stable `type`. Calls that change
something take an `Idempotency-Key`: sent again with the same key, a call gets its first answer;
while the first is worked on it is answered with 409 (`/problems/still-working`) and `Retry-After`.
"""


def create_app(
    settings: ApiSettings,
    *,
    clock: Callable[[], datetime] = read_clock,
    limiter: Limiter | None = None,
    alone: bool = True,
) -> FastAPI:
    """Return the application that `settings` describe; `clock` says what time it is.

    `limiter` counts calls, here by default; an app that is not `alone` leaves to another process
    what is to be done once (`upkeep`).

    Databases that are away are no error yet. Raises `UnguardedRouteError` for a route that does not
    say who may call it, and `DefinitionError` for a meter type that does not load.
    """
    resources = open_resources(settings, clock, limiter)

    @asynccontextmanager
    async def closing(_app: FastAPI) -> AsyncIterator[None]:
        with upkeep(resources) if alone else certificate_upkeep(resources.providers, clock):
            yield
        resources.close()

    app = FastAPI(
        title=TITLE,
        summary=SUMMARY,
        description=DESCRIPTION,
        version=version("tallygate"),
        docs_url=None,
        redoc_url=None,
        webhooks=webhook_messages.messages,
        lifespan=closing,
    )
    app.state.resources = resources
    app.state.metrics = Metrics()
    errors.install(app)
    _include_routes(app)
    _include_pages(app)
    assert_guarded(app.routes)
    tell_problems_as_problems(app)
    app.mount("/static", StaticFiles(directory=rendering.STATIC), name="static")
    app.router.routes.insert(0, Signposts(app.router.routes))
    app.add_middleware(BodyLimit, limit_bytes=settings.max_body_bytes)
    app.add_middleware(RateHeaders)
    app.add_middleware(
        Deadline, request_s=settings.request_seconds, answer_s=settings.answer_seconds
    )
    app.add_middleware(Measured, metrics=app.state.metrics)
    app.add_middleware(SecurityHeaders, secure=settings.secure_cookies)
    rendering.compile_all()
    return app


def _include_routes(app: FastAPI) -> None:
    for audience in (
        portal,
        consumption,
        publication,
        export,
        disputes,
        payments,
        papers,
        till,
        callbacks,
        staff,
        statements,
        tariffs,
        corrections,
        reviews,
        jobs,
        engineering,
        devices,
        requests,
        gateways,
        sessions,
        access,
        audit,
        webhooks,
        notifications,
        operations,
    ):
        _include(app, audience.router)


def _include_pages(app: FastAPI) -> None:
    for pages in (
        sign_in,
        second_factor,
        display_pages,
        portal_pages,
        meter_pages,
        consumption_pages,
        publication_pages,
        export_pages,
        dispute_pages,
        paying_pages,
        paper_pages,
        staff_pages,
        pool_check_pages,
        account_pages,
        tariff_pages,
        desk_pages,
        review_pages,
        correction_pages,
        engineering_pages,
        exchange_pages,
        gateway_pages,
        question_pages,
        catalogue_pages,
        access_pages,
        audit_pages,
        webhook_pages,
        notification_pages,
        message_pages,
    ):
        _include(app, pages.router)


def _include(app: FastAPI, router: APIRouter) -> None:
    """Add the routes of `router` to those of `app`.

    `include_router` would keep them apart, and try them for every request, and twice.
    """
    app.router.routes.extend(router.routes)
