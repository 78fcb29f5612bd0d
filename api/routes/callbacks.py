"""What payment providers send by themselves: anybody may call, and is believed by a signature."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api import problems
from api.problems import ProblemError
from api.resources import Resources, whole
from api.routes.answers import failing
from api.security import ANYONE
from billing.payments.provider import MalformedNoticeError, NotAuthenticError
from billing.store import payments
from billing.store.payments import Callback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.payments.provider import Answer, Provider
    from billing.store.payments import Said

router = APIRouter(prefix="/v1", tags=["payments"])

LONGEST = 64 * 1024
"""Bytes of a notice: ten times what providers send, as what anybody sends is kept."""


@router.post(
    "/callbacks/wechat",
    operation_id="tellOfWechatPay",
    summary="Hear what WeChat Pay says of orders and refunds",
    dependencies=[ANYONE],
    status_code=204,
    response_class=Response,
    responses=failing(problems.NOT_FOUND, problems.TOO_LARGE),
)
async def tell_of_wechat_pay(request: Request) -> Response:
    """Only WeChat Pay calls this, and signs what it sends; the same notice again changes nothing.

    What is not proven, or fits no order, is kept and answered with 400.
    """
    resources = whole(request)
    provider = resources.providers.wechat
    if provider is None:
        raise ProblemError(problems.NOT_FOUND)
    body = await request.body()
    if len(body) > LONGEST:
        raise ProblemError(problems.TOO_LARGE)
    headers = {name.lower(): value for name, value in request.headers.items()}
    answer = await anyio.to_thread.run_sync(partial(_take, resources, provider, headers, body))
    return Response(answer.body, answer.status, media_type=answer.content_type)


def _take(
    resources: Resources, provider: Provider, headers: Mapping[str, str], body: bytes
) -> Answer:
    now = resources.now()
    said: Said
    try:
        said = provider.read(headers, body, now=now)
    except (NotAuthenticError, MalformedNoticeError) as error:
        said = error
    sent = Callback(provider=provider.name, received_at=now, headers=headers, body=body)
    with resources.database.transaction() as connection:
        outcome = payments.take(connection, sent, said)
    return provider.answer(None if outcome.accepted else outcome.reason)
