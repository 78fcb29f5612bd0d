"""Bills are paid: online at a simulated WeChat Pay, at the counter, and given back."""

from __future__ import annotations

import asyncio
import dataclasses
import queue
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from scripted_server import ScriptedServer
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError
from wechat_merchant import PATIENCE_S, account_at

from api import paying
from api.providers import Providers
from api.rate import Limiter
from api.upkeep import payment_upkeep
from billing.payment_tables import payment, payment_callback
from billing.payments.wechat.client import WechatPay
from simulators.wechat_pay.books import RefundStatus
from simulators.wechat_pay.faults import Faults
from simulators.wechat_pay.server import WechatPayServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from conftest import House
    from scripted_server import Asked

    from billing.payments.provider import Ordered, Prepayment

BILL = "osmanthus-2026-10-0002"
CLAIM = f"bill:{BILL}"


@dataclasses.dataclass
class Shop:
    """The house with an account at WeChat Pay; its notices wait in `sent`."""

    house: House
    wechat: WechatPayServer
    sent: queue.Queue[Asked] = dataclasses.field(default_factory=queue.Queue)

    @property
    def provider(self) -> WechatPay:
        found: WechatPay = self.house.app.state.resources.providers.wechat
        return found

    def order(self, key: str = "order-0001", caller: str = "li", **body: Any) -> Any:
        dues = self.dues()
        body = {"payment_code": dues["payment_code"], "pays": [{"claim": CLAIM}]} | body
        answer = self.house.caller(caller).post("/v1/payment-orders", key=key, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def dues(self) -> Any:
        return self.house.caller("li").get("/v1/payables").json()["items"][0]

    def notice(self) -> Asked:
        """Return the next notice that WeChat Pay has sent."""
        return self.sent.get(timeout=PATIENCE_S)

    def deliver(self, notice: Asked, **changes: Any) -> httpx.Response:
        arguments = {"content": notice.content, "headers": notice.headers} | changes
        return self.house.call("POST", "/v1/callbacks/wechat", **arguments)

    def kept(self) -> list[tuple[str, str | None]]:
        table = payment_callback
        with self.house.database.snapshot() as connection:
            rows = connection.execute(select(table.c.verdict, table.c.reason).order_by(table.c.id))
            return [(row.verdict, row.reason) for row in rows]

    def payments(self) -> int:
        with self.house.database.snapshot() as connection:
            return int(connection.scalar(select(func.count()).select_from(payment)) or 0)


@pytest.fixture
def shop(billed: House) -> Iterator[Shop]:
    """September and October issued; WeChat Pay's clock is the house's."""
    sent: queue.Queue[Asked] = queue.Queue()

    def hear(asked: Asked) -> tuple[int, str]:
        sent.put(asked)
        return 204, ""

    with (
        ScriptedServer(hear) as ear,
        WechatPayServer(clock=lambda: billed.now, refund_after_s=None) as wechat,
    ):
        provider = WechatPay(account_at(wechat, f"http://{ear.host}:{ear.port}/notices"))
        resources = billed.app.state.resources
        billed.app.state.resources = dataclasses.replace(resources, providers=Providers(provider))
        provider.fetch_certificates(now=billed.now)
        yield Shop(billed, wechat, sent)
        provider.close_connections()


def test_a_bill_is_paid_by_the_code_of_its_order(shop: Shop) -> None:
    due = shop.dues()
    october = next(each for each in due["payables"] if each["bill"] == BILL)
    order = shop.order()
    assert order["state"] == "open"
    assert order["amount"] == october["due"]
    assert order["code_url"].startswith("weixin://wxpay/bizpayurl")
    shop.wechat.pay(order["number"])
    assert shop.deliver(shop.notice()).status_code == 204
    li = shop.house.caller("li")
    paid = li.get(f"/v1/payment-orders/{order['number']}").json()
    assert (paid["state"], paid["code_url"]) == ("paid", None)
    assert BILL not in {each["bill"] for each in shop.dues()["payables"]}
    made = li.get("/v1/payments").json()["items"]
    assert [(each["channel"], each["state"], each["amount"]) for each in made] == [
        ("wechat", "posted", order["amount"])
    ]
    receipt = li.get(f"/v1/payments/{made[0]['id']}/receipt").json()
    assert receipt["number"] == "osmanthus-R000001"
    assert receipt["pays"] == [{"claim": CLAIM, "amount": order["amount"]}]
    assert receipt["credit"] == "0.00"


@pytest.mark.parametrize(
    ("language", "pay", "paid", "scan"),
    [("en", "Pay", "Paid", "Scan with WeChat"), ("zh-CN", "缴费", "已缴清", "微信扫一扫")],
)
def test_a_bill_is_paid_on_its_page(
    shop: Shop, language: str, pay: str, paid: str, scan: str
) -> None:
    li = shop.house.reader("li", language)
    before = li.get(f"/bills/{BILL}").text
    assert f'<button class="main">{pay}</button>' in before
    assert "1000 0000 0287" in before
    led = li.post(f"/bills/{BILL}/pay", csrf=li.csrf(f"/bills/{BILL}"))
    assert led.status_code == 303
    waiting = li.get(led.headers["location"]).text
    assert scan in waiting
    assert "<svg" in waiting
    assert '<meta http-equiv="refresh" content="5">' in waiting
    shop.wechat.pay(led.headers["location"].rpartition("/")[2])
    shop.deliver(shop.notice())
    after = li.get(led.headers["location"]).text
    assert "<svg" not in after
    assert "http-equiv" not in after
    receipt = after.split('href="/receipts/', 1)[1].split('"', 1)[0]
    assert "osmanthus-R000001" in li.get(f"/receipts/{receipt}").text
    assert shop.house.reader("chen").get(f"/receipts/{receipt}").status_code == 404
    assert f'<span class="badge good">{paid}</span>' in li.get(f"/bills/{BILL}").text
    assert f'href="/receipts/{receipt}"' in li.get("/account").text


def test_the_list_of_bills_says_what_is_due_overdue_and_paid(billed: House) -> None:
    def badges() -> list[str]:
        page = billed.reader("li").get("/").text
        return re.findall(r'<span class="badge [a-z]+">([^<]+)</span>', page)

    assert badges() == ["Due 30 Nov 2026", "Due 30 Nov 2026"]
    page = billed.reader("li").get("/").text
    assert "¥964.52 are due in all for 1-201." in page
    hand(billed, "cash-0001", "463.54")  # by policy the oldest bill first
    assert badges() == ["Due 30 Nov 2026", "Paid"]
    assert "are due in all" not in billed.reader("li").get("/").text
    billed.now += timedelta(days=20)
    assert badges() == ["Was due 30 Nov 2026", "Paid"]


OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


def test_a_bill_is_paid_inside_wechat(shop: Shop) -> None:
    by_code = shop.order()
    order = shop.order("order-0002", scene="jsapi", payer_openid=OPENID)
    assert (by_code["scene"], by_code["jsapi"]) == ("native", None)
    assert (order["scene"], order["code_url"]) == ("jsapi", None)
    assert order["overlapping"] == [by_code["number"]]
    assert order["number"] != by_code["number"]
    assert shop.order("order-0003", scene="jsapi", payer_openid=OPENID) == order
    assert shop.order("order-0003", scene="jsapi", payer_openid=OPENID) == order
    assert shop.order("order-0004")["code_url"] == by_code["code_url"]
    other = shop.order("order-0005", scene="jsapi", payer_openid="oSomebodyElse")
    assert other["number"] != order["number"]
    path = f"/v1/payment-orders/{order['number']}"
    assert shop.house.caller("li").get(path).json()["jsapi"] == order["jsapi"]
    page = shop.house.reader("li", "zh-CN").get(f"/orders/{order['number']}").text
    assert "此订单在微信内支付" in page
    assert "<svg" not in page

    address = f"{shop.wechat.base_url}/simulator/request-payment"
    forged = httpx.post(address, json=order["jsapi"] | {"package": other["jsapi"]["package"]})
    assert (forged.status_code, "支付验证签名失败" in forged.text) == (409, True)
    assert httpx.post(address, json=order["jsapi"]).json()["payer"] == {"openid": OPENID}
    assert shop.deliver(shop.notice()).status_code == 204
    paid = shop.house.caller("li").get(path).json()
    assert (paid["state"], paid["scene"], paid["jsapi"]) == ("paid", "jsapi", None)
    assert BILL not in {each["bill"] for each in shop.dues()["payables"]}


def test_what_is_asked_for_inside_wechat_is_the_same_after_a_restart(shop: Shop) -> None:
    order = shop.order(scene="jsapi", payer_openid=OPENID)
    shop.house.app.state.resources.providers._prepaid.clear()
    path = f"/v1/payment-orders/{order['number']}"
    again = shop.house.caller("li").get(path).json()["jsapi"]
    assert again["package"] == order["jsapi"]["package"]
    assert again["paySign"] != order["jsapi"]["paySign"]
    answer = httpx.post(f"{shop.wechat.base_url}/simulator/request-payment", json=again)
    assert answer.json()["out_trade_no"] == order["number"]


@pytest.mark.parametrize(
    ("body", "english", "chinese"),
    [
        ({"scene": "jsapi"}, "state `payer_openid`", "请填写 `payer_openid`"),
        ({"payer_openid": OPENID}, "leave it out", "请去掉它"),
        ({"scene": "native", "payer_openid": OPENID}, "leave it out", "请去掉它"),
    ],
)
def test_a_payer_is_named_for_jsapi_alone(
    shop: Shop, body: dict[str, str], english: str, chinese: str
) -> None:
    new = {"payment_code": shop.dues()["payment_code"], "pays": [{"claim": CLAIM}], **body}
    for tag, said in (("en", english), ("zh-CN", chinese)):
        headers = {"Idempotency-Key": "order-0001", "Accept-Language": tag}
        answer = shop.house.caller("li").call(
            "POST", "/v1/payment-orders", json=new, headers=headers
        )
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/payment-refused")
        assert said in answer.json()["detail"]
    assert shop.wechat.platform.books.orders == {}


@pytest.mark.parametrize("wrong", [{"scene": "app"}, {"scene": "jsapi", "payer_openid": "老李"}])
def test_a_scene_or_openid_that_there_is_not_is_named(shop: Shop, wrong: dict[str, str]) -> None:
    new = {"payment_code": shop.dues()["payment_code"], "pays": [{"claim": CLAIM}], **wrong}
    answer = shop.house.caller("li").post("/v1/payment-orders", key="order-0001", json=new)
    assert answer.status_code == 422
    assert [each["where"] for each in answer.json()["errors"]] == [f"body.{[*wrong][-1]}"]


def test_nobody_pays_a_bill_on_a_page_that_is_not_theirs(shop: Shop) -> None:
    chen = shop.house.reader("chen")
    assert chen.post(f"/bills/{BILL}/pay", csrf=chen.csrf("/")).status_code == 404
    assert chen.post(f"/bills/{BILL}/pay", csrf="guessed").status_code == 403


def test_an_owner_sees_nothing_of_what_others_pay(shop: Shop) -> None:
    order = shop.order()
    shop.wechat.pay(order["number"])
    shop.deliver(shop.notice())
    made = shop.house.caller("li").get("/v1/payments").json()["items"][0]["id"]
    chen = shop.house.caller("chen")
    for path in (
        f"/v1/payment-orders/{order['number']}",
        f"/v1/payments/{made}",
        f"/v1/payments/{made}/receipt",
        f"/v1/payables?code={shop.dues()['payment_code']}",
    ):
        assert chen.get(path).status_code == 404, path
    closing = chen.post(f"/v1/payment-orders/{order['number']}/close", key="close-001")
    assert closing.status_code == 404


def test_the_same_call_and_the_same_wish_come_to_one_order(shop: Shop) -> None:
    first = shop.order()
    assert shop.order() == first
    assert shop.order("order-0002") == first
    part = shop.order("order-0003", pays=[{"claim": CLAIM, "amount": "1.00"}])
    assert part["amount"] == "1.00"
    assert part["overlapping"] == [first["number"]]


def test_fifty_notices_at_once_post_once(shop: Shop) -> None:
    order = shop.order()
    shop.wechat.pay(order["number"])
    notice = shop.notice()

    async def all_at_once() -> list[int]:
        transport = httpx.ASGITransport(shop.house.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://court") as client:
            calls = [
                client.post("/v1/callbacks/wechat", content=notice.content, headers=notice.headers)
                for _ in range(50)
            ]
            return [answer.status_code for answer in await asyncio.gather(*calls)]

    assert shop.house.runner.run(all_at_once()) == [204] * 50
    assert shop.payments() == 1
    assert sorted(verdict for verdict, _ in shop.kept()) == ["known"] * 49 + ["posted"]


def test_a_notice_that_could_not_be_committed_is_sent_again(shop: Shop) -> None:
    order = shop.order()
    shop.wechat.pay(order["number"])
    notice = shop.notice()

    def full(_: object) -> None:
        raise OperationalError("COMMIT", None, Exception("database or disk is full"))

    event.listen(shop.house.database.engine, "commit", full)
    assert shop.deliver(notice).status_code == 500
    event.remove(shop.house.database.engine, "commit", full)
    assert (shop.payments(), shop.kept()) == (0, [])
    assert shop.deliver(notice).status_code == 204
    assert shop.kept() == [("posted", None)]


def test_what_is_proven_is_taken_however_much_of_it_comes(shop: Shop) -> None:
    resources = shop.house.app.state.resources
    settings = resources.settings.model_copy(update={"address_calls_per_minute": 1})
    order = shop.order()
    shop.house.app.state.resources = dataclasses.replace(
        resources, settings=settings, limiter=Limiter()
    )
    shop.wechat.pay(order["number"])
    notice = shop.notice()
    assert [shop.deliver(notice).status_code for _ in range(3)] == [204] * 3
    forged = [shop.deliver(notice, content=b"{}").status_code for _ in range(3)]
    assert forged == [400, 429, 429]
    assert [verdict for verdict, _ in shop.kept()] == ["posted", "known", "known", "refused"]
    assert shop.deliver(notice).status_code == 204


def test_what_is_forged_old_or_a_probe_is_refused_and_kept(shop: Shop) -> None:
    order = shop.order()
    shop.wechat.set_faults(Faults(probe=100))
    shop.wechat.pay(order["number"])
    probe, notice = shop.notice(), shop.notice()
    assert shop.deliver(probe).status_code == 400
    assert shop.deliver(notice, content=notice.content + b" ").status_code == 400
    assert shop.deliver(notice, headers={}).status_code == 400
    shop.house.now += timedelta(minutes=6)
    old = shop.deliver(notice)
    assert (old.status_code, old.json()["code"]) == (400, "FAIL")
    assert shop.payments() == 0
    kept = shop.kept()
    assert [verdict for verdict, _ in kept] == ["refused"] * 4
    assert all(str(reason).startswith("not authentic: ") for _, reason in kept)
    huge = shop.house.call("POST", "/v1/callbacks/wechat", content=b" " * 70_000)
    assert huge.status_code == 413
    assert len(shop.kept()) == 4


def ticks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], None]]:
    """Return what the scheduler is given from here on, by name; nothing of it ticks by itself."""
    given: dict[str, Callable[[], None]] = {}

    def add(_: BackgroundScheduler, tick: Callable[[], None], trigger: str, **when: Any) -> None:
        assert (trigger, when.get("minutes"), when.get("seconds")) in {
            ("interval", 4, None),
            ("interval", None, 10),
        }
        given[tick.__name__] = tick

    monkeypatch.setattr(BackgroundScheduler, "add_job", add)
    return given


def test_other_orders_over_a_bill_that_is_paid_are_closed_at_the_provider(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given = ticks(monkeypatch)
    whole, part = shop.order(), shop.order("order-0002", pays=[{"claim": CLAIM, "amount": "1.00"}])
    resources, li = shop.house.app.state.resources, shop.house.caller("li")

    def state() -> str:
        return str(li.get(f"/v1/payment-orders/{part['number']}").json()["state"])

    with payment_upkeep(resources.database, resources.providers, resources.now):
        close = given["close"]
        close()
        assert state() == "open"
        shop.wechat.pay(whole["number"])
        assert shop.deliver(shop.notice()).status_code == 204
        shop.wechat.set_faults(Faults(system_error=100))
        close()
        assert state() == "open"
        assert f"order {part['number']} is for what is paid, and is not closed yet" in caplog.text
        shop.wechat.set_faults(Faults())
        close()
        assert state() == "closed"
    with pytest.raises(Exception, match=part["number"]):
        shop.wechat.pay(part["number"])


def test_who_pays_another_order_meanwhile_has_the_money_as_credit(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ticks(monkeypatch)
    whole, part = shop.order(), shop.order("order-0002", pays=[{"claim": CLAIM, "amount": "1.00"}])
    shop.wechat.pay(whole["number"])
    first = shop.notice()
    shop.wechat.pay(part["number"])
    second = shop.notice()
    assert shop.deliver(first).status_code == 204
    resources = shop.house.app.state.resources
    with payment_upkeep(resources.database, resources.providers, resources.now):
        given["close"]()
    li = shop.house.caller("li")
    assert li.get(f"/v1/payment-orders/{part['number']}").json()["state"] == "open"
    assert shop.deliver(second).status_code == 204
    assert li.get(f"/v1/payment-orders/{part['number']}").json()["state"] == "paid"
    assert shop.dues()["credit"] == "1.00"


def test_a_payment_is_found_whose_callback_never_came(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ticks(monkeypatch)
    order, part = shop.order(), shop.order("order-0002", pays=[{"claim": CLAIM, "amount": "1.00"}])
    shop.wechat.pay(order["number"])
    shop.notice()
    resources = shop.house.app.state.resources
    with payment_upkeep(resources.database, resources.providers, resources.now):
        tick = given["tick"]
        tick()
        assert shop.payments() == 0
        shop.house.now += timedelta(minutes=4)
        shop.wechat.set_faults(Faults(system_error=100))
        tick()
        assert shop.payments() == 0
        shop.wechat.set_faults(Faults())
        shop.house.now += timedelta(minutes=4)
        tick()
        tick()
    assert shop.payments() == 1
    assert shop.kept() == [("posted", None)]
    li = shop.house.caller("li")
    assert li.get(f"/v1/payment-orders/{order['number']}").json()["state"] == "paid"
    assert li.get(f"/v1/payment-orders/{part['number']}").json()["state"] == "open"


def test_an_order_is_closed_at_the_provider_too(shop: Shop) -> None:
    order = shop.order()
    li = shop.house.caller("li")
    for key in ("close-001", "close-002"):
        closed = li.post(f"/v1/payment-orders/{order['number']}/close", key=key)
        assert (closed.status_code, closed.json()["state"]) == (200, "closed")
    with pytest.raises(Exception, match=order["number"]):
        shop.wechat.pay(order["number"])


def test_an_order_that_is_closed_while_it_is_opened_is_answered_as_closed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, resources = shop.provider.create, shop.house.app.state.resources
    shown = []

    def closed_first(order: Ordered, *, now: datetime) -> Prepayment:
        if not shown:
            shown.append(order.number)
            paying.end(resources, order.number, actor="clerk")
        return create(order, now=now)

    monkeypatch.setattr(shop.provider, "create", closed_first)
    order = shop.order()
    assert (order["state"], order["code_url"]) == ("closed", None)
    with pytest.raises(Exception, match=order["number"]):
        shop.wechat.pay(order["number"])
    again = shop.order("order-0002")
    assert (again["state"], again["number"] == order["number"]) == ("open", False)
    shown.clear()
    resources.providers._prepaid.clear()  # as after a restart
    page = shop.house.reader("li").get(f"/orders/{again['number']}").text
    assert "<svg" not in page
    assert 'http-equiv="refresh"' not in page


def test_an_order_that_was_paid_just_now_is_not_closed(shop: Shop) -> None:
    order = shop.order()
    shop.wechat.pay(order["number"])
    closing = shop.house.caller("li").post(
        f"/v1/payment-orders/{order['number']}/close", key="close-001"
    )
    assert closing.status_code == 502
    assert closing.json()["type"] == "/problems/provider-refused"
    assert shop.deliver(shop.notice()).status_code == 204


def test_a_provider_that_is_away_is_told_and_the_same_call_comes_to_the_same_order(
    shop: Shop,
) -> None:
    code = shop.dues()["payment_code"]
    body = {"payment_code": code, "pays": [{"claim": CLAIM}]}
    shop.wechat.set_faults(Faults(system_error=100))
    li = shop.house.caller("li")
    away = li.post("/v1/payment-orders", key="order-0001", json=body)
    assert away.status_code == 503
    assert away.json()["type"] == "/problems/provider-unavailable"
    shop.wechat.set_faults(Faults())
    assert shop.order()["state"] == "open"


def test_what_is_not_owed_is_not_ordered(shop: Shop) -> None:
    code = shop.dues()["payment_code"]
    for pays in ([{"claim": "bill:other"}], [{"claim": CLAIM, "amount": "99999.00"}], []):
        answer = shop.house.caller("li").post(
            "/v1/payment-orders", key="order-0001", json={"payment_code": code, "pays": pays}
        )
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/payment-refused")


def test_a_refund_goes_back_where_it_came_from_after_four_eyes(shop: Shop) -> None:
    dues = shop.dues()
    order = shop.order(pays=[], in_advance="1000.00")
    shop.wechat.pay(order["number"])
    shop.deliver(shop.notice())
    credit = fen(shop.dues()["credit"])
    assert credit == 1000_00 - fen(dues["due"])
    clerk, approver = shop.house.caller("clerk"), shop.house.caller("approver")
    made = clerk.get(f"/v1/payments?code={dues['payment_code']}").json()["items"][0]["id"]
    asked = clerk.post(
        f"/v1/payments/{made}/refunds", key="refund-01", json={"amount": "20.00", "reason": "moved"}
    ).json()
    number = asked["number"]
    assert (asked["state"], fen(shop.dues()["credit"])) == ("requested", credit - 20_00)
    approved = approver.post(f"/v1/refunds/{number}/approve", key="refund-02").json()
    assert approved["state"] == "approved"
    sent = clerk.post(f"/v1/refunds/{number}/execute", key="refund-03").json()
    assert sent["state"] == "approved"
    shop.wechat.settle(number, RefundStatus.SUCCESS)
    assert shop.deliver(shop.notice()).status_code == 204
    assert clerk.get(f"/v1/refunds/{number}").json()["state"] == "executed"


def hand(house: House, key: str, amount: str, document: str = "slip 1") -> httpx.Response:
    code = house.caller("li").get("/v1/payables").json()["items"][0]["payment_code"]
    body = {"payment_code": code, "channel": "cash", "amount": amount, "document": document}
    return house.caller("clerk").post("/v1/payments", key=key, json=body)


def test_cash_above_the_limit_waits_for_somebody_else(billed: House) -> None:
    made = hand(billed, "cash-0001", "6000.00").json()
    assert made["state"] == "entered"
    clerk, approver = billed.caller("clerk"), billed.caller("approver")
    waiting = clerk.get("/v1/waiting-payments?community=osmanthus").json()["items"]
    assert [each["id"] for each in waiting] == [made["id"]]
    assert clerk.post(f"/v1/payments/{made['id']}/approve", key="cash-0002").status_code == 403
    answer = approver.post(f"/v1/payments/{made['id']}/approve", key="cash-0003")
    assert (answer.status_code, answer.json()["state"]) == (200, "posted")
    again = approver.post(f"/v1/payments/{made['id']}/reject", key="cash-0004")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/payment-refused")


def test_whoever_entered_a_payment_does_not_undo_it(billed: House) -> None:
    made = hand(billed, "cash-0001", "10.00").json()
    assert hand(billed, "cash-0002", "10.00").json() == made
    path, why = f"/v1/payments/{made['id']}/reverse", {"kind": "mistaken", "reason": "not theirs"}
    own = billed.caller("clerk").post(path, key="undo-0001", json=why)
    assert (own.status_code, own.json()["type"]) == (409, "/problems/four-eyes")
    undone = billed.caller("approver").post(path, key="undo-0002", json=why).json()
    assert (undone["state"], undone["reversed_by"]) == ("reversed", "approver")
    seen = billed.caller("li").get(f"/v1/payments/{made['id']}").json()
    assert (seen["state"], seen["entered_by"], seen["reversal_reason"]) == ("reversed", None, None)
    assert billed.caller("li").get(f"/v1/payments/{made['id']}/receipt").json()["undone"]


def test_a_statement_of_account_adds_up(billed: House) -> None:
    hand(billed, "cash-0001", "10.00")
    code = billed.caller("li").get("/v1/payables").json()["items"][0]["payment_code"]
    found = (
        billed.caller("li")
        .get(f"/v1/account-statement?code={code}&from=2026-11-01&to=2026-11-30")
        .json()
    )
    assert [line["kind"] for line in found["lines"]].count("payment") == 1
    changed = sum(fen(line["amount"]) for line in found["lines"])
    assert fen(found["opening"]) + changed == fen(found["closing"])
    backwards = billed.caller("li").get(
        f"/v1/account-statement?code={code}&from=2026-11-02&to=2026-11-01"
    )
    assert backwards.status_code == 422


def test_without_a_provider_the_counter_is_named(billed: House) -> None:
    code = billed.caller("li").get("/v1/payables").json()["items"][0]["payment_code"]
    answer = billed.caller("li").post(
        "/v1/payment-orders",
        key="order-0001",
        json={"payment_code": code, "pays": [{"claim": CLAIM}]},
    )
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/no-payment-provider")
    assert "payment code" in answer.json()["detail"]
    page = billed.reader("li").get(f"/bills/{BILL}").text
    assert "name the payment code 1000 0000 0287." in page
    assert f'action="/bills/{BILL}/pay"' not in page


def fen(amount: str) -> int:
    return int(amount.replace(".", ""))
