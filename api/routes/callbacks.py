"""What payment providers send by themselves: anybody may call, and is believed by a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api import problems
from api.problems import ProblemError
from api.resources import whole
from api.routes.answers import failing
from api.security import ANYONE_AT_ANY_TIME, count_call
from billing.payments.provider import MalformedNoticeError, NotAuthenticError
from billing.store.payments import Callback

if TYPE_CHECKING:
    from billing.store.payments import Said

router = APIRouter(prefix="/v1", tags=["payments"])

LONGEST = 64 * 1024
"""Bytes of a notice: ten times what providers send, as what anybody sends is kept."""


@router.post(
    "/callbacks/wechat",
    operation_id="tellOfWechatPay",
    summary="Hear what WeChat Pay says of orders and refunds",
    dependencies=[ANYONE_AT_ANY_TIME],
    status_code=204,
    response_class=Response,
    responses=failing(problems.NOT_FOUND, problems.TOO_LARGE),
)
async def tell_of_wechat_pay(request: Request) -> Response:
    """Only WeChat Pay calls this, and signs what it sends; the same notice again changes nothing.

    What is not proven, or fits no order, is kept and answered with 400; of what is not proven no
    more than an address may call.
    """
    resources = whole(request)
    provider = resources.providers.wechat
    if provider is None:
        raise ProblemError(problems.NOT_FOUND)
    body = await request.body()
    if len(body) > LONGEST:
        raise ProblemError(problems.TOO_LARGE)
    headers = {name.lower(): value for name, value in request.headers.items()}
    now = resources.now()
    said: Said
    try:
        said = provider.read(headers, body, now=now)
    except NotAuthenticError as error:
        count_call(request, None)
        said = error
    except MalformedNoticeError as error:
        said = error
    sent = Callback(provider=provider.name, received_at=now, headers=headers, body=body)
    outcome = await resources.notices.take(sent, said)
    answer = provider.answer(None if outcome.accepted else outcome.reason)
    return Response(answer.body, answer.status, media_type=answer.content_type)
