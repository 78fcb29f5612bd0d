"""Bodies of requests, strictly as documented."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulators.wechat_pay.refusal import invalid_request, param_error

Number = Annotated[str, Field(pattern=r"^[0-9A-Za-z_\-|*]{6,32}$")]
"""商户订单号, out_trade_no."""
RefundNumber = Annotated[str, Field(pattern=r"^[0-9A-Za-z_\-|*@]{1,64}$")]
"""商户退款单号, out_refund_no."""
Fen = Annotated[int, Field(gt=0, le=10**10)]
NotifyUrl = Annotated[str, Field(pattern=r"^https?://[^?#]+$", max_length=255)]


class Body(BaseModel):
    """Strict: a number in quotes or a fraction is no amount. Members that we do not know pass."""

    model_config = ConfigDict(strict=True, frozen=True)


class Amount(Body):
    total: Fen
    currency: Literal["CNY"] = "CNY"


class Payer(Body):
    openid: str = Field(min_length=1, max_length=128)


class NativeOrder(Body):
    """POST /v3/pay/transactions/native."""

    appid: str = Field(min_length=1, max_length=32)
    mchid: str = Field(min_length=1, max_length=32)
    description: str = Field(min_length=1, max_length=127)
    out_trade_no: Number
    time_expire: AwareDatetime | None = None
    attach: str | None = Field(default=None, max_length=128)
    notify_url: NotifyUrl
    amount: Amount


class JsapiOrder(NativeOrder):
    """POST /v3/pay/transactions/jsapi."""

    payer: Payer


class InAppCall(Body):
    """What a mini-program hands to `wx.requestPayment`, or a page to `getBrandWCPayRequest`."""

    appId: str = Field(min_length=1, max_length=32)  # noqa: N815  WeChat's name
    timeStamp: str = Field(pattern=r"^[0-9]{10}$")  # noqa: N815  WeChat's name
    nonceStr: str = Field(min_length=1, max_length=32)  # noqa: N815  WeChat's name
    package: str = Field(pattern=r"^prepay_id=.+$", max_length=128)
    signType: Literal["RSA"]  # noqa: N815  WeChat's name
    paySign: str = Field(min_length=1, max_length=512)  # noqa: N815  WeChat's name


class Closing(Body):
    """POST /v3/pay/transactions/out-trade-no/{out_trade_no}/close."""

    mchid: str = Field(min_length=1, max_length=32)


class RefundAmount(Body):
    refund: Fen
    total: Fen
    currency: Literal["CNY"]


class RefundOrder(Body):
    """POST /v3/refund/domestic/refunds."""

    transaction_id: str | None = Field(default=None, min_length=1, max_length=32)
    out_trade_no: Number | None = None
    out_refund_no: RefundNumber
    reason: str | None = Field(default=None, max_length=80)
    notify_url: NotifyUrl | None = None
    amount: RefundAmount

    @model_validator(mode="after")
    def _one_order(self) -> RefundOrder:
        if (self.transaction_id is None) == (self.out_trade_no is None):
            raise ValueError("transaction_id和out_trade_no二选一填写")
        return self


Model = TypeVar("Model", bound=Body)


def parsed(model: type[Model], body: bytes) -> Model:
    """Return `body` as `model`; raise `RefusalError` that points at what is wrong first."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise invalid_request("请求报文不是有效的JSON") from None
        pointer = "".join(f"/{part}" for part in first["loc"])
        raise param_error(pointer or "/", f"参数错误：{first['msg']}") from None
