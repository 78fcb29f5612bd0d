"""From an order to its payment and back, against a platform that shares no code with us."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from wechat_merchant import WATER

from billing.payments.provider import (
    MalformedNoticeError,
    Notice,
    NoticeState,
    Prepayment,
    RefundAsked,
    RefundNotice,
    RefundState,
    RefusedError,
    Scene,
    Unpaid,
)
from simulators.wechat_pay.books import RefundStatus

if TYPE_CHECKING:
    from wechat_merchant import Callbacks, Clock

    from billing.payments.provider import Provider
    from billing.payments.wechat.client import WechatPay
    from simulators.wechat_pay.server import WechatPayServer

HALF_AN_HOUR = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)


def paid(wechat: WechatPay, server: WechatPayServer, number: str, now: datetime) -> Notice:
    """Return what is told of an order of 12.34 that is made and paid."""
    wechat.create(replace(WATER, number=number), now=now)
    server.pay(number)
    told = wechat.query(number, now=now)
    assert isinstance(told, Notice)
    return told


def back(notice: Notice, number: str, amount_fen: int) -> RefundAsked:
    return RefundAsked(
        number=number,
        order_number=notice.order_number,
        transaction_id=notice.transaction_id,
        amount_fen=amount_fen,
        paid_fen=1234,
        currency="CNY",
        reason="多付的水费",
    )


def test_it_is_a_provider(wechat: WechatPay, server: WechatPayServer) -> None:
    provider: Provider = wechat
    assert (provider.name, provider.merchant) == ("wechat", server.merchant.mchid)


def test_an_order_is_paid_by_its_code_and_told_by_a_notice(
    wechat: WechatPay, server: WechatPayServer, callbacks: Callbacks, clock: Clock
) -> None:
    prepayment = wechat.create(WATER, now=clock.now)
    assert prepayment.expires_at == HALF_AN_HOUR
    assert prepayment.code_url is not None
    assert prepayment.code_url.startswith("weixin://wxpay/bizpayurl?pr=")
    assert wechat.query(WATER.number, now=clock.now) is Unpaid.WAITING

    server.pay(WATER.number)
    told = callbacks.next()
    assert isinstance(told, Notice)
    assert told == Notice(
        provider="wechat",
        merchant=server.merchant.mchid,
        order_number="TG20261122-000001",
        transaction_id=told.transaction_id,
        amount_fen=1234,
        currency="CNY",
        paid_at=datetime(2026, 11, 22, 4, 0, tzinfo=UTC),
        state=NoticeState.PAID,
    )
    assert len(told.transaction_id) == 28
    assert wechat.query(WATER.number, now=clock.now) == told


def test_the_same_order_again_gives_the_same_code(wechat: WechatPay, clock: Clock) -> None:
    order = replace(WATER, number="TG-again")
    first = wechat.create(order, now=clock.now)
    assert wechat.create(order, now=clock.now) == first


def test_a_number_stands_for_one_order(wechat: WechatPay, clock: Clock) -> None:
    order = replace(WATER, number="TG-number")
    wechat.create(order, now=clock.now)
    with pytest.raises(RefusedError, match="商户订单号重复") as refused:
        wechat.create(replace(order, amount_fen=1235), now=clock.now)
    assert refused.value.code == "OUT_TRADE_NO_USED"


def test_a_code_is_good_for_two_hours_even_where_the_order_is_for_longer(
    wechat: WechatPay, clock: Clock
) -> None:
    order = replace(WATER, number="TG-day", expires_at=clock.now + timedelta(days=1))
    assert wechat.create(order, now=clock.now).expires_at == clock.now + timedelta(hours=2)


def test_numbers_may_hold_every_sign_that_is_allowed(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    assert paid(wechat, server, "A-z_0|9*", clock.now).order_number == "A-z_0|9*"


def test_inside_wechat_an_order_has_its_payer_and_a_prepay_id(
    wechat: WechatPay, server: WechatPayServer, callbacks: Callbacks, clock: Clock
) -> None:
    order = replace(WATER, number="TG-jsapi", scene=Scene.IN_APP, payer="oUpF8uMuAJO_M2pxb1Q9")
    prepayment = wechat.create(order, now=clock.now)
    call = prepayment.in_app_call
    assert call is not None
    assert prepayment == Prepayment(expires_at=HALF_AN_HOUR, in_app_call=call)
    ordered = server.platform.books.orders["TG-jsapi"]
    assert call["package"] == f"prepay_id={ordered.token}"
    for change, why in (
        ({"nonceStr": "another"}, "支付验证签名失败"),
        ({"paySign": "x"}, "支付验证签名失败"),
        ({"signType": "MD5"}, "RSA"),
    ):
        refused = httpx.post(
            f"{server.base_url}/simulator/request-payment", json={**call, **change}
        )
        assert refused.status_code in {400, 409}
        assert why in refused.text
    paid = httpx.post(f"{server.base_url}/simulator/request-payment", json=dict(call))
    assert paid.json()["trade_state"] == "SUCCESS"
    assert server.platform.books.orders["TG-jsapi"].openid == "oUpF8uMuAJO_M2pxb1Q9"
    told = callbacks.next()
    assert isinstance(told, Notice)
    assert told.amount_fen == 1234


@pytest.mark.parametrize(
    ("scene", "code"), [(Scene.IN_APP, "PAYER_MISSING"), (Scene.BROWSER, "SCENE_NOT_OFFERED")]
)
def test_what_an_order_lacks_is_told_before_anybody_is_asked(
    wechat: WechatPay, server: WechatPayServer, clock: Clock, scene: Scene, code: str
) -> None:
    calls = server.platform.calls
    with pytest.raises(RefusedError) as refused:
        wechat.create(replace(WATER, number="TG-scene", scene=scene), now=clock.now)
    assert refused.value.code == code
    assert server.platform.calls == calls


def test_a_coupon_pays_a_part_and_the_order_is_paid_in_full(
    wechat: WechatPay, server: WechatPayServer, callbacks: Callbacks, clock: Clock
) -> None:
    wechat.create(replace(WATER, number="TG-coupon"), now=clock.now)
    server.pay("TG-coupon", coupon_fen=234)
    told = callbacks.next()
    assert isinstance(told, Notice)
    assert told.amount_fen == 1234
    assert wechat.query("TG-coupon", now=clock.now) == told


def test_an_order_that_nobody_made_is_unknown(wechat: WechatPay, clock: Clock) -> None:
    assert wechat.query("TG-nobody", now=clock.now) is Unpaid.UNKNOWN


def test_a_closed_order_is_never_paid(wechat: WechatPay, clock: Clock) -> None:
    order = replace(WATER, number="TG-close")
    wechat.create(order, now=clock.now)
    wechat.close("TG-close", now=clock.now)
    wechat.close("TG-close", now=clock.now)
    assert wechat.query("TG-close", now=clock.now) is Unpaid.CLOSED
    with pytest.raises(RefusedError, match="ORDER_CLOSED"):
        wechat.create(order, now=clock.now)


def test_an_order_that_nobody_made_is_as_good_as_closed(wechat: WechatPay, clock: Clock) -> None:
    wechat.close("TG-nobody", now=clock.now)


def test_a_paid_order_is_not_closed(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    paid(wechat, server, "TG-late", clock.now)
    with pytest.raises(RefusedError, match="该订单已支付"):
        wechat.close("TG-late", now=clock.now)


def test_a_refund_is_asked_for_settled_and_told(
    wechat: WechatPay, server: WechatPayServer, callbacks: Callbacks, clock: Clock
) -> None:
    notice = paid(wechat, server, "TG-refund", clock.now)
    callbacks.next()
    asked = back(notice, "TG-refund-1", 234)
    pending = wechat.refund(asked, now=clock.now)
    assert pending == RefundNotice(
        provider="wechat",
        merchant=server.merchant.mchid,
        number="TG-refund-1",
        refund_id=pending.refund_id,
        amount_fen=234,
        currency="CNY",
        at=clock.now,
        state=RefundState.PENDING,
    )
    assert wechat.refund(asked, now=clock.now) == pending
    assert wechat.query_refund("TG-refund-1", now=clock.now) == pending

    server.settle("TG-refund-1", RefundStatus.SUCCESS)
    executed = replace(pending, state=RefundState.EXECUTED)
    assert callbacks.next() == executed
    assert wechat.query_refund("TG-refund-1", now=clock.now) == executed
    told = wechat.query("TG-refund", now=clock.now)
    assert told == replace(notice, state=NoticeState.REFUNDED)


@pytest.mark.parametrize("status", [RefundStatus.ABNORMAL, RefundStatus.CLOSED])
def test_a_refund_that_fails_is_told_as_such(
    wechat: WechatPay,
    server: WechatPayServer,
    callbacks: Callbacks,
    clock: Clock,
    status: RefundStatus,
) -> None:
    notice = paid(wechat, server, f"TG-{status}", clock.now)
    callbacks.next()
    wechat.refund(back(notice, f"R-{status}", 1234), now=clock.now)
    server.settle(f"R-{status}", status)
    told = callbacks.next()
    assert isinstance(told, RefundNotice)
    assert (told.state, told.amount_fen, told.at) == (RefundState.FAILED, 1234, clock.now)
    assert wechat.query_refund(f"R-{status}", now=clock.now) == told


def test_a_refund_that_nobody_asked_for_is_none(wechat: WechatPay, clock: Clock) -> None:
    assert wechat.query_refund("R-nobody", now=clock.now) is None


def test_what_cannot_go_back_is_refused(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    notice = paid(wechat, server, "TG-much", clock.now)
    wechat.refund(back(notice, "R-much-1", 1), now=clock.now)
    with pytest.raises(RefusedError, match="申请退款金额大于可退金额"):
        wechat.refund(back(notice, "R-much-2", 1234), now=clock.now)
    with pytest.raises(RefusedError, match="与之前请求不一致"):
        wechat.refund(back(notice, "R-much-1", 2), now=clock.now)


def test_an_answer_about_another_transaction_is_not_taken(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    notice = paid(wechat, server, "TG-mixed", clock.now)
    asked = back(replace(notice, order_number="TG-other"), "R-mixed", 1)
    with pytest.raises(MalformedNoticeError, match="out_trade_no is 'TG-mixed'"):
        wechat.refund(asked, now=clock.now)


def test_long_texts_are_cut_for_the_payer(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    wechat.create(replace(WATER, number="TG-long", description="水" * 200), now=clock.now)
    shown = server.platform.books.orders["TG-long"].asked.description
    assert shown == "水" * 126 + "…"
