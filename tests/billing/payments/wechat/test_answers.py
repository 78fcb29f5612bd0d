"""What is believed of an answer, by its status and its signature; and where none comes."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from loopback import free_port
from scripted_server import ScriptedServer
from wechat_merchant import NOON, WATER, account_at

from billing.payments.provider import (
    MalformedNoticeError,
    NotAuthenticError,
    ProviderError,
    RefusedError,
    Unpaid,
    UnreachableError,
)
from billing.payments.wechat import reading
from billing.payments.wechat.answers import Answer, require_done
from billing.payments.wechat.client import WechatPay
from billing.payments.wechat.document import Document
from simulators.wechat_pay.faults import Faults

if TYPE_CHECKING:
    from scripted_server import Asked
    from wechat_merchant import Clock

    from simulators.wechat_pay.server import WechatPayServer


def answered(status: int, body: str) -> Exception | None:
    try:
        require_done(Answer(status, {}, body.encode()))
    except ProviderError as error:
        return error
    return None


@pytest.mark.parametrize("status", [200, 204])
def test_only_two_statuses_are_done(status: int) -> None:
    assert answered(status, "") is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (202, "USER_PAYING"),
        (429, "FREQUENCY_LIMITED"),
        (500, "SYSTEM_ERROR"),
        (500, "BANK_ERROR"),
        (503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_what_asks_for_another_try_says_nothing_of_the_order(status: int, code: str) -> None:
    error = answered(status, json.dumps({"code": code, "message": "请稍后重试"}))
    assert isinstance(error, UnreachableError)
    assert str(error) == f"WeChat Pay is to be asked again: {code}: 请稍后重试"


def test_a_refusal_has_its_code_and_what_to_do() -> None:
    error = answered(401, '{"code": "SIGN_ERROR", "message": "签名错误"}')
    assert isinstance(error, RefusedError)
    assert error.code == "SIGN_ERROR"
    assert str(error) == "SIGN_ERROR: 签名错误; check key_file, key_serial and this machine's clock"


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, "<html>nginx</html>"), (301, ""), (404, "{}"), (400, "[]"), (407, '{"code": 5}')],
)
def test_an_error_of_somebody_else_says_nothing_of_the_order(status: int, body: str) -> None:
    error = answered(status, body)
    assert isinstance(error, UnreachableError)
    assert f"answered {status} without a code of WeChat Pay; check base_url" in str(error)


def test_a_missing_page_is_no_missing_order(server: WechatPayServer) -> None:
    def page(_: Asked) -> tuple[int, str]:
        return 404, "<html>not found</html>"

    with ScriptedServer(page) as proxy:
        account = account_at(server, "http://127.0.0.1/n")
        wechat = WechatPay(replace(account, base_url=f"http://{proxy.host}:{proxy.port}"))
        with pytest.raises(UnreachableError, match="answered 404"):
            wechat.query("TG-nobody", now=NOON)
        wechat.close_connections()


def test_a_done_answer_without_a_signature_is_a_forgery(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    wechat.query("TG-nobody", now=clock.now)

    def forged(_: Asked) -> tuple[int, str]:
        return 200, '{"code_url": "weixin://wxpay/bizpayurl?pr=forged"}'

    with ScriptedServer(forged) as proxy:
        wechat._account = replace(wechat._account, base_url=f"http://{proxy.host}:{proxy.port}")
        with pytest.raises(NotAuthenticError, match="wechatpay-timestamp is missing"):
            wechat.create(WATER, now=clock.now)
        with pytest.raises(NotAuthenticError, match="wechatpay-timestamp is missing"):
            wechat.close("TG-nobody", now=clock.now)


def test_a_probe_in_an_answer_fails_and_the_order_can_be_asked_for_again(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    order = replace(WATER, number="TG-probe")
    wechat.create(order, now=clock.now)
    server.set_faults(Faults(probe_answer=100))
    with pytest.raises(NotAuthenticError, match="has to fail"):
        wechat.create(order, now=clock.now)
    server.set_faults(Faults())
    assert wechat.create(order, now=clock.now).code_url is not None


def test_an_order_whose_answer_was_lost_is_there_and_can_be_asked_for_again(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    order = replace(WATER, number="TG-lost")
    wechat.query("TG-nobody", now=clock.now)
    server.set_faults(Faults(hang_up=100))
    with pytest.raises(UnreachableError, match="gave no answer to POST /v3/pay/transactions"):
        wechat.create(order, now=clock.now)
    server.set_faults(Faults())
    assert wechat.query("TG-lost", now=clock.now) is Unpaid.WAITING
    assert wechat.create(order, now=clock.now).code_url is not None


def test_a_platform_in_trouble_is_unreachable(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    server.set_faults(Faults(system_error=100))
    with pytest.raises(UnreachableError, match="SYSTEM_ERROR"):
        wechat.create(WATER, now=clock.now)


def test_nobody_there_is_unreachable_and_no_secret_is_told(server: WechatPayServer) -> None:
    account = account_at(server, "http://127.0.0.1/n")
    wechat = WechatPay(replace(account, base_url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(UnreachableError, match=r"gave no answer to GET /v3/certificates") as error:
        wechat.query("TG-nobody", now=NOON)
    assert account.api_v3_key.decode() not in f"{error.value!r} {account!r}"
    wechat.close_connections()


def test_an_answer_that_does_not_come_in_time_is_unreachable(server: WechatPayServer) -> None:
    released = threading.Event()

    def silent(_: Asked) -> tuple[int, str]:
        released.wait(10)
        return 200, "{}"

    with ScriptedServer(silent) as proxy:
        account = account_at(server, "http://127.0.0.1/n")
        slow = replace(account, base_url=f"http://{proxy.host}:{proxy.port}")
        wechat = WechatPay(slow, timeout_s=0.05)
        with pytest.raises(UnreachableError):
            wechat.query("TG-nobody", now=NOON)
        wechat.close_connections()
        released.set()


def test_a_clock_that_is_wrong_is_told_by_the_platform(
    server: WechatPayServer, clock: Clock
) -> None:
    wechat = WechatPay(account_at(server, "http://127.0.0.1/n"))
    with pytest.raises(RefusedError, match="this machine's clock") as refused:
        wechat.query("TG-nobody", now=clock.now.replace(hour=5))
    assert refused.value.code == "SIGN_ERROR"
    wechat.close_connections()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"app": "wx0000000000000000"}, "APPID_MCHID_NOT_MATCH"),
        ({"key_serial": "77"}, "SIGN_ERROR"),
    ],
)
def test_a_wrong_account_is_refused_in_the_platform_s_words(
    server: WechatPayServer, clock: Clock, change: dict[str, str], code: str
) -> None:
    wechat = WechatPay(replace(account_at(server, "http://127.0.0.1/n"), **change))
    with pytest.raises(RefusedError) as refused:
        wechat.create(WATER, now=clock.now)
    assert refused.value.code == code
    wechat.close_connections()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("NOTPAY", Unpaid.WAITING),
        ("USERPAYING", Unpaid.WAITING),
        ("PAYERROR", Unpaid.WAITING),
        ("CLOSED", Unpaid.CLOSED),
        ("REVOKED", Unpaid.CLOSED),
    ],
)
def test_an_order_without_money_is_one_of_few_things(
    server: WechatPayServer, state: str, expected: Unpaid
) -> None:
    account = account_at(server, "http://127.0.0.1/n")
    told = {"mchid": account.merchant, "out_trade_no": "TG-1", "trade_state": state}
    assert reading.order(Document(told, "the answer"), "TG-1", account) is expected
    with pytest.raises(MalformedNoticeError, match="out_trade_no is 'TG-1', and should be 'TG-2'"):
        reading.order(Document(told, "the answer"), "TG-2", account)
    with pytest.raises(MalformedNoticeError, match="'SETTLED': no payment"):
        reading.order(
            Document(told | {"trade_state": "SETTLED", "appid": account.app}, "the answer"),
            "TG-1",
            account,
        )
