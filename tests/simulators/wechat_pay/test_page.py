"""The payer's page: somebody scans, sees what it is for, and pays; in both languages."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import httpx
import pytest
from wechat_shop import NOON

from simulators.wechat_pay.page import language_of, yuan
from simulators.wechat_pay.server import WechatPayServer
from simulators.wechat_pay.wire import NativeOrder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.wechat_pay.merchant import Merchant


@pytest.fixture
def server(merchant: Merchant) -> Iterator[WechatPayServer]:
    with WechatPayServer(clock=lambda: NOON, merchant=merchant, refund_after_s=None) as running:
        asked = NativeOrder.model_validate(
            {
                "appid": merchant.appid,
                "mchid": merchant.mchid,
                "description": "水费 <3-1-301>",
                "out_trade_no": "ORDER-1",
                "notify_url": "http://127.0.0.1:9/n",
                "amount": {"total": 100005},
            }
        )
        running.platform.books.place(asked, NOON)
        yield running


def test_somebody_scans_and_pays(server: WechatPayServer) -> None:
    code = server.platform.books.orders["ORDER-1"].token
    with httpx.Client(base_url=server.base_url, follow_redirects=True) as phone:
        shown = phone.get("/scan", params={"code": f" {code} "})
        assert shown.status_code == 200
        assert "水费 &lt;3-1-301&gt;" in shown.text
        assert "¥1000.05" in shown.text
        assert "待支付" in shown.text
        paid = phone.post("/pay", data={"number": "ORDER-1", "lang": "zh-CN"})
        assert paid.status_code == 200
        assert "支付成功" in paid.text
        assert "<button>支付</button>" not in paid.text
        again = phone.post("/pay", data={"number": "ORDER-1", "lang": "en"})
        assert again.status_code == 409
        assert 'role="alert"' in again.text
    assert server.platform.books.orders["ORDER-1"].paid_at == NOON


def test_every_order_is_on_the_first_page(server: WechatPayServer) -> None:
    english = httpx.get(server.base_url, headers={"Accept-Language": "en-GB,en;q=0.9"}).text
    assert '<html lang="en">' in english
    assert "ORDER-1 · to be paid" in english
    chinese = httpx.get(server.base_url, params={"lang": "zh-CN"}).text
    assert '<html lang="zh-CN">' in chinese
    assert "ORDER-1 · 待支付" in chinese


def test_another_language_shows_the_same_order(server: WechatPayServer) -> None:
    code = server.platform.books.orders["ORDER-1"].token
    with httpx.Client(base_url=server.base_url) as phone:
        chinese = phone.get("/scan", params={"code": code}).text
        (address,) = re.findall(r'<a href="([^"]+)"', chinese)
        english = phone.get(unescape(address))
    assert english.status_code == 200
    assert "ORDER-1 · to be paid" in english.text


def test_a_code_that_is_none_is_told(server: WechatPayServer) -> None:
    shown = httpx.get(f"{server.base_url}/scan", params={"code": "<b>"})
    assert shown.status_code == 404
    assert "no such code: &lt;b&gt;" in shown.text


def test_the_page_loads_nothing_from_elsewhere(server: WechatPayServer) -> None:
    text = httpx.get(server.base_url).text
    assert "://" not in text
    assert "src=" not in text
    assert "<script" not in text


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        (None, "", "zh-CN"),
        (None, "en", "en"),
        (None, "zh-CN,en", "zh-CN"),
        ("en", "zh-CN", "en"),
        ("fr", "en-US", "en"),
    ],
)
def test_the_language_is_asked_for_or_the_browser_s(
    asked: str | None, accepted: str, language: str
) -> None:
    assert language_of(asked, accepted) == language


@pytest.mark.parametrize(
    ("fen", "text"), [(1, "¥0.01"), (100, "¥1.00"), (100005, "¥1000.05"), (1990, "¥19.90")]
)
def test_money_is_shown_to_the_cent(fen: int, text: str) -> None:
    assert yuan(fen) == text
