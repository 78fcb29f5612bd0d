"""What is believed of a callback, and what is not: the raw body, its age, its key, its content."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechat_merchant import NOON

from billing.payments.provider import (
    MalformedNoticeError,
    NotAuthenticError,
    Notice,
    NoticeState,
    RefundNotice,
    RefundState,
)
from billing.payments.wechat.account import Account
from billing.payments.wechat.client import WechatPay
from billing.payments.wechat.trust import PlatformKey, UnknownKeyError
from simulators.wechat_pay.keys import PROBE, SigningKey, certified, new_key
from simulators.wechat_pay.sealing import sealed

if TYPE_CHECKING:
    from collections.abc import Callable

API_V3_KEY = "0123456789abcdef0123456789abcdef"
MERCHANT = "1900000109"
APP = "wxd678efh567hg6787"
PAYMENT: dict[str, Any] = {
    "mchid": MERCHANT,
    "appid": APP,
    "out_trade_no": "1217752501201407033233368018",
    "transaction_id": "4200000000202611220000000001",
    "trade_state": "SUCCESS",
    "success_time": "2026-11-22T11:59:58+08:00",
    "amount": {"total": 10050, "payer_total": 10000, "currency": "CNY", "payer_currency": "CNY"},
    "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
}
REFUND: dict[str, Any] = {
    "mchid": MERCHANT,
    "out_trade_no": "1217752501201407033233368018",
    "transaction_id": "4200000000202611220000000001",
    "out_refund_no": "R-7",
    "refund_id": "50200000000202611220000000001",
    "refund_status": "SUCCESS",
    "success_time": "2026-11-22T11:59:58+08:00",
    "amount": {"total": 10050, "refund": 50, "payer_total": 10050, "payer_refund": 50},
}


@pytest.fixture(scope="module")
def platform() -> SigningKey:
    return certified(NOON - timedelta(days=1))


@pytest.fixture(scope="module")
def wechat(platform: SigningKey) -> WechatPay:
    """An account that knows the platform's certificate, and asks nobody."""
    return WechatPay(
        Account(
            merchant=MERCHANT,
            app=APP,
            key_serial="5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
            private_key=platform.key,
            api_v3_key=API_V3_KEY.encode(),
            notify_url="https://pay.example.com/wechat",
            base_url="http://127.0.0.1:9",
            public_key_id=None,
            keys=(PlatformKey.of_certificate(platform.certificate),),
        )
    )


def notice(content: dict[str, Any], event: str = "TRANSACTION.SUCCESS", **changes: Any) -> bytes:
    """Return the body of a notice of `content`, with `changes` to its envelope."""
    resource = sealed(json.dumps(content).encode(), API_V3_KEY, "transaction")
    envelope = {
        "id": "EV-2018022511223320873",
        "create_time": "2026-11-22T12:00:00+08:00",
        "event_type": event,
        "resource_type": "encrypt-resource",
        "summary": "支付成功",
        "resource": {"original_type": "transaction", **resource},
    }
    return json.dumps(envelope | changes).encode()


@pytest.fixture
def read(wechat: WechatPay, platform: SigningKey) -> Callable[..., Notice | RefundNotice]:
    """Read a body as the platform signs it, at noon."""

    def read(body: bytes, *, signed_at: datetime = NOON, **changes: str) -> Notice | RefundNotice:
        headers = platform.headers(body, signed_at, probe=False)
        lower = {name.lower(): value for name, value in headers.items()}
        return wechat.read(lower | changes, body, now=NOON)

    return read


def test_a_payment_is_read_with_its_total_before_coupons(read: Callable[..., Any]) -> None:
    assert read(notice(PAYMENT)) == Notice(
        provider="wechat",
        merchant=MERCHANT,
        order_number="1217752501201407033233368018",
        transaction_id="4200000000202611220000000001",
        amount_fen=10050,
        currency="CNY",
        paid_at=datetime(2026, 11, 22, 3, 59, 58, tzinfo=UTC),
        state=NoticeState.PAID,
    )


def test_a_refund_is_read_in_renminbi(read: Callable[..., Any]) -> None:
    assert read(notice(REFUND, "REFUND.SUCCESS")) == RefundNotice(
        provider="wechat",
        merchant=MERCHANT,
        number="R-7",
        refund_id="50200000000202611220000000001",
        amount_fen=50,
        currency="CNY",
        at=datetime(2026, 11, 22, 3, 59, 58, tzinfo=UTC),
        state=RefundState.EXECUTED,
    )


@pytest.mark.parametrize("state", ["ABNORMAL", "CLOSED"])
def test_a_refund_that_failed_has_the_time_of_its_notice(
    read: Callable[..., Any], state: str
) -> None:
    content = {**REFUND, "refund_status": state}
    del content["success_time"]
    told = read(notice(content, f"REFUND.{state}"))
    assert (told.state, told.at) == (RefundState.FAILED, NOON)


@pytest.mark.parametrize("age_s", [-300, 0, 300])
def test_a_signature_counts_for_five_minutes_either_way(
    read: Callable[..., Any], age_s: int
) -> None:
    assert read(notice(PAYMENT), signed_at=NOON - timedelta(seconds=age_s)).amount_fen == 10050


@pytest.mark.parametrize("age_s", [-301, 301, 86400])
def test_a_notice_that_was_kept_and_sent_again_is_refused(
    read: Callable[..., Any], age_s: int
) -> None:
    with pytest.raises(NotAuthenticError, match=f"the signature is {age_s} s old"):
        read(notice(PAYMENT), signed_at=NOON - timedelta(seconds=age_s))


def test_a_probe_fails_as_anything_else_does(wechat: WechatPay, platform: SigningKey) -> None:
    body = notice(PAYMENT)
    headers = {
        name.lower(): value for name, value in platform.headers(body, NOON, probe=True).items()
    }
    assert headers["wechatpay-signature"].startswith("WECHATPAY/SIGNTEST/")
    with pytest.raises(NotAuthenticError, match="has to fail"):
        wechat.read(headers, body, now=NOON)
    assert wechat.answer("no").status == 400


def test_a_body_that_changed_by_one_bit_is_refused(wechat: WechatPay, platform: SigningKey) -> None:
    body = notice(PAYMENT)
    headers = {
        name.lower(): value for name, value in platform.headers(body, NOON, probe=False).items()
    }
    for place in range(0, len(body), 97):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(NotAuthenticError):
            wechat.read(headers, changed, now=NOON)
    with pytest.raises(NotAuthenticError):
        wechat.read(headers, json.dumps(json.loads(body)).encode() + b" ", now=NOON)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("wechatpay-timestamp", ""),
        ("wechatpay-timestamp", "1.5"),
        ("wechatpay-timestamp", "-5"),
        ("wechatpay-timestamp", "٣"),
        ("wechatpay-nonce", "another"),
        ("wechatpay-signature", "no base64!"),
        ("wechatpay-signature", "QUJD"),
        ("wechatpay-signature", "A" * 5000),
        ("wechatpay-serial", "PUB_KEY_ID_0123456789"),
        ("wechatpay-serial", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"),
        ("wechatpay-serial", "0"),
    ],
)
def test_a_header_that_is_not_the_signed_one_is_refused(
    read: Callable[..., Any], name: str, value: str
) -> None:
    with pytest.raises(NotAuthenticError):
        read(notice(PAYMENT), **{name: value})


def test_a_signature_by_somebody_else_s_key_is_refused(
    wechat: WechatPay, platform: SigningKey
) -> None:
    body = notice(PAYMENT)
    thief = SigningKey(platform.serial, new_key())
    headers = {
        name.lower(): value for name, value in thief.headers(body, NOON, probe=False).items()
    }
    with pytest.raises(NotAuthenticError, match="not WeChat Pay's"):
        wechat.read(headers, body, now=NOON)


def test_an_unknown_serial_is_told_apart(read: Callable[..., Any]) -> None:
    with pytest.raises(UnknownKeyError, match="'ABC'"):
        read(notice(PAYMENT), **{"wechatpay-serial": "00abc"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mchid": "1900000110"}, "mchid is '1900000110', and should be '1900000109'"),
        ({"appid": "wxother"}, "appid is 'wxother'"),
        ({"trade_state": "NOTPAY"}, "trade_state is 'NOTPAY': no payment"),
        ({"trade_state": None}, "trade_state is no text"),
        ({"out_trade_no": 5}, "out_trade_no is no text"),
        ({"transaction_id": ""}, "transaction_id is no text"),
        ({"success_time": "2026-11-22T12:00:00"}, "success_time is no time with a zone"),
        ({"success_time": "0001-01-01T00:00:00+08:00"}, "success_time is no time with a zone"),
        ({"amount": 5}, "amount is no JSON object"),
        ({"amount": {"total": 100.5, "currency": "CNY"}}, "total is no whole number of fen"),
        ({"amount": {"total": 100.0, "currency": "CNY"}}, "total is no whole number of fen"),
        ({"amount": {"total": "100", "currency": "CNY"}}, "total is no whole number of fen"),
        ({"amount": {"total": True, "currency": "CNY"}}, "total is no whole number of fen"),
        ({"amount": {"total": 0, "currency": "CNY"}}, "total is no whole number of fen"),
        ({"amount": {"total": -1, "currency": "CNY"}}, "total is no whole number of fen"),
        ({"amount": {"total": 1}}, "currency is no text"),
    ],
)
def test_a_notice_without_a_readable_payment_is_told_with_its_place(
    read: Callable[..., Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(MalformedNoticeError, match=message):
        read(notice(PAYMENT | change))


def test_an_amount_is_exact_however_large(read: Callable[..., Any]) -> None:
    amount = {"total": 9007199254740993, "currency": "CNY"}
    assert read(notice(PAYMENT | {"amount": amount})).amount_fen == 9007199254740993


def test_the_event_and_the_state_of_a_refund_agree(read: Callable[..., Any]) -> None:
    with pytest.raises(MalformedNoticeError, match="refund_status is 'SUCCESS', and should be"):
        read(notice(REFUND, "REFUND.CLOSED"))


@pytest.mark.parametrize("event", ["COUPON.USE", "TRANSACTION.FAIL", "REFUND.MAYBE"])
def test_other_events_are_no_payments(read: Callable[..., Any], event: str) -> None:
    content = {**REFUND, "refund_status": "MAYBE"}
    with pytest.raises(MalformedNoticeError):
        read(notice(content, event))


def test_a_ciphertext_that_was_cut_is_told(read: Callable[..., Any]) -> None:
    resource = sealed(json.dumps(PAYMENT).encode(), API_V3_KEY, "transaction")
    whole = base64.b64decode(resource["ciphertext"])
    for length in (0, 5, 15, 16, len(whole) - 1):
        resource["ciphertext"] = base64.b64encode(whole[:length]).decode()
        with pytest.raises(MalformedNoticeError, match="ciphertext"):
            read(notice(PAYMENT, resource=resource))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"algorithm": "AEAD_SM4_GCM"}, "algorithm is 'AEAD_SM4_GCM'"),
        ({"nonce": "short"}, "nonce has not 12 bytes"),
        ({"nonce": "微信支付微信支付微信支付"}, "nonce has not 12 bytes"),
        ({"ciphertext": "no base64!"}, "cannot be decrypted"),
        ({"associated_data": "refund"}, "cannot be decrypted"),
        ({"associated_data": None}, "cannot be decrypted"),
        ({"associated_data": "\ud800"}, "cannot be decrypted"),
        ({"associated_data": 5}, "associated_data is no text"),
    ],
)
def test_a_resource_that_does_not_open_is_told(
    read: Callable[..., Any], change: dict[str, Any], message: str
) -> None:
    resource = sealed(json.dumps(PAYMENT).encode(), API_V3_KEY, "transaction") | change
    with pytest.raises(MalformedNoticeError, match=message):
        read(notice(PAYMENT, resource=resource))


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"\xff\xfe", b"{", b"[" * 100_000, b'{"event_type": 5}', b"9" * 5000],
)
def test_a_proven_body_that_is_no_notice_is_told(read: Callable[..., Any], body: bytes) -> None:
    with pytest.raises(MalformedNoticeError):
        read(body)


HEADERS = st.dictionaries(
    st.sampled_from(
        ["wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial"]
    ),
    st.text() | st.just(str(int(NOON.timestamp()))) | st.binary().map(lambda b: b.hex()),
)


@given(headers=HEADERS, body=st.binary())
def test_no_bytes_from_outside_raise_anything_else(
    wechat: WechatPay, platform: SigningKey, headers: dict[str, str], body: bytes
) -> None:
    good = {name.lower(): v for name, v in platform.headers(body, NOON, probe=False).items()}
    with pytest.raises(NotAuthenticError):
        wechat.read(headers, body, now=NOON)
    if headers:
        with pytest.raises((NotAuthenticError, MalformedNoticeError)):
            wechat.read(good | headers, body, now=NOON)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["total", "currency", "resource"]), inner)
    ),
    max_leaves=4,
)
MEMBERS = st.dictionaries(st.sampled_from(sorted(PAYMENT)), JSON, min_size=1)


@given(changes=MEMBERS)
def test_no_proven_content_raises_anything_else(
    wechat: WechatPay, platform: SigningKey, changes: dict[str, Any]
) -> None:
    body = notice(PAYMENT | changes)
    headers = {name.lower(): v for name, v in platform.headers(body, NOON, probe=False).items()}
    try:
        told = wechat.read(headers, body, now=NOON)
    except MalformedNoticeError:
        return
    assert isinstance(told, Notice)
    assert told.merchant == MERCHANT


@given(body=st.binary() | JSON.map(lambda each: json.dumps(each).encode()))
def test_no_proven_body_raises_anything_else(
    wechat: WechatPay, platform: SigningKey, body: bytes
) -> None:
    headers = {name.lower(): v for name, v in platform.headers(body, NOON, probe=False).items()}
    with pytest.raises(MalformedNoticeError):
        wechat.read(headers, body, now=NOON)


def test_a_callback_is_answered_as_documented(wechat: WechatPay) -> None:
    taken, refused = wechat.answer(None), wechat.answer("订单不存在" * 50)
    assert (taken.status, taken.body) == (204, b"")
    assert refused.status == 400
    assert json.loads(refused.body) == {"code": "FAIL", "message": ("订单不存在" * 50)[:64]}


def test_the_probe_s_name_is_the_documented_one() -> None:
    assert PROBE == "WECHATPAY/SIGNTEST/"
