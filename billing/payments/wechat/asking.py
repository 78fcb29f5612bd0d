"""What WeChat Pay is asked, as the method, target and body of a request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from billing.payments.provider import RefusedError, Scene
from meters.told import told

if TYPE_CHECKING:
    from datetime import datetime

    from billing.payments.provider import Ordered, RefundAsked
    from billing.payments.wechat.account import Account

BEIJING = timezone(timedelta(hours=8))
LONGEST_DESCRIPTION = 127
LONGEST_REASON = 80
PREPAYMENT_VALID = timedelta(hours=2)
"""How long a code or prepay id can be used."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. `target` is the path with its query."""

    method: str
    target: str
    body: bytes = b""


CERTIFICATES = Ask("GET", "/v3/certificates")


def order(asked: Ordered, account: Account) -> Ask:
    """Return the request for an order, native (a code) or JSAPI (inside WeChat).

    Raises `RefusedError` for what needs more than an `Ordered` says.
    """
    body: dict[str, Any] = {
        "appid": account.app,
        "mchid": account.merchant,
        "description": _cut(asked.description, LONGEST_DESCRIPTION),
        "out_trade_no": asked.number,
        "time_expire": _time(asked.expires_at),
        "notify_url": account.notify_url,
        "amount": {"total": asked.amount_fen, "currency": asked.currency},
    }
    match asked.scene:
        case Scene.CODE:
            return _post("/v3/pay/transactions/native", body)
        case Scene.IN_APP if asked.payer:
            body["payer"] = {"openid": asked.payer}
            return _post("/v3/pay/transactions/jsapi", body)
        case Scene.IN_APP:
            raise RefusedError(
                "PAYER_MISSING",
                told("inside WeChat an order needs its payer's openid for this app"),
            )
        case Scene.BROWSER:
            raise RefusedError(
                "SCENE_NOT_OFFERED", told("WeChat Pay is paid here by a code or inside WeChat")
            )


def query(number: str, account: Account) -> Ask:
    """Return the question what became of an order."""
    return Ask("GET", f"{_order(number)}?mchid={quote(account.merchant, safe='')}")


def close(number: str, account: Account) -> Ask:
    """Return the request that an order be closed."""
    return _post(f"{_order(number)}/close", {"mchid": account.merchant})


def refund(asked: RefundAsked, account: Account) -> Ask:
    """Return the request for a refund."""
    return _post(
        "/v3/refund/domestic/refunds",
        {
            "transaction_id": asked.transaction_id,
            "out_refund_no": asked.number,
            "reason": _cut(asked.reason, LONGEST_REASON),
            "notify_url": account.notify_url,
            "amount": {
                "refund": asked.amount_fen,
                "total": asked.paid_fen,
                "currency": asked.currency,
            },
        },
    )


def query_refund(number: str) -> Ask:
    """Return the question what became of a refund."""
    return Ask("GET", f"/v3/refund/domestic/refunds/{quote(number, safe='')}")


def _order(number: str) -> str:
    return f"/v3/pay/transactions/out-trade-no/{quote(number, safe='')}"


def _post(target: str, body: dict[str, Any]) -> Ask:
    return Ask("POST", target, json.dumps(body, ensure_ascii=False).encode())


def _time(moment: datetime) -> str:
    return moment.astimezone(BEIJING).isoformat(timespec="seconds")


def _cut(text: str, longest: int) -> str:
    """Return `text` as a payer can be shown it; what is cut off leaves an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
