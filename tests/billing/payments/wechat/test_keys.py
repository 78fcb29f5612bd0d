"""Which of WeChat Pay's keys count, while they change and while nobody restarts anything."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from wechat_merchant import WATER, account_at

from billing.payments.provider import NotAuthenticError, Notice, Unpaid
from billing.payments.wechat.client import WechatPay
from billing.payments.wechat.trust import PlatformKey, UnknownKeyError, normal
from simulators.wechat_pay.key_mode import KeyMode
from simulators.wechat_pay.keys import public_pem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wechat_merchant import Callbacks, Clock

    from simulators.wechat_pay.server import WechatPayServer


@pytest.fixture
def by_public_key(server: WechatPayServer, callbacks: Callbacks) -> Iterator[WechatPay]:
    """An account that has a WeChat Pay public key."""
    public = load_pem_public_key(public_pem(server.platform.keys.public.key))
    assert isinstance(public, RSAPublicKey)
    key = PlatformKey(server.platform.keys.public.serial, public)
    account = account_at(server, callbacks.url, public_key_id=key.serial, keys=(key,))
    callbacks.provider = WechatPay(account)
    yield callbacks.provider
    callbacks.provider.close_connections()


def test_certificates_are_fetched_by_the_first_call_and_once(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    calls = server.platform.calls
    wechat.query("TG-nobody", now=clock.now)
    assert server.platform.calls == calls + 2
    wechat.query("TG-nobody", now=clock.now)
    assert server.platform.calls == calls + 3


def test_certificates_are_fetched_again_after_half_a_day(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    wechat.query("TG-nobody", now=clock.now)
    clock.pass_by(timedelta(hours=12) - timedelta(seconds=1))
    calls = server.platform.calls
    wechat.query("TG-nobody", now=clock.now)
    assert server.platform.calls == calls + 1
    clock.pass_by(timedelta(seconds=1))
    wechat.query("TG-nobody", now=clock.now)
    assert server.platform.calls == calls + 3


def test_an_answer_by_a_new_certificate_is_proven_once_it_is_fetched(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    order = replace(WATER, number="TG-rotate", expires_at=clock.now + timedelta(hours=1))
    wechat.create(order, now=clock.now)
    server.change_certificate()
    clock.pass_by(timedelta(minutes=1))
    assert wechat.query("TG-rotate", now=clock.now) is Unpaid.WAITING


def test_a_notice_by_a_new_certificate_is_taken_after_the_next_call(
    wechat: WechatPay, server: WechatPayServer, callbacks: Callbacks, clock: Clock
) -> None:
    order = replace(WATER, number="TG-rotated", expires_at=clock.now + timedelta(hours=1))
    wechat.create(order, now=clock.now)
    server.change_certificate()
    clock.pass_by(timedelta(minutes=1))
    server.pay("TG-rotated")
    refused = callbacks.next()
    assert isinstance(refused, UnknownKeyError)
    assert "it changed its certificate" in str(refused)
    wechat.query("TG-nobody", now=clock.now)
    told = [callbacks.next()]
    while isinstance(told[-1], UnknownKeyError):  # tries that came before the call
        told.append(callbacks.next())
    assert isinstance(told[-1], Notice)
    assert told[-1].order_number == "TG-rotated"


def test_serials_that_anybody_can_make_up_ask_the_platform_once_a_minute_at_most(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    wechat.query("TG-nobody", now=clock.now)
    headers = {
        "wechatpay-timestamp": str(int(clock.now.timestamp())),
        "wechatpay-nonce": "1",
        "wechatpay-signature": "AAAA",
        "wechatpay-serial": "00C0FFEE",
    }
    calls = server.platform.calls
    for _ in range(5):
        with pytest.raises(UnknownKeyError, match="'C0FFEE'"):
            wechat.read(headers, b"{}", now=clock.now)
        assert wechat.query("TG-nobody", now=clock.now) is Unpaid.UNKNOWN
    assert server.platform.calls == calls + 5
    clock.pass_by(timedelta(minutes=1))
    wechat.query("TG-nobody", now=clock.now)
    assert server.platform.calls == calls + 7


def test_an_account_with_a_public_key_needs_no_certificates(
    by_public_key: WechatPay, server: WechatPayServer, callbacks: Callbacks, clock: Clock
) -> None:
    server.platform.keys.mode = KeyMode.PUBLIC_KEY
    calls = server.platform.calls
    order = replace(WATER, number="TG-public", expires_at=clock.now + timedelta(hours=1))
    by_public_key.create(order, now=clock.now)
    assert server.platform.calls == calls + 1
    server.pay("TG-public")
    told = callbacks.next()
    assert isinstance(told, Notice)
    assert callbacks.arrived[-1].headers["wechatpay-serial"].startswith("PUB_KEY_ID_")


def test_while_an_account_moves_to_its_public_key_both_count(
    by_public_key: WechatPay, server: WechatPayServer, callbacks: Callbacks, clock: Clock
) -> None:
    server.platform.keys.mode = KeyMode.MIXED
    by_public_key.fetch_certificates(now=clock.now)
    serials = set()
    for number in range(12):
        order = replace(
            WATER, number=f"TG-mixed-{number}", expires_at=clock.now + timedelta(hours=1)
        )
        by_public_key.create(order, now=clock.now)
        server.pay(order.number)
        assert isinstance(callbacks.next(), Notice)
        serials.add(callbacks.arrived[-1].headers["wechatpay-serial"])
    assert serials == {
        server.platform.keys.public.serial,
        server.platform.keys.certificates[-1].serial,
    }


def test_a_platform_without_certificates_and_an_account_without_public_key_is_told(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    server.platform.keys.mode = KeyMode.PUBLIC_KEY
    with pytest.raises(Exception, match="无可用的平台证书") as refused:
        wechat.query("TG-nobody", now=clock.now)
    assert refused.value.code == "RESOURCE_NOT_EXISTS"


def test_where_no_new_certificates_can_be_had_the_known_ones_count(
    server: WechatPayServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    known = PlatformKey.of_certificate(server.platform.keys.certificates[-1].certificate)
    account = replace(account_at(server, "http://127.0.0.1/n", keys=(known,)), api_v3_key=b"x" * 32)
    wechat = WechatPay(account)
    with caplog.at_level(logging.WARNING):
        assert wechat.query("TG-nobody", now=clock.now) is Unpaid.UNKNOWN
    assert "the APIv3 key is not the account's" in caplog.text
    wechat.close_connections()


def test_a_certificate_counts_in_its_own_time_only(
    wechat: WechatPay, server: WechatPayServer, clock: Clock
) -> None:
    known = PlatformKey.of_certificate(server.platform.keys.certificates[0].certificate)
    assert known.valid_from is not None
    assert known.valid_until is not None
    assert known.is_valid_at(known.valid_from)
    assert not known.is_valid_at(known.valid_from - timedelta(seconds=1))
    assert known.is_valid_at(known.valid_until - timedelta(seconds=1))
    assert not known.is_valid_at(known.valid_until)
    wechat.query("TG-nobody", now=clock.now)
    notice = server.platform.keys.certificates[0].headers(b"{}", known.valid_until, probe=False)
    headers = {name.lower(): value for name, value in notice.items()}
    with pytest.raises(UnknownKeyError, match="at this time"):
        wechat.read(headers, b"{}", now=known.valid_until)


def test_certificates_that_the_account_cannot_open_are_refused(
    server: WechatPayServer, clock: Clock
) -> None:
    account = replace(account_at(server, "http://127.0.0.1/n"), api_v3_key=b"x" * 32)
    wechat = WechatPay(account)
    with pytest.raises(Exception, match="cannot be decrypted"):
        wechat.query("TG-nobody", now=clock.now)
    wechat.close_connections()


def test_serials_are_numbers_whatever_their_case() -> None:
    assert normal("00ab12") == normal("AB12") == "AB12"
    assert normal("PUB_KEY_ID_01ab") == "PUB_KEY_ID_01ab"


def test_no_key_is_known_before_the_first_call(wechat: WechatPay, clock: Clock) -> None:
    with pytest.raises(NotAuthenticError):
        wechat.read({}, b"", now=clock.now)
