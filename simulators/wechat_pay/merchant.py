"""The merchant whom the platform knows, and whether a request is theirs."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from simulators.chance import draw
from simulators.wechat_pay.keys import new_key
from simulators.wechat_pay.refusal import invalid_request, sign_error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SCHEME = "WECHATPAY2-SHA256-RSA2048"
SKEW_S = 300
_FIELD = re.compile(r'\s*([a-z_]+)="([^"]*)"\s*')
_FIELDS = {"mchid", "nonce_str", "signature", "timestamp", "serial_no"}


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came. `target` is path and query, `headers` by lower-case name."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """An account. The platform knows its public key; the private one is handed to its program."""

    mchid: str
    appid: str
    serial: str
    key: RSAPrivateKey = field(repr=False)
    api_v3_key: str = field(repr=False)

    @classmethod
    def made_up(cls, seed: int) -> Merchant:
        """Return a merchant whose names follow from `seed`, with a new key."""
        return cls(
            mchid=f"16{draw(seed, 'mchid') % 10**8:08d}",
            appid=f"wx{draw(seed, 'appid'):016x}",
            serial=f"{draw(seed, 'serial 1'):016X}{draw(seed, 'serial 2'):016X}5A1E0001",
            key=new_key(),
            api_v3_key=f"{draw(seed, 'v3 key 1'):016x}{draw(seed, 'v3 key 2'):016x}",
        )

    def require_signed(self, call: Call, now: datetime) -> None:
        """Return if `call` is signed by this merchant at `now`; raise `RefusalError`."""
        if "json" not in call.headers.get("accept", "") and call.headers.get("accept") != "*/*":
            raise invalid_request("Http头Accept缺少或有误，请设置为application/json")
        if not call.headers.get("user-agent"):
            raise invalid_request("Http头缺少Accept或User-Agent")
        if call.body and "application/json" not in call.headers.get("content-type", ""):
            raise invalid_request("Http头Content-Type有误，请设置为application/json")
        fields = _authorization(call.headers.get("authorization", ""))
        if fields["mchid"] != self.mchid:
            raise sign_error("商户号不存在，或与商户证书序列号不匹配")
        if fields["serial_no"] != self.serial:
            raise sign_error("商户证书序列号有误，请使用签名私钥匹配的证书序列号")
        if not fields["timestamp"].isdecimal():
            raise sign_error("Http头Authorization中的timestamp有误")
        if abs(int(now.timestamp()) - int(fields["timestamp"])) > SKEW_S:
            raise sign_error("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
        self._require_signature(call, fields)

    def has_signed(self, message: bytes, signature: str) -> bool:
        """Return whether `signature`, in base64, is this merchant's of `message`."""
        try:
            proof = base64.b64decode(signature, validate=True)
            self.key.public_key().verify(proof, message, padding.PKCS1v15(), hashes.SHA256())
        except (binascii.Error, InvalidSignature, ValueError):
            return False
        return True

    def _require_signature(self, call: Call, fields: Mapping[str, str]) -> None:
        lines = (call.method, call.target, fields["timestamp"], fields["nonce_str"])
        message = "".join(f"{line}\n" for line in lines).encode() + call.body + b"\n"
        if not self.has_signed(message, fields["signature"]):
            raise sign_error("签名错误，请检查后再试")


def _authorization(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    parts = [_FIELD.fullmatch(part) for part in rest.split(",")]
    fields = {part[1]: part[2] for part in parts if part is not None}
    if scheme != SCHEME or not all(parts) or set(fields) != _FIELDS or not all(fields.values()):
        raise sign_error("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
    return fields
