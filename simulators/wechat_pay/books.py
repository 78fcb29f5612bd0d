"""Orders, payments and refunds as the platform keeps them. Money is in fen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta, timezone
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from simulators.chance import draw
from simulators.wechat_pay.refusal import (
    RefusalError,
    invalid_request,
    no_such_order,
    no_such_resource,
)
from simulators.wechat_pay.wire import JsapiOrder

if TYPE_CHECKING:
    from datetime import datetime

    from simulators.wechat_pay.wire import NativeOrder, RefundOrder

BEIJING = timezone(timedelta(hours=8))
SHORTEST_ORDER = timedelta(minutes=1)
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class NotPayableError(Exception):
    """A payer cannot pay an order; the message says why."""


class TradeState(StrEnum):
    NOTPAY = "NOTPAY"
    SUCCESS = "SUCCESS"
    REFUND = "REFUND"
    CLOSED = "CLOSED"


TOLD = {
    TradeState.NOTPAY: "订单未支付",
    TradeState.SUCCESS: "支付成功",
    TradeState.REFUND: "订单发生过退款，退款详情请查询退款单",
    TradeState.CLOSED: "订单已关闭",
}


class RefundStatus(StrEnum):
    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    ABNORMAL = "ABNORMAL"
    CLOSED = "CLOSED"


@dataclass
class Order:
    """An order. `token` is what its payer gets: a `code_url` or a `prepay_id`."""

    asked: NativeOrder
    token: str
    expires_at: datetime | None
    state: TradeState = TradeState.NOTPAY
    transaction_id: str | None = None
    paid_at: datetime | None = None
    openid: str | None = None
    coupon_fen: int = 0

    @property
    def number(self) -> str:
        return self.asked.out_trade_no

    @property
    def trade_type(self) -> str:
        return "JSAPI" if isinstance(self.asked, JsapiOrder) else "NATIVE"

    def document(self) -> dict[str, Any]:
        """Return the transaction as answers and notices hold it."""
        amount: dict[str, Any] = {"total": self.asked.amount.total, "currency": "CNY"}
        told: dict[str, Any] = {
            "mchid": self.asked.mchid,
            "appid": self.asked.appid,
            "out_trade_no": self.number,
            "trade_state": self.state.value,
            "trade_state_desc": TOLD[self.state],
            "attach": self.asked.attach or "",
            "amount": amount,
        }
        if self.paid_at is not None:
            amount["payer_total"] = self.asked.amount.total - self.coupon_fen
            amount["payer_currency"] = "CNY"
            told |= {
                "transaction_id": self.transaction_id,
                "trade_type": self.trade_type,
                "bank_type": "OTHERS",
                "success_time": rfc3339(self.paid_at),
                "payer": {"openid": self.openid},
            }
        return told


@dataclass
class Refund:
    """A refund of an order, as it was asked for."""

    asked: RefundOrder
    order: Order
    refund_id: str
    created_at: datetime
    status: RefundStatus = RefundStatus.PROCESSING
    settled_at: datetime | None = None

    @property
    def number(self) -> str:
        return self.asked.out_refund_no

    def document(self) -> dict[str, Any]:
        """Return the refund as answers hold it."""
        told = self._named() | {
            "channel": "ORIGINAL",
            "create_time": rfc3339(self.created_at),
            "status": self.status.value,
            "funds_account": "AVAILABLE",
        }
        told["amount"] |= {"currency": "CNY", "discount_refund": 0, "from": []}
        return told

    def notice(self) -> dict[str, Any]:
        """Return the refund as notices hold it."""
        return self._named() | {
            "mchid": self.order.asked.mchid,
            "refund_status": self.status.value,
        }

    def _named(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "out_trade_no": self.order.number,
            "transaction_id": self.order.transaction_id,
            "out_refund_no": self.number,
            "refund_id": self.refund_id,
            "user_received_account": "支付用户零钱",
            "amount": {
                "total": self.asked.amount.total,
                "refund": self.asked.amount.refund,
                "payer_total": self.asked.amount.total,
                "payer_refund": self.asked.amount.refund,
            },
        }
        if self.status is RefundStatus.SUCCESS and self.settled_at is not None:
            told["success_time"] = rfc3339(self.settled_at)
        return told


@dataclass
class Books:
    """All orders and refunds of the merchant, by the merchant's numbers."""

    seed: int
    orders: dict[str, Order] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)

    def place(self, asked: NativeOrder, now: datetime) -> Order:
        """Return the order that `asked` makes, or has made before."""
        known = self.orders.get(asked.out_trade_no)
        if known is not None:
            if known.asked != asked:
                raise RefusalError(403, "OUT_TRADE_NO_USED", "商户订单号重复")
            if known.state is TradeState.CLOSED:
                raise RefusalError(400, "ORDER_CLOSED", "订单已关闭")
            if known.state is not TradeState.NOTPAY:
                raise RefusalError(400, "ORDERPAID", "该订单已支付")
            return known
        expires_at = asked.time_expire and max(asked.time_expire, now + SHORTEST_ORDER)
        placed = Order(asked, self._token(asked, now), expires_at)
        self.orders[asked.out_trade_no] = placed
        return placed

    def order(self, number: str) -> Order:
        if (order := self.orders.get(number)) is None:
            raise no_such_order()
        return order

    def transaction(self, transaction_id: str) -> Order:
        for order in self.orders.values():
            if order.transaction_id == transaction_id:
                return order
        raise no_such_order()

    def close(self, number: str) -> None:
        """Close an order. One that is unknown or closed is answered as if it were done now."""
        order = self.orders.get(number)
        if order is None:
            return
        if order.paid_at is not None:
            raise RefusalError(400, "ORDERPAID", "该订单已支付")
        order.state = TradeState.CLOSED

    def pay(
        self, number: str, now: datetime, *, openid: str | None = None, coupon_fen: int = 0
    ) -> Order:
        """Pay an order, `coupon_fen` of it by a coupon; raise `NotPayableError`."""
        order = self.orders.get(number)
        if order is None:
            raise NotPayableError(f"there is no order {number}")
        if order.state is not TradeState.NOTPAY:
            raise NotPayableError(f"order {number}: {TOLD[order.state]} ({order.state})")
        if order.expires_at is not None and now >= order.expires_at:
            raise NotPayableError(f"order {number}: 订单已过期 (expired)")
        if not 0 <= coupon_fen < order.asked.amount.total:
            raise NotPayableError(f"a coupon of {coupon_fen} fen is no part of order {number}")
        if isinstance(order.asked, JsapiOrder):
            openid = order.asked.payer.openid
        order.openid = openid or f"o{draw(self.seed, 'openid', number):016x}"
        order.transaction_id = self._id("4200002", "transaction", number, now, 28)
        order.state, order.paid_at, order.coupon_fen = TradeState.SUCCESS, now, coupon_fen
        return order

    def refund(self, asked: RefundOrder, now: datetime) -> Refund:
        """Return the refund that `asked` makes, or has made before."""
        known = self.refunds.get(asked.out_refund_no)
        if known is not None:
            if known.asked.amount != asked.amount or known.order is not self._paid(asked):
                raise invalid_request("订单金额或退款金额与之前请求不一致，请核实后再试")
            return known
        order = self._paid(asked)
        if asked.amount.total != order.asked.amount.total:
            raise invalid_request("订单金额不一致，请核实后再试")
        if asked.amount.refund > asked.amount.total - self._given_back(order):
            raise invalid_request("申请退款金额大于可退金额，请核实后再试")
        refund_id = self._id("5030000", "refund", asked.out_refund_no, now, 29)
        refund = Refund(asked, order, refund_id, now)
        self.refunds[refund.number] = refund
        order.state = TradeState.REFUND
        return refund

    def refund_of(self, number: str) -> Refund:
        if (refund := self.refunds.get(number)) is None:
            raise no_such_resource("退款单不存在")
        return refund

    def settle(self, number: str, status: RefundStatus, now: datetime) -> Refund:
        """Say what became of a refund; one that is settled stays as it is."""
        refund = self.refund_of(number)
        if refund.status is RefundStatus.PROCESSING:
            refund.status, refund.settled_at = status, now
        return refund

    def _paid(self, asked: RefundOrder) -> Order:
        for order in self.orders.values():
            if order.paid_at is not None and (
                order.number == asked.out_trade_no or order.transaction_id == asked.transaction_id
            ):
                return order
        raise no_such_resource("订单不存在")

    def _given_back(self, order: Order) -> int:
        return sum(
            refund.asked.amount.refund
            for refund in self.refunds.values()
            if refund.order is order and refund.status is not RefundStatus.CLOSED
        )

    def _token(self, asked: NativeOrder, now: datetime) -> str:
        drawn = draw(self.seed, "token", asked.out_trade_no)
        if isinstance(asked, JsapiOrder):
            return f"wx{now.astimezone(BEIJING):%d%H%M%S%f}{drawn:016x}0000"
        letters = (_LETTERS[drawn // 62**place % 62] for place in range(9))
        return f"weixin://wxpay/bizpayurl?pr={''.join(letters)}"

    def _id(self, prefix: str, kind: str, number: str, now: datetime, digits: int) -> str:
        begun = f"{prefix}{now.astimezone(BEIJING):%Y%m%d}"
        rest = digits - len(begun)
        return f"{begun}{draw(self.seed, kind, number) % 10**rest:0{rest}d}"


def rfc3339(moment: datetime) -> str:
    """Return `moment` as the API writes it: Beijing time, whole seconds."""
    return moment.astimezone(BEIJING).isoformat(timespec="seconds")
