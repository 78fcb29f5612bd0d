"""A merchant's program that signs by hand, for the simulated WeChat Pay: no adapter is in it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from simulators.wechat_pay.merchant import Call

if TYPE_CHECKING:
    from simulators.wechat_pay.platform import Platform, Reply

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@dataclass
class Shop:
    """A merchant's program, for `platform`."""

    platform: Platform

    def ask(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        signed: tuple[str, ...] | None = None,
        now: datetime = NOON,
        **headers: str,
    ) -> Reply:
        """Return the answer to a request; `signed` are other lines than those that are sent."""
        content = b"" if body is None else json.dumps(body).encode()
        merchant, timestamp = self.platform.merchant, str(int(now.timestamp()))
        lines = signed or (method, target, timestamp, "nonce", content.decode())
        message = "".join(f"{line}\n" for line in lines).encode()
        signature = base64.b64encode(merchant.key.sign(message, padding.PKCS1v15(), SHA256()))
        sent = {
            "accept": "application/json",
            "user-agent": "shop",
            "content-type": "application/json",
            "authorization": (
                f'WECHATPAY2-SHA256-RSA2048 mchid="{merchant.mchid}",nonce_str="nonce",'
                f'signature="{signature.decode()}",timestamp="{timestamp}",'
                f'serial_no="{merchant.serial}"'
            ),
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.platform.answer(Call(method, target, sent, content), NOON)

    def order(self, number: str = "ORDER-1", **changes: Any) -> Reply:
        """Return the answer to an order of 12.34 by code."""
        body = {
            "mchid": self.platform.merchant.mchid,
            "appid": self.platform.merchant.appid,
            "description": "水费",
            "out_trade_no": number,
            "notify_url": "http://127.0.0.1:9/notices",
            "amount": {"total": 1234},
        }
        kind = "jsapi" if "payer" in changes else "native"
        return self.ask("POST", f"/v3/pay/transactions/{kind}", body | changes)

    def order_told(self, number: str = "ORDER-1") -> Any:
        """Return what the platform says of an order."""
        mchid = self.platform.merchant.mchid
        return told(
            self.ask("GET", f"/v3/pay/transactions/out-trade-no/{number}?mchid={mchid}"), 200
        )

    def refund(self, number: str = "REFUND-1", **changes: Any) -> Reply:
        """Return the answer to a refund of 1.00 of ORDER-1."""
        body = {
            "out_trade_no": "ORDER-1",
            "out_refund_no": number,
            "amount": {"refund": 100, "total": 1234, "currency": "CNY"},
        }
        return self.ask("POST", "/v3/refund/domestic/refunds", body | changes)


def told(reply: Reply, status: int) -> Any:
    """Return the content of `reply`, whose status is to be `status`."""
    assert reply.status == status, reply.body.decode()
    return json.loads(reply.body)
