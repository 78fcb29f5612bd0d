"""From what went wrong to an answer: problem+json for programs, a page for people."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import Request

from api import invalid, language, problems
from api.access import AccessError, UnknownKeyError
from api.asking import CannotAskError
from api.deciding import UndecidedError
from api.pages import rendering
from api.pool_trials import WhatIfError
from api.problems import ProblemError, ProblemType
from api.security import EnrolFirstError, SignInFirstError, page_principal
from api.store.device_lists import (
    GatewayExistsError,
    MeterListedError,
    UnknownDeviceError,
    UnknownGatewayError,
)
from api.store.logins import LoginExistsError, UnknownAccountError
from api.store.questions import NoSuchQuestionError
from api.store.unknown_meters import OwnSettingsError
from billing.delivery.address import AddressError
from billing.delivery.destination import DestinationError
from billing.delivery.wording import TemplateRefusedError
from billing.disputes import DisputeError
from billing.lifecycle import FourEyesError, ReasonError
from billing.months import PeriodError
from billing.payments.order import OrderError
from billing.payments.provider import ProviderError, RefusedError
from billing.sealing import SealError
from billing.store.definitions import VersionExistsError
from billing.store.delivery_contacts import NoAccountError, UnknownCodeError
from billing.store.delivery_pruning import EventsGoneError
from billing.store.delivery_texts import NewerTextsError
from billing.store.delivery_webhooks import (
    UnknownDeliveryError,
    UnknownWebhookError,
    WebhookOffError,
)
from billing.store.disputes import UnknownDisputeError
from billing.store.exchange import ExchangeError
from billing.store.frozen import NothingBilledError
from billing.store.holds import HeldError, UnknownPlaceError
from billing.store.jobs import UnknownJobError
from billing.store.payments_book import UnknownPaymentError
from billing.store.payments_desk import DeskError, DeskEyesError
from billing.store.payments_orders import UnknownOrderError
from billing.store.payments_refunds import RefundError, RefundEyesError, UnknownRefundError
from billing.store.pool_checks import PoolHeldError, UnknownStatementError
from billing.store.registry import UnknownCommunityError
from billing.store.reviews import UnknownRegisterError
from billing.store.runs import PeriodTakenError, StateError, UnknownRunError
from billing.store.tariff_drafts import (
    DraftError,
    DraftEyesError,
    SharedTariffError,
    UnknownDraftError,
)
from meters.archive.protocol import ArchiveUnavailableError
from meters.definition import DefinitionError
from meters.told import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI

LOG = logging.getLogger(__name__)

OF_DOMAIN: Mapping[type[Exception], ProblemType] = {
    FourEyesError: problems.FOUR_EYES,
    StateError: problems.WRONG_STATE,
    UndecidedError: problems.UNDECIDED,
    UnknownRegisterError: problems.UNKNOWN_POINT,
    ReasonError: problems.REASON_MISSING,
    HeldError: problems.NOT_HELD_SO,
    UnknownPlaceError: problems.UNKNOWN_PLACE,
    PoolHeldError: problems.POOL_HELD,
    UnknownStatementError: problems.NOT_FOUND,
    UnknownJobError: problems.NOT_FOUND,
    UnknownDraftError: problems.NOT_FOUND,
    DraftEyesError: problems.FOUR_EYES,
    SharedTariffError: problems.NOT_TAKEN,
    DraftError: problems.WRONG_STATE,
    VersionExistsError: problems.NOT_TAKEN,
    NothingBilledError: problems.NO_WHAT_IF,
    WhatIfError: problems.NO_WHAT_IF,
    PeriodError: problems.NOT_BILLABLE,
    PeriodTakenError: problems.RUN_EXISTS,
    UnknownRunError: problems.NOT_FOUND,
    UnknownCommunityError: problems.UNKNOWN_COMMUNITY,
    ArchiveUnavailableError: problems.ARCHIVE_AWAY,
    CannotAskError: problems.CANNOT_ASK,
    DefinitionError: problems.NOT_TAKEN,
    AccessError: problems.NO_ACCESS,
    UnknownAccountError: problems.NO_ACCESS,
    LoginExistsError: problems.LOGIN_EXISTS,
    UnknownKeyError: problems.NOT_FOUND,
    ExchangeError: problems.NO_EXCHANGE,
    GatewayExistsError: problems.GATEWAY_EXISTS,
    MeterListedError: problems.METER_LISTED,
    NoSuchQuestionError: problems.NO_QUESTION,
    OwnSettingsError: problems.OWN_SETTINGS,
    UnknownDeviceError: problems.NOT_FOUND,
    UnknownGatewayError: problems.NOT_FOUND,
    DisputeError: problems.NOT_DISPUTABLE,
    UnknownDisputeError: problems.NOT_FOUND,
    OrderError: problems.NOT_PAYABLE,
    DeskError: problems.NOT_PAYABLE,
    RefundError: problems.NOT_PAYABLE,
    DeskEyesError: problems.FOUR_EYES,
    RefundEyesError: problems.FOUR_EYES,
    UnknownOrderError: problems.NOT_FOUND,
    UnknownPaymentError: problems.NOT_FOUND,
    UnknownRefundError: problems.NOT_FOUND,
    DestinationError: problems.NOT_SENT_THERE,
    AddressError: problems.ADDRESS_REFUSED,
    NoAccountError: problems.ADDRESS_REFUSED,
    UnknownCodeError: problems.NOT_FOUND,
    UnknownDeliveryError: problems.NOT_FOUND,
    UnknownWebhookError: problems.NOT_FOUND,
    WebhookOffError: problems.WEBHOOK_OFF,
    TemplateRefusedError: problems.NOT_TAKEN,
    NewerTextsError: problems.CHANGED_SINCE,
    EventsGoneError: problems.EVENTS_GONE,
    SealError: problems.NO_SEAL,
    RefusedError: problems.PROVIDER_REFUSED,
    ProviderError: problems.PROVIDER_AWAY,
}
"""What the stores, billing and the archive raise, and the problem that it is for a caller."""

DOMAIN_ERRORS = tuple(OF_DOMAIN)

OF_STATUS: Mapping[int, ProblemType] = {
    401: problems.NOT_SIGNED_IN,
    403: problems.FORBIDDEN,
    404: problems.NOT_FOUND,
    405: problems.METHOD_NOT_ALLOWED,
    408: problems.TOO_SLOW,
    413: problems.TOO_LARGE,
    422: problems.INVALID,
}


def install(app: FastAPI) -> None:
    """Make `app` answer every failure as a problem."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(SignInFirstError, _sign_in)
    app.add_exception_handler(EnrolFirstError, _enrol)
    for kind in OF_DOMAIN:
        app.add_exception_handler(kind, _of_domain)
    app.add_exception_handler(Exception, _internal)


def as_problem(error: Exception) -> ProblemError:
    """Return one of `DOMAIN_ERRORS` as the problem that a caller is told."""
    kind = next(kind for each, kind in OF_DOMAIN.items() if isinstance(error, each))
    return ProblemError(kind, text_of(error))


def wants_page(request: Request) -> bool:
    """Return whether a person looks at the answer in a browser."""
    is_api = request.url.path.startswith("/v1/")
    return not is_api and "text/html" in request.headers.get("accept", "")


def answer(request: Request, error: ProblemError) -> Response:
    """Return the answer that tells `error` to whoever asked."""
    if wants_page(request):
        broken = error.kind is problems.INTERNAL  # then nothing is asked of what may be broken
        page = rendering.page(
            request,
            "problem.html",
            principal=None if broken else page_principal(request),
            status=error.kind.status,
            problem=error.kind,
        )
        page.headers.update(error.headers)
        return page
    document = error.document(language.of_program(request), request.url.path)
    return JSONResponse(
        document, error.kind.status, headers=error.headers, media_type=problems.MEDIA_TYPE
    )


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101  the type that it is registered for
    return answer(request, error)


async def _of_domain(request: Request, error: Exception) -> Response:
    return answer(request, as_problem(error))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  the type registered for
    errors = _errors(error.errors(), language.of_program(request))
    return answer(request, ProblemError(problems.INVALID, errors=errors))


def _errors(found: Sequence[Any], reader: language.Language) -> list[dict[str, str]]:
    """Return where and what, never the input itself: it may be a password."""
    return [
        {
            "where": ".".join(str(part) for part in each["loc"]),
            "code": each["type"],
            "what": invalid.told(each, reader),
        }
        for each in found
    ]


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  the type that it is registered for
    kind = OF_STATUS.get(error.status_code, problems.INVALID)
    return answer(request, ProblemError(kind, headers=error.headers))


async def _sign_in(request: Request, _error: Exception) -> Response:
    if not wants_page(request):
        return answer(request, ProblemError(problems.NOT_SIGNED_IN))
    target = request.url.path if request.method == "GET" else "/"
    where = "/login" if target == "/" else f"/login?next={quote(target)}"
    return RedirectResponse(where, 303)


async def _enrol(request: Request, _error: Exception) -> Response:
    if not wants_page(request):
        return answer(request, ProblemError(problems.SECOND_FACTOR_MISSING))
    return RedirectResponse("/settings/second-factor", 303)


async def _internal(request: Request, error: Exception) -> Response:
    LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(request, ProblemError(problems.INTERNAL))
