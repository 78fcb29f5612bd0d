"""The platform's side of the API: a request in, a signed answer out; payers make notices."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from simulators.wechat_pay import notices
from simulators.wechat_pay.books import Books, NotPayableError, RefundStatus, rfc3339
from simulators.wechat_pay.faults import Faults, Trouble
from simulators.wechat_pay.key_mode import KeyMode
from simulators.wechat_pay.refusal import RefusalError, no_such_resource, param_error
from simulators.wechat_pay.sealing import sealed
from simulators.wechat_pay.wire import Closing, JsapiOrder, NativeOrder, RefundOrder, parsed

if TYPE_CHECKING:
    from datetime import datetime

    from simulators.wechat_pay.books import Order, Refund
    from simulators.wechat_pay.keys import PlatformKeys, SigningKey
    from simulators.wechat_pay.merchant import Call, Merchant
    from simulators.wechat_pay.notices import Notice
    from simulators.wechat_pay.wire import InAppCall


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP; none arrives where it is `lost`."""

    status: int
    headers: dict[str, str]
    body: bytes
    lost: bool = False


@dataclass
class Platform:
    """WeChat Pay for one merchant: pure but for keys and nonces, which nobody can foresee."""

    merchant: Merchant
    keys: PlatformKeys
    seed: int
    faults: Faults = field(default_factory=Faults)
    books: Books = field(init=False)
    calls: int = 0
    told: int = 0

    def __post_init__(self) -> None:
        self.books = Books(self.seed)

    def answer(self, call: Call, now: datetime) -> Reply:
        """Return the answer to `call`; errors carry no signature."""
        self.calls += 1
        wanted = call.headers.get("wechatpay-serial")
        try:
            self._require_taken(call, now)
            content = self._done(call, now)
        except RefusalError as refusal:
            body = json.dumps(refusal.document(), ensure_ascii=False).encode()
            return Reply(refusal.status, {"Content-Type": "application/json"}, body)
        body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode()
        key = self.keys.for_answer(wanted)
        headers = key.headers(body, now, probe=self._happens(Trouble.PROBE_ANSWER))
        status = 204 if content is None else 200
        return Reply(status, headers, body, lost=self._happens(Trouble.HANG_UP))

    def pay(
        self, number: str, now: datetime, *, openid: str | None = None, coupon_fen: int = 0
    ) -> Notice:
        """Let somebody pay an order; return what the merchant is told."""
        order = self.books.pay(number, now, openid=openid, coupon_fen=coupon_fen)
        self.told += 1
        return notices.of_payment(self.told, order, self.merchant.api_v3_key, now)

    def called_for(self, call: InAppCall) -> str:
        """Return the number of the order that a payer is asked for inside WeChat.

        Raises `NotPayableError` where the merchant has not signed that, for this app.
        """
        lines = (call.appId, call.timeStamp, call.nonceStr, call.package)
        signed = "".join(f"{line}\n" for line in lines).encode()
        if call.appId != self.merchant.appid or not self.merchant.has_signed(signed, call.paySign):
            raise NotPayableError("支付验证签名失败 (the signature is not the merchant's)")
        prepay_id = call.package.removeprefix("prepay_id=")
        for order in self.books.orders.values():
            if isinstance(order.asked, JsapiOrder) and order.token == prepay_id:
                return order.number
        raise NotPayableError(f"there is no order for {call.package}")

    def settle(self, number: str, status: RefundStatus, now: datetime) -> Notice | None:
        """Say what became of a refund; return what the merchant is told, if they asked for it."""
        refund = self.books.settle(number, status, now)
        if (url := refund.asked.notify_url) is None:
            return None
        self.told += 1
        return notices.of_refund(self.told, refund, url, self.merchant.api_v3_key, now)

    def refunds_under_way(self) -> list[Refund]:
        """Return the refunds that nobody has settled."""
        refunds = self.books.refunds.values()
        return [refund for refund in refunds if refund.status is RefundStatus.PROCESSING]

    def _happens(self, trouble: Trouble) -> bool:
        return self.faults.happens(trouble, self.seed, self.calls)

    def _require_taken(self, call: Call, now: datetime) -> None:
        if self._happens(Trouble.SYSTEM_ERROR):
            raise RefusalError(500, "SYSTEM_ERROR", "系统异常，请稍后重试")
        self.merchant.require_signed(call, now)
        wanted = call.headers.get("wechatpay-serial")
        if wanted is not None and not self.keys.knows(wanted):
            raise param_error("/", "平台证书序列号Wechatpay-Serial错误")

    def _done(self, call: Call, now: datetime) -> dict[str, Any] | None:
        """Do what `call` asks and return its answer, None for one without content."""
        parts = urlsplit(call.target)
        mchid = parse_qs(parts.query).get("mchid", [None])[-1]
        match call.method, *[unquote(part) for part in parts.path.split("/")[1:]]:
            case "POST", "v3", "pay", "transactions", "native":
                return {"code_url": self._placed(parsed(NativeOrder, call.body), now).token}
            case "POST", "v3", "pay", "transactions", "jsapi":
                return {"prepay_id": self._placed(parsed(JsapiOrder, call.body), now).token}
            case "GET", "v3", "pay", "transactions", "out-trade-no", number:
                self._require_merchant(mchid)
                return self.books.order(number).document()
            case "GET", "v3", "pay", "transactions", "id", transaction_id:
                self._require_merchant(mchid)
                return self.books.transaction(transaction_id).document()
            case "POST", "v3", "pay", "transactions", "out-trade-no", number, "close":
                self._require_merchant(parsed(Closing, call.body).mchid)
                self.books.close(number)
                return None
            case "POST", "v3", "refund", "domestic", "refunds":
                return self.books.refund(parsed(RefundOrder, call.body), now).document()
            case "GET", "v3", "refund", "domestic", "refunds", number:
                return self.books.refund_of(number).document()
            case "GET", "v3", "certificates":
                return self._certificates()
        raise no_such_resource("请求的资源不存在，请检查URL和请求方法")

    def _placed(self, asked: NativeOrder, now: datetime) -> Order:
        self._require_merchant(asked.mchid)
        if asked.appid != self.merchant.appid:
            raise RefusalError(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配")
        return self.books.place(asked, now)

    def _require_merchant(self, mchid: str | None) -> None:
        if mchid != self.merchant.mchid:
            raise param_error("/mchid", "请求中的商户号与签名的商户号不一致")

    def _certificates(self) -> dict[str, Any]:
        if self.keys.mode is KeyMode.PUBLIC_KEY:
            raise no_such_resource("无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥")
        return {"data": [self._certificate(each) for each in reversed(self.keys.certificates)]}

    def _certificate(self, key: SigningKey) -> dict[str, Any]:
        return {
            "serial_no": key.serial,
            "effective_time": key.valid_from and rfc3339(key.valid_from),
            "expire_time": key.valid_until and rfc3339(key.valid_until),
            "encrypt_certificate": sealed(key.certificate, self.merchant.api_v3_key, "certificate"),
        }
