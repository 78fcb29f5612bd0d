r"""The signature of a request: who asks, for what, when; by the merchant's own key.

Signed is `METHOD\ntarget\ntimestamp\nnonce\nbody\n`, where the target is the path with its query
as it is sent; SHA-256 with RSA (PKCS#1 v1.5), in base64. A page inside WeChat that asks the payer's
phone (JSAPI) signs `appid\ntimestamp\nnonce\npackage\n` in the same way.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from billing.payments.wechat.account import Account

SCHEME = "WECHATPAY2-SHA256-RSA2048"


def message(method: str, target: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """Return what is signed: five lines, each ended."""
    return f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def signature(signed: bytes, key: RSAPrivateKey) -> str:
    """Return the signature of `signed` in base64."""
    return base64.b64encode(key.sign(signed, PKCS1v15(), SHA256())).decode("ascii")


def authorization(
    account: Account, *, method: str, target: str, body: bytes, nonce: str, now: datetime
) -> str:
    """Return the header `Authorization` of a request. `nonce` is used once, up to 32 characters."""
    timestamp = str(int(now.timestamp()))
    signed = signature(message(method, target, timestamp, nonce, body), account.private_key)
    return (
        f'{SCHEME} mchid="{account.merchant}",nonce_str="{nonce}",signature="{signed}",'
        f'timestamp="{timestamp}",serial_no="{account.key_serial}"'
    )


def in_app_call(account: Account, *, prepay_id: str, nonce: str, now: datetime) -> dict[str, str]:
    """Return what an order is paid with inside WeChat.

    A mini-program calls `wx.requestPayment` with it, a page `getBrandWCPayRequest` of
    `WeixinJSBridge`. Both take it as it is; `timeStamp` is in seconds, as a text.
    """
    timestamp, package = str(int(now.timestamp())), f"prepay_id={prepay_id}"
    signed = "".join(f"{line}\n" for line in (account.app, timestamp, nonce, package))
    return {
        "appId": account.app,
        "timeStamp": timestamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": signature(signed.encode(), account.private_key),
    }
