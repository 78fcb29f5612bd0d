"""What a merchant is told of payments and refunds, encrypted for them."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulators.wechat_pay.books import rfc3339
from simulators.wechat_pay.sealing import sealed

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from simulators.wechat_pay.books import Order, Refund


@dataclass(frozen=True, slots=True)
class Notice:
    """What a merchant is to be told at `url`: the same `body` however often it is tried."""

    number: int
    event: str
    about: str
    """The merchant's number of the order or refund."""
    url: str
    body: bytes


def of_payment(number: int, order: Order, key: str, now: datetime) -> Notice:
    """Return notice `number`, which says that `order` is paid."""
    event = "TRANSACTION.SUCCESS"
    body = _body(event, "支付成功", sealed(_text(order.document()), key, "transaction"), now)
    return Notice(number, event, order.number, order.asked.notify_url, body)


def of_refund(number: int, refund: Refund, url: str, key: str, now: datetime) -> Notice:
    """Return notice `number`, which says what became of `refund`."""
    event = f"REFUND.{refund.status.value}"
    body = _body(event, "退款结果通知", sealed(_text(refund.notice()), key, "refund"), now)
    return Notice(number, event, refund.number, url, body)


def _body(event: str, summary: str, resource: dict[str, str], now: datetime) -> bytes:
    return _text(
        {
            "id": secrets.token_hex(16),
            "create_time": rfc3339(now),
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": summary,
            "resource": {"original_type": resource["associated_data"], **resource},
        }
    )


def _text(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
