"""Orders at a payment provider: as `/v1` has them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.payments import CLAIM_EXAMPLE, CODE_EXAMPLE, Amount, Code, Parts, PartShown
from api.schemas.values import Answer, Money, money
from billing.payments.provider import Scene

if TYPE_CHECKING:
    from api.paying import Paying

SceneName = Literal["native", "jsapi"]
SCENES: dict[SceneName, Scene] = {"native": Scene.CODE, "jsapi": Scene.IN_APP}
OPENID_EXAMPLE = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


class NewOrder(BaseModel):
    """An order over some claims of an account, or `in_advance`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"payment_code": CODE_EXAMPLE, "pays": [{"claim": CLAIM_EXAMPLE}]},
                {"payment_code": CODE_EXAMPLE, "in_advance": "300.00"},
                {
                    "payment_code": CODE_EXAMPLE,
                    "pays": [{"claim": CLAIM_EXAMPLE}],
                    "scene": "jsapi",
                    "payer_openid": OPENID_EXAMPLE,
                },
            ]
        },
    )

    payment_code: Code
    pays: Parts = []
    in_advance: Amount | None = None
    scene: SceneName = Field(
        default="native", description="`native`: scanning a code. `jsapi`: inside WeChat."
    )
    payer_openid: Annotated[str, Field(pattern=r"^[0-9A-Za-z_\-]{1,128}$")] | None = Field(
        default=None,
        description="Who pays, for `jsapi` alone: their openid at the app of the merchant account.",
        examples=[OPENID_EXAMPLE],
    )


class JsapiCall(Answer):
    """What `wx.requestPayment` or `WeixinJSBridge` is called with, as it is; signed by us."""

    appId: str  # noqa: N815  WeChat's name
    timeStamp: str = Field(examples=["1795320000"])  # noqa: N815  WeChat's name
    nonceStr: str  # noqa: N815  WeChat's name
    package: str = Field(examples=["prepay_id=wx201410272009395522657a690"])
    signType: str = Field(examples=["RSA"])  # noqa: N815  WeChat's name
    paySign: str  # noqa: N815  WeChat's name


class OrderShown(Answer):
    """An order at a payment provider, with what it is paid with while it is open."""

    number: str
    state: str = Field(description="`open`, `paid`, `closed` or `expired`.")
    channel: str
    amount: Money
    currency: str
    pays: list[PartShown]
    created_at: datetime
    expires_at: datetime
    scene: SceneName
    code_url: str | None = Field(
        description="The text of a QR code; null for `jsapi`, and once it is over."
    )
    jsapi: JsapiCall | None = Field(description="Null for `native`, and once it is over.")
    overlapping: list[str] = Field(
        default=[], description="Open orders over the same claims; close those that nobody pays."
    )

    @classmethod
    def of(cls, paying: Paying) -> OrderShown:
        order, prepaid = paying.order, paying.prepayment
        call = None if prepaid is None else prepaid.in_app_call
        return cls(
            number=order.number,
            state=order.state.value,
            channel=order.channel,
            amount=money(order.amount),
            currency=order.currency,
            pays=[
                PartShown(claim=claim, amount=money(part)) for claim, part in order.claims.items()
            ],
            created_at=order.created_at,
            expires_at=order.expires_at,
            scene=next(name for name, scene in SCENES.items() if scene is order.scene),
            code_url=None if prepaid is None else prepaid.code_url,
            jsapi=None if call is None else JsapiCall.model_validate(call),
            overlapping=[each.number for each in paying.overlapping],
        )
