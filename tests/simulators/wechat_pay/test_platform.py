"""The API as documented: who is let in, what is refused and how, and how answers are signed."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from wechat_shop import NOON, Shop, told

from simulators.wechat_pay.books import NotPayableError, RefundStatus
from simulators.wechat_pay.faults import Faults, Trouble
from simulators.wechat_pay.key_mode import KeyMode
from simulators.wechat_pay.keys import PlatformKeys
from simulators.wechat_pay.merchant import Call, Merchant
from simulators.wechat_pay.platform import Platform

if TYPE_CHECKING:
    from simulators.wechat_pay.keys import SigningKey
    from simulators.wechat_pay.platform import Reply

SCHEME = "WECHATPAY2-SHA256-RSA2048"


def code(reply: Reply, status: int) -> str:
    found: str = told(reply, status)["code"]
    return found


def proves(key: SigningKey, reply: Reply) -> bool:
    """Return whether `key` signed `reply` as documented."""
    headers = reply.headers
    lines = f"{headers['Wechatpay-Timestamp']}\n{headers['Wechatpay-Nonce']}\n".encode()
    try:
        key.key.public_key().verify(
            base64.b64decode(headers["Wechatpay-Signature"]),
            lines + reply.body + b"\n",
            padding.PKCS1v15(),
            SHA256(),
        )
    except InvalidSignature:
        return False
    return headers["Wechatpay-Serial"] == key.serial


def test_an_order_is_answered_with_a_code_and_a_signature(shop: Shop, platform: Platform) -> None:
    reply = shop.order()
    assert told(reply, 200) == {"code_url": platform.books.orders["ORDER-1"].token}
    assert proves(platform.keys.certificates[-1], reply)
    assert reply.headers["Wechatpay-Timestamp"] == "1795320000"


@pytest.mark.parametrize(
    "change",
    [
        {"accept": ""},
        {"user_agent": ""},
        {"content_type": "text/plain"},
    ],
)
def test_a_request_lacks_no_header(shop: Shop, change: dict[str, str]) -> None:
    body = {"mchid": shop.platform.merchant.mchid}
    reply = shop.ask("POST", "/v3/pay/transactions/out-trade-no/ORDER-1/close", body, **change)
    assert code(reply, 400) == "INVALID_REQUEST"
    assert "Wechatpay-Signature" not in reply.headers


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer abc",
        f'{SCHEME} mchid="1"',
        f'{SCHEME} mchid="1",nonce_str="",signature="x",timestamp="1",serial_no="1"',
        f'{SCHEME} mchid="1",nonce_str="1",signature="x",timestamp="1",serial_no="1"',
        f'{SCHEME} garbage,"',
    ],
)
def test_a_request_that_is_not_the_merchant_s_is_a_sign_error(
    shop: Shop, authorization: str
) -> None:
    reply = shop.ask("GET", "/v3/certificates", authorization=authorization)
    assert code(reply, 401) == "SIGN_ERROR"


@pytest.mark.parametrize("skew_s", [-301, 301])
def test_a_clock_more_than_five_minutes_off_is_a_sign_error(shop: Shop, skew_s: int) -> None:
    reply = shop.ask("GET", "/v3/certificates", now=NOON + timedelta(seconds=skew_s))
    assert code(reply, 401) == "SIGN_ERROR"
    assert shop.ask("GET", "/v3/certificates", now=NOON + timedelta(seconds=300)).status == 200


@pytest.mark.parametrize("line", range(5))
def test_every_line_is_signed(shop: Shop, line: int) -> None:
    lines = ["GET", "/v3/certificates", "1795320000", "nonce", ""]
    assert shop.ask("GET", "/v3/certificates", signed=tuple(lines)).status == 200
    lines[line] += "x"
    assert code(shop.ask("GET", "/v3/certificates", signed=tuple(lines)), 401) == "SIGN_ERROR"


def test_a_key_that_nobody_has_cannot_be_asked_for(shop: Shop) -> None:
    reply = shop.ask("GET", "/v3/certificates", wechatpay_serial="PUB_KEY_ID_1")
    assert code(reply, 400) == "PARAM_ERROR"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"out_trade_no": "short"}, "/out_trade_no"),
        ({"out_trade_no": "x" * 33}, "/out_trade_no"),
        ({"out_trade_no": "ORDER 1"}, "/out_trade_no"),
        ({"amount": {"total": 12.5}}, "/amount/total"),
        ({"amount": {"total": "1234"}}, "/amount/total"),
        ({"amount": {"total": 0}}, "/amount/total"),
        ({"amount": {"total": 1, "currency": "USD"}}, "/amount/currency"),
        ({"description": ""}, "/description"),
        ({"description": "水" * 128}, "/description"),
        ({"notify_url": "http://127.0.0.1/?a=1"}, "/notify_url"),
        ({"time_expire": "2026-11-22T12:00:00"}, "/time_expire"),
        ({"payer": {}}, "/payer/openid"),
        ({"mchid": "1"}, "/mchid"),
    ],
)
def test_a_parameter_that_is_wrong_is_pointed_at(
    shop: Shop, change: dict[str, Any], field: str
) -> None:
    content = told(shop.order(**change), 400)
    assert (content["code"], content["detail"]["field"]) == ("PARAM_ERROR", field)


def test_another_app_s_order_is_refused(shop: Shop) -> None:
    assert code(shop.order(appid="wx0"), 400) == "APPID_MCHID_NOT_MATCH"


def test_what_is_no_json_is_refused(shop: Shop) -> None:
    signed = ("POST", "/v3/pay/transactions/native", "1795320000", "nonce", '"{"')
    reply = shop.ask("POST", "/v3/pay/transactions/native", "{", signed=signed)
    assert reply.status == 400


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v3/pay/transactions/native"),
        ("POST", "/v3/certificates"),
        ("GET", "/v3/"),
        ("GET", "/v3/pay/transactions/out-trade-no/a/b/c"),
    ],
)
def test_what_is_not_there_is_told(shop: Shop, method: str, target: str) -> None:
    assert code(shop.ask(method, target), 404) == "RESOURCE_NOT_EXISTS"


def test_the_same_order_gives_the_same_code_and_another_one_is_refused(shop: Shop) -> None:
    assert shop.order().body == shop.order().body
    assert code(shop.order(description="电费"), 403) == "OUT_TRADE_NO_USED"
    assert shop.order("ORDER-2").body != shop.order().body


def test_an_order_before_and_after_its_payment(shop: Shop, platform: Platform) -> None:
    shop.order()
    before = shop.order_told()
    assert (before["trade_state"], before["trade_state_desc"]) == ("NOTPAY", "订单未支付")
    assert "transaction_id" not in before
    platform.pay("ORDER-1", NOON, coupon_fen=34)
    after = shop.order_told()
    assert after["trade_state"] == "SUCCESS"
    assert after["success_time"] == "2026-11-22T12:00:00+08:00"
    assert after["amount"] == {
        "total": 1234,
        "payer_total": 1200,
        "currency": "CNY",
        "payer_currency": "CNY",
    }
    assert after["trade_type"] == "NATIVE"
    transaction = after["transaction_id"]
    mchid = platform.merchant.mchid
    assert shop.ask("GET", f"/v3/pay/transactions/id/{transaction}?mchid={mchid}").status == 200
    assert code(shop.order(), 400) == "ORDERPAID"


def test_an_order_that_nobody_made_is_not_there(shop: Shop, platform: Platform) -> None:
    mchid = platform.merchant.mchid
    for target in ("out-trade-no/ORDER-9", "id/4200000000"):
        reply = shop.ask("GET", f"/v3/pay/transactions/{target}?mchid={mchid}")
        assert code(reply, 404) == "ORDER_NOT_EXIST"
    assert code(shop.ask("GET", "/v3/pay/transactions/out-trade-no/ORDER-9"), 400) == "PARAM_ERROR"


def closed(shop: Shop, number: str) -> Reply:
    body = {"mchid": shop.platform.merchant.mchid}
    return shop.ask("POST", f"/v3/pay/transactions/out-trade-no/{number}/close", body)


def test_a_closed_order_is_paid_by_nobody(shop: Shop, platform: Platform) -> None:
    shop.order()
    reply = closed(shop, "ORDER-1")
    assert (reply.status, reply.body) == (204, b"")
    assert proves(platform.keys.certificates[-1], reply)
    assert shop.order_told()["trade_state"] == "CLOSED"
    assert code(shop.order(), 400) == "ORDER_CLOSED"
    with pytest.raises(NotPayableError, match="订单已关闭"):
        platform.pay("ORDER-1", NOON)
    assert closed(shop, "ORDER-1").status == 204
    assert closed(shop, "ORDER-9").status == 204  # as merchants report: it asks for the form only


def test_a_paid_order_is_not_closed(shop: Shop, platform: Platform) -> None:
    shop.order()
    platform.pay("ORDER-1", NOON)
    assert code(closed(shop, "ORDER-1"), 400) == "ORDERPAID"
    with pytest.raises(NotPayableError, match="支付成功"):
        platform.pay("ORDER-1", NOON)


def test_an_order_can_be_paid_until_it_expires_and_for_a_minute_at_least(
    shop: Shop, platform: Platform
) -> None:
    for number in ("ORDER-1", "ORDER-2"):
        shop.order(number, time_expire="2026-11-22T11:00:00+08:00")
    platform.pay("ORDER-1", NOON + timedelta(seconds=59))
    with pytest.raises(NotPayableError, match="expired"):
        platform.pay("ORDER-2", NOON + timedelta(seconds=60))
    assert shop.order_told("ORDER-2")["trade_state"] == "NOTPAY"


@pytest.mark.parametrize("coupon_fen", [-1, 1234])
def test_a_coupon_pays_a_part(shop: Shop, platform: Platform, coupon_fen: int) -> None:
    shop.order()
    with pytest.raises(NotPayableError, match="no part"):
        platform.pay("ORDER-1", NOON, coupon_fen=coupon_fen)


def test_inside_wechat_the_payer_is_the_one_of_the_order(shop: Shop, platform: Platform) -> None:
    content = told(shop.order(payer={"openid": "oPayer"}), 200)
    assert content["prepay_id"].startswith("wx22120000")
    platform.pay("ORDER-1", NOON, openid="oSomebodyElse")
    paid = shop.order_told()
    assert (paid["trade_type"], paid["payer"]) == ("JSAPI", {"openid": "oPayer"})


def test_a_notice_is_sealed_for_the_merchant(shop: Shop, platform: Platform) -> None:
    shop.order()
    notice = platform.pay("ORDER-1", NOON)
    body = json.loads(notice.body)
    assert (notice.event, notice.about) == ("TRANSACTION.SUCCESS", "ORDER-1")
    assert body["event_type"] == "TRANSACTION.SUCCESS"
    assert body["create_time"] == "2026-11-22T12:00:00+08:00"
    resource = body["resource"]
    assert len(resource["nonce"]) == 12
    assert resource["original_type"] == resource["associated_data"] == "transaction"
    content = AESGCM(platform.merchant.api_v3_key.encode()).decrypt(
        resource["nonce"].encode(), base64.b64decode(resource["ciphertext"]), b"transaction"
    )
    assert json.loads(content) == shop.order_told()


def test_a_refund_goes_from_processing_to_an_end(shop: Shop, platform: Platform) -> None:
    shop.order()
    assert code(shop.refund(), 404) == "RESOURCE_NOT_EXISTS"  # not paid
    platform.pay("ORDER-1", NOON)
    asked = told(shop.refund(notify_url="http://127.0.0.1:9/n"), 200)
    assert (asked["status"], asked["amount"]["refund"]) == ("PROCESSING", 100)
    assert "success_time" not in asked
    assert shop.refund(notify_url="http://127.0.0.1:9/n").status == 200
    assert [refund.number for refund in platform.refunds_under_way()] == ["REFUND-1"]
    notice = platform.settle("REFUND-1", RefundStatus.SUCCESS, NOON)
    assert notice is not None
    assert notice.event == "REFUND.SUCCESS"
    settled = told(shop.ask("GET", "/v3/refund/domestic/refunds/REFUND-1"), 200)
    assert (settled["status"], settled["success_time"]) == ("SUCCESS", "2026-11-22T12:00:00+08:00")
    assert shop.order_told()["trade_state"] == "REFUND"
    platform.settle("REFUND-1", RefundStatus.CLOSED, NOON)
    again = told(shop.ask("GET", "/v3/refund/domestic/refunds/REFUND-1"), 200)
    assert again["status"] == "SUCCESS"


def test_a_refund_without_an_address_is_told_to_nobody(shop: Shop, platform: Platform) -> None:
    shop.order()
    platform.pay("ORDER-1", NOON)
    shop.refund()
    assert platform.settle("REFUND-1", RefundStatus.SUCCESS, NOON) is None


def test_more_than_was_paid_does_not_go_back(shop: Shop, platform: Platform) -> None:
    shop.order()
    platform.pay("ORDER-1", NOON)
    amount = {"refund": 1200, "total": 1234, "currency": "CNY"}
    assert shop.refund("REFUND-1", amount=amount).status == 200
    assert code(shop.refund("REFUND-2"), 400) == "INVALID_REQUEST"
    assert code(shop.refund("REFUND-1"), 400) == "INVALID_REQUEST"  # the number, another amount
    assert code(shop.refund("REFUND-3", amount=amount | {"total": 1235}), 400) == "INVALID_REQUEST"
    platform.settle("REFUND-1", RefundStatus.CLOSED, NOON)
    assert shop.refund("REFUND-2").status == 200


def test_a_refund_names_one_order(shop: Shop) -> None:
    assert code(shop.refund(out_trade_no=None), 400) == "PARAM_ERROR"
    assert code(shop.refund(transaction_id="42"), 400) == "PARAM_ERROR"


def test_certificates_are_sealed_and_hold_the_key_that_signs(
    shop: Shop, platform: Platform
) -> None:
    (only,) = told(shop.ask("GET", "/v3/certificates"), 200)["data"]
    sealed = only["encrypt_certificate"]
    pem = AESGCM(platform.merchant.api_v3_key.encode()).decrypt(
        sealed["nonce"].encode(), base64.b64decode(sealed["ciphertext"]), b"certificate"
    )
    certificate = x509.load_pem_x509_certificate(pem)
    assert f"{certificate.serial_number:040X}" == only["serial_no"]
    assert only["effective_time"] == "2026-11-22T12:00:00+08:00"
    key = platform.keys.certificates[-1].key
    assert certificate.public_key() == key.public_key()


@pytest.mark.parametrize(
    ("mode", "named", "signs"),
    [
        (KeyMode.CERTIFICATE, "public", "certificate"),
        (KeyMode.MIXED, "none", "certificate"),
        (KeyMode.MIXED, "public", "public"),
        (KeyMode.PUBLIC_KEY, "none", "public"),
    ],
)
def test_the_key_of_an_answer_follows_mode_and_request(
    merchant: Merchant, mode: KeyMode, named: str, signs: str
) -> None:
    keys = PlatformKeys(now=NOON, mode=mode, seed=1)
    shop = Shop(Platform(merchant, keys, 1))
    headers = {"wechatpay_serial": keys.public.serial} if named == "public" else {}
    mchid = merchant.mchid
    shop.order()
    target = f"/v3/pay/transactions/out-trade-no/ORDER-1?mchid={mchid}"
    reply = shop.ask("GET", target, **headers)
    assert proves(keys.public if signs == "public" else keys.certificates[-1], reply)


def test_after_a_change_both_certificates_are_handed_out_and_the_new_one_signs(
    merchant: Merchant,
) -> None:
    keys = PlatformKeys(now=NOON, mode=KeyMode.CERTIFICATE, seed=1)
    shop = Shop(Platform(merchant, keys, 1))
    serial = keys.change_certificate(NOON)
    reply = shop.ask("GET", "/v3/certificates")
    serials = [each["serial_no"] for each in told(reply, 200)["data"]]
    assert serials == [serial, keys.certificates[0].serial]
    assert proves(keys.certificates[1], reply)


def test_an_account_by_public_key_has_no_certificates(merchant: Merchant) -> None:
    keys = PlatformKeys(now=NOON, mode=KeyMode.PUBLIC_KEY, seed=1)
    reply = Shop(Platform(merchant, keys, 1)).ask("GET", "/v3/certificates")
    assert code(reply, 404) == "RESOURCE_NOT_EXISTS"


def test_faults_of_answers_happen_when_they_are_switched_on(shop: Shop, platform: Platform) -> None:
    platform.faults = Faults(system_error=100)
    assert code(shop.order(), 500) == "SYSTEM_ERROR"
    assert not platform.books.orders
    platform.faults = Faults(probe_answer=100, hang_up=100)
    reply = shop.order()
    assert reply.lost
    assert reply.headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
    assert not proves(platform.keys.certificates[-1], reply)
    platform.faults = Faults()
    assert proves(platform.keys.certificates[-1], shop.order())


def test_the_same_seed_gives_the_same_merchant_orders_and_faults(
    keys: PlatformKeys, merchant: Merchant
) -> None:
    def seen(seed: int) -> list[Any]:
        platform = Platform(merchant, keys, seed)
        Shop(platform).order()
        platform.pay("ORDER-1", NOON)
        order = platform.books.orders["ORDER-1"]
        happens = [Faults(lose=50).happens(Trouble.LOSE, seed, number, 0) for number in range(64)]
        return [order.token, order.transaction_id, order.openid, happens]

    assert seen(1) == seen(1)
    assert seen(1) != seen(2)
    assert Merchant.made_up(7).mchid == merchant.mchid


def test_half_of_the_chances_is_about_half() -> None:
    happens = [Faults(lose=50).happens(Trouble.LOSE, 1, number, 0) for number in range(1000)]
    assert 450 < sum(happens) < 550


TARGETS = st.sampled_from(
    ["native", "jsapi", "out-trade-no/ORDER-1", "out-trade-no/ORDER-1/close", "id/42", "x"]
).map("/v3/pay/transactions/".__add__) | st.text().map("/v3/".__add__)
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=9),
    lambda inner: st.dictionaries(
        st.sampled_from(["mchid", "amount", "total", "out_trade_no", "payer"]), inner
    ),
    max_leaves=5,
)


@given(method=st.sampled_from(["GET", "POST", "PUT"]), target=TARGETS, body=JSON)
def test_every_signed_request_is_answered(
    merchant: Merchant, keys: PlatformKeys, method: str, target: str, body: Any
) -> None:
    reply = Shop(Platform(merchant, keys, 7)).ask(method, target, body)
    assert reply.status in (200, 204, 400, 401, 403, 404)


@given(headers=st.dictionaries(st.sampled_from(["authorization", "accept"]), st.text()))
def test_every_request_is_answered(
    merchant: Merchant, keys: PlatformKeys, headers: dict[str, str]
) -> None:
    sent = {"accept": "application/json", "user-agent": "x", **headers}
    reply = Platform(merchant, keys, 7).answer(Call("GET", "/v3/certificates", sent, b""), NOON)
    assert reply.status in (400, 401)
