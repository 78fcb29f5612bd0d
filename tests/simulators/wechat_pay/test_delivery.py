"""Notices on the wire: the documented schedule, and each fault as it was asked for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest
from scripted_server import ScriptedServer
from wechat_shop import NOON

from simulators.wechat_pay.books import NotPayableError, RefundStatus
from simulators.wechat_pay.delivery import RETRIES_S
from simulators.wechat_pay.faults import Faults, Trouble
from simulators.wechat_pay.server import WechatPayServer
from simulators.wechat_pay.wire import NativeOrder, RefundOrder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripted_server import Asked

    from simulators.wechat_pay.delivery import Try
    from simulators.wechat_pay.merchant import Merchant

PATIENCE_S = 30
NO_CONTENT = (204, "")


@pytest.fixture
def server(merchant: Merchant) -> Iterator[WechatPayServer]:
    """A platform for which a try follows the other after 1/100,000 of the documented time."""
    with WechatPayServer(
        clock=lambda: NOON, merchant=merchant, seed=7, pace=1e-5, refund_after_s=None
    ) as running:
        yield running


def order(server: WechatPayServer, number: str, url: str) -> str:
    """Put an order into the books, as if its request had come."""
    asked = NativeOrder.model_validate(
        {
            "appid": server.merchant.appid,
            "mchid": server.merchant.mchid,
            "description": "水费",
            "out_trade_no": number,
            "notify_url": url,
            "amount": {"total": 1234},
        }
    )
    server.platform.books.place(asked, NOON)
    return number


def tries(server: WechatPayServer, count: int) -> list[Try]:
    """Return the first `count` tries, once there are so many."""
    until = time.monotonic() + PATIENCE_S
    while len(server.tries) < count:
        assert time.monotonic() < until, server.tries
        time.sleep(0.01)
    return server.tries[:count]


def statuses(*answers: int) -> Callable[[Asked], tuple[int, str]]:
    """Return what answers with each of `answers`, and with the last one from then on."""
    left = list(answers)
    return lambda _: (left.pop(0) if len(left) > 1 else left[0], "")


def test_the_schedule_is_the_documented_one() -> None:
    minute, hour = 60, 3600
    assert RETRIES_S[:5] == (15, 15, 30, 3 * minute, 10 * minute)
    assert RETRIES_S[5:10] == tuple(minutes * minute for minutes in (20, 30, 30, 30, 60))
    assert RETRIES_S[10:] == (3 * hour, 3 * hour, 3 * hour, 6 * hour, 6 * hour)
    assert sum(RETRIES_S) == 24 * hour + 4 * minute


@pytest.mark.parametrize("taken", [200, 204])
def test_a_notice_is_tried_until_it_is_taken(server: WechatPayServer, taken: int) -> None:
    with ScriptedServer(statuses(500, 400, 302, 201, taken)) as shop:
        server.pay(order(server, "ORDER-1", f"http://{shop.host}:{shop.port}/n"))
        seen = [(each.attempt, each.status) for each in tries(server, 5)]
        assert seen == [(0, 500), (1, 400), (2, 302), (3, 201), (4, taken)]
        time.sleep(0.1)
        assert len(server.tries) == 5
        assert len({asked.content for asked in shop.asked}) == 1
        assert len({asked.headers["wechatpay-nonce"] for asked in shop.asked}) == 5


def test_a_notice_that_is_never_taken_is_given_up(server: WechatPayServer) -> None:
    with ScriptedServer(statuses(500)) as shop:
        server.pay(order(server, "ORDER-1", f"http://{shop.host}:{shop.port}/n"))
        assert tries(server, 16)[-1].attempt == 15
        time.sleep(0.3)
        assert len(server.tries) == 16


def test_nobody_listening_is_no_answer(server: WechatPayServer) -> None:
    server.pay(order(server, "ORDER-1", "http://127.0.0.1:9/n"))
    assert tries(server, 2)[1].status is None


def test_a_lost_notice_is_not_sent_and_tried_again(server: WechatPayServer) -> None:
    server.set_faults(Faults(lose=100))
    with ScriptedServer(statuses(204)) as shop:
        server.pay(order(server, "ORDER-1", f"http://{shop.host}:{shop.port}/n"))
        assert tries(server, 1)[0].trouble is Trouble.LOSE
        server.set_faults(Faults())
        while server.tries[-1].trouble is Trouble.LOSE:
            time.sleep(0.01)
        assert server.tries[-1].status == 204
        assert len(shop.asked) == 1


def test_a_duplicate_is_sent_again_though_it_was_taken(server: WechatPayServer) -> None:
    server.set_faults(Faults(duplicate=100))
    with ScriptedServer(statuses(204)) as shop:
        server.pay(order(server, "ORDER-1", f"http://{shop.host}:{shop.port}/n"))
        assert [each.trouble for each in tries(server, 2)] == [None, Trouble.DUPLICATE]
        assert shop.asked[0].content == shop.asked[1].content


def test_a_corrupt_notice_differs_by_one_bit_from_what_was_signed(
    server: WechatPayServer,
) -> None:
    server.set_faults(Faults(corrupt=100))
    with ScriptedServer(statuses(500)) as shop:
        server.pay(order(server, "ORDER-1", f"http://{shop.host}:{shop.port}/n"))
        assert tries(server, 1)[0].trouble is Trouble.CORRUPT
        server.set_faults(Faults())
        while server.tries[-1].trouble is Trouble.CORRUPT:
            time.sleep(0.01)
        whole, cut = shop.asked[-1].content, shop.asked[0].content
    differing = [left ^ right for left, right in zip(whole, cut, strict=True) if left != right]
    assert differing == [1]


def test_a_probe_comes_before_the_notice(server: WechatPayServer) -> None:
    server.set_faults(Faults(probe=100))
    with ScriptedServer(statuses(401, 204)) as shop:
        server.pay(order(server, "ORDER-1", f"http://{shop.host}:{shop.port}/n"))
        seen = [(each.trouble, each.status) for each in tries(server, 2)]
        assert seen == [(Trouble.PROBE, 401), (None, 204)]
        signatures = [asked.headers["wechatpay-signature"] for asked in shop.asked]
    assert [each.startswith("WECHATPAY/SIGNTEST/") for each in signatures] == [True, False]


def test_reordered_notices_change_places(server: WechatPayServer) -> None:
    server.set_faults(Faults(reorder=100, delay_s=3_000_000))
    with ScriptedServer(statuses(204)) as shop:
        url = f"http://{shop.host}:{shop.port}/n"
        for number in ("ORDER-1", "ORDER-2"):
            server.pay(order(server, number, url))
        assert [each.about for each in tries(server, 2)] == ["ORDER-2", "ORDER-1"]


def test_a_notice_that_waits_for_no_other_is_sent_in_the_end(server: WechatPayServer) -> None:
    server.set_faults(Faults(reorder=100, delay=100, delay_s=1000))
    with ScriptedServer(statuses(204)) as shop:
        server.pay(order(server, "ORDER-1", f"http://{shop.host}:{shop.port}/n"))
        assert tries(server, 1)[0].status == 204


def test_the_same_seed_loses_the_same_tries(merchant: Merchant) -> None:
    def lost() -> list[int]:
        with WechatPayServer(
            clock=lambda: NOON, merchant=merchant, seed=3, pace=0, refund_after_s=None
        ) as server:
            server.set_faults(Faults(lose=50))
            server.pay(order(server, "ORDER-1", "http://127.0.0.1:9/n"))
            return [each.attempt for each in tries(server, 16) if each.trouble is Trouble.LOSE]

    first = lost()
    assert 0 < len(first) < 16
    assert lost() == first


def test_a_refund_settles_by_itself_and_once(merchant: Merchant) -> None:
    with (
        ScriptedServer(statuses(204)) as shop,
        WechatPayServer(
            clock=lambda: NOON, merchant=merchant, pace=1e-5, refund_after_s=5
        ) as server,
    ):
        url = f"http://{shop.host}:{shop.port}/n"
        server.pay(order(server, "ORDER-1", url))
        tries(server, 1)
        server.platform.books.refund(
            RefundOrder.model_validate(
                {
                    "out_trade_no": "ORDER-1",
                    "out_refund_no": "REFUND-1",
                    "notify_url": url,
                    "amount": {"refund": 100, "total": 1234, "currency": "CNY"},
                }
            ),
            NOON,
        )
        for _ in range(2):
            httpx.get(f"{server.base_url}/v3/certificates")
        assert tries(server, 2)[1].event == "REFUND.SUCCESS"
        assert server.platform.books.refunds["REFUND-1"].status is RefundStatus.SUCCESS
        time.sleep(0.1)
        assert len(server.tries) == 2


def test_a_test_pays_by_a_call_and_hears_why_it_cannot(server: WechatPayServer) -> None:
    with pytest.raises(NotPayableError, match="there is no order ORDER-1"):
        server.pay("ORDER-1")


def test_everything_can_be_switched_over_http(server: WechatPayServer) -> None:
    base = f"{server.base_url}/simulator"
    order(server, "ORDER-1", "http://127.0.0.1:9/n")
    assert httpx.put(f"{base}/faults", json={"lose": 100}).json()["lose"] == 100
    assert httpx.get(f"{base}/faults").json()["corrupt"] == 0
    wrong = httpx.put(f"{base}/faults", json={"loose": 100})
    assert wrong.status_code == 400
    assert "did you mean 'lose'?" in wrong.json()["problem"]

    paid = httpx.post(f"{base}/pay", json={"out_trade_no": "ORDER-1", "coupon_fen": 34})
    assert paid.json()["amount"]["payer_total"] == 1200
    again = httpx.post(f"{base}/pay", json={"out_trade_no": "ORDER-1"})
    assert (again.status_code, "支付成功" in again.json()["problem"]) == (409, True)
    assert httpx.get(f"{base}/orders").json()[0]["description"] == "水费"
    tries(server, 1)
    assert httpx.get(f"{base}/notices").json()[0]["trouble"] == "lose"

    serial = httpx.post(f"{base}/certificate").json()["serial_no"]
    assert server.platform.keys.certificates[-1].serial == serial
    assert httpx.put(f"{base}/keys", json={"mode": "mixed"}).json() == {"mode": "mixed"}
    assert httpx.put(f"{base}/keys", json={"mode": "none"}).status_code == 400
    assert httpx.put(f"{base}/keys", content=b"[").status_code == 400
    assert httpx.post(f"{base}/settle", json={"out_refund_no": "R"}).status_code == 400
    assert httpx.post(f"{base}/pay", json={"coupon_fen": []}).status_code == 400
