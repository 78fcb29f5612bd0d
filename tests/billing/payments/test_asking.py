"""Orders are asked about in time, and a payment is found whose callback never came."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from till import MERCHANT, NOW, Till, notice

from billing.payment_tables import payment_order
from billing.payments.asking import FOUND_WITHIN, is_due, next_question
from billing.payments.judgement import Verdict
from billing.payments.order import Order, OrderError, OrderState
from billing.payments.provider import (
    Notice,
    NoticeState,
    RefusedError,
    Scene,
    Unpaid,
    UnreachableError,
)
from billing.store import payments_orders
from billing.store.payments_orders import UnknownOrderError
from billing.store.payments_sweep import Swept, sweep

if TYPE_CHECKING:
    from billing.payments.provider import Provider

MINUTE = timedelta(minutes=1)


def an_order(state: OrderState = OrderState.OPEN, **times: datetime | None) -> Order:
    return Order(
        id=1,
        number="P20261204abcd",
        community_id=1,
        account_id=1,
        channel="wechat",
        merchant=MERCHANT,
        scene=Scene.CODE,
        payer=None,
        amount=100,
        currency="CNY",
        claims={},
        state=state,
        created_by="owner",
        created_at=NOW,
        expires_at=NOW + timedelta(hours=2),
        ended_at=times.get("ended_at"),
        asked_at=times.get("asked_at"),
    )


def test_an_order_is_asked_about_each_minute_at_first_and_each_five_later() -> None:
    assert next_question(an_order()) == NOW + MINUTE
    assert next_question(an_order(asked_at=NOW + 4 * MINUTE)) == NOW + 5 * MINUTE
    assert next_question(an_order(asked_at=NOW + 30 * MINUTE)) == NOW + 35 * MINUTE
    assert next_question(an_order(asked_at=NOW + 118 * MINUTE)) == NOW + 120 * MINUTE


def test_what_has_ended_is_asked_about_for_an_hour_and_what_is_paid_never() -> None:
    ended = NOW + timedelta(hours=2)
    expired = an_order(OrderState.EXPIRED, ended_at=ended, asked_at=ended)
    late = an_order(OrderState.CLOSED, ended_at=ended, asked_at=ended + 56 * MINUTE)

    assert next_question(expired) == ended + 5 * MINUTE
    assert next_question(late) is None
    assert next_question(an_order(OrderState.PAID, ended_at=ended)) is None


@given(st.integers(0, 119), st.lists(st.integers(1, 4), min_size=150, max_size=150))
def test_a_payment_is_found_within_ten_minutes_of_being_made(
    paid_after: int, ticks: list[int]
) -> None:
    """Whenever it is made while the order is open, if a scheduler ticks at least each 4 minutes."""
    paid_at, now, order = NOW + paid_after * MINUTE, NOW, an_order()
    for tick in ticks:
        now += tick * MINUTE
        if is_due(order, now):
            if now >= paid_at:
                break
            order = an_order(asked_at=now)

    assert now - paid_at < FOUND_WITHIN


@dataclass
class Scripted:
    """A provider that answers what it was told to; `closed` are the orders that were closed."""

    answers: list[Notice | Unpaid | Exception]
    refuses_to_close: bool = False
    closed: list[str] = field(default_factory=list)

    def query(self, *_: str, **__: datetime) -> Notice | Unpaid:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self, order_number: str, **_: datetime) -> None:
        if self.refuses_to_close:
            raise RefusedError("ORDERPAID", "it is paid")
        self.closed.append(order_number)


def swept(till: Till, provider: Scripted, minutes: int) -> Swept:
    providers: dict[tuple[str, str], Provider] = {("wechat", MERCHANT): provider}  # type: ignore[dict-item]  # what a sweep needs of one
    return sweep(till.books.database, providers, now=NOW + minutes * MINUTE)


def test_a_payment_whose_callback_is_lost_is_found(till: Till) -> None:
    order = till.order()
    provider = Scripted([Unpaid.WAITING, notice(order)])

    assert swept(till, provider, 1).waiting == (order.number,)
    assert swept(till, provider, 1) == Swept(taken={}, expired=(), waiting=(), unanswered={})
    found = swept(till, provider, 2)

    assert found.taken[order.number].verdict is Verdict.POSTED
    assert (till.due(), till.see(order.number).state) == ([], OrderState.PAID)
    ((source, body),) = till.books.rows("SELECT source, body FROM payment_callback")
    assert (source, b'"transaction_id":"T1"' in bytes(body)) == ("query", True)
    assert till.take(notice(order)).verdict is Verdict.KNOWN


def test_an_order_whose_time_is_over_is_closed_at_the_provider_and_expires(
    sqlite_till: Till,
) -> None:
    order = sqlite_till.order()
    provider = Scripted([Unpaid.WAITING, Unpaid.CLOSED])

    assert swept(sqlite_till, provider, 121).expired == (order.number,)

    assert provider.closed == [order.number]
    assert sqlite_till.see(order.number).state is OrderState.EXPIRED
    assert swept(sqlite_till, provider, 127).waiting == (order.number,)


def test_what_is_paid_while_it_is_closed_is_taken(sqlite_till: Till) -> None:
    order = sqlite_till.order()
    provider = Scripted([Unpaid.WAITING, notice(order)], refuses_to_close=True)

    assert swept(sqlite_till, provider, 121).taken[order.number].verdict is Verdict.POSTED
    assert sqlite_till.due() == []


def test_what_cannot_be_asked_is_asked_again(sqlite_till: Till) -> None:
    order = sqlite_till.order()
    provider = Scripted([UnreachableError("no answer"), notice(order)])

    assert swept(sqlite_till, provider, 1).unanswered == {order.number: "no answer"}
    assert order.number in swept(sqlite_till, provider, 1).taken
    other = sqlite_till.order(in_advance=100, channel="alipay")
    assert swept(sqlite_till, provider, 2).unanswered == {
        other.number: f"no provider alipay is set up for {MERCHANT}"
    }


def test_a_failed_attempt_leaves_the_order_waiting(sqlite_till: Till) -> None:
    order = sqlite_till.order()
    provider = Scripted([notice(order, state=NoticeState.FAILED)])

    assert swept(sqlite_till, provider, 1).waiting == (order.number,)
    assert sqlite_till.books.rows("SELECT count(*) FROM payment_callback") == [(0,)]


def test_the_same_order_again_is_the_one_that_is_open(sqlite_till: Till) -> None:
    first = sqlite_till.order()

    assert sqlite_till.order().number == first.number
    assert sqlite_till.order(channel="alipay").number != first.number
    assert sqlite_till.order(now=NOW + timedelta(hours=2)).number != first.number


def test_an_order_is_opened_again_for_the_same_payer_and_scene_alone(till: Till) -> None:
    by_code = till.order()
    of_li, of_wang = (till.order(scene=Scene.IN_APP, payer=each) for each in ("oLi", "oWang"))

    assert len({by_code.number, of_li.number, of_wang.number}) == 3
    assert till.order(scene=Scene.IN_APP, payer="oLi") == of_li
    assert (of_li.scene, of_li.payer, by_code.payer) == (Scene.IN_APP, "oLi", None)
    of_one = payment_order.update().where(payment_order.c.id == of_li.id)
    for change in ({"payer": "oOther"}, {"payer": None, "scene": "code"}, {"scene": "browser"}):
        with (
            pytest.raises(DBAPIError, match=r"is not rewritten|payer_in_app"),
            till.books.database.transaction() as connection,
        ):
            connection.execute(of_one.values(change))


@pytest.mark.parametrize(
    ("scene", "payer", "why"),
    [
        (Scene.IN_APP, None, "state `payer_openid` to pay by `jsapi`"),
        (Scene.CODE, "oLi", "goes with the scene `jsapi` only"),
    ],
)
def test_a_payer_is_named_inside_an_app_and_only_there(
    sqlite_till: Till, scene: Scene, payer: str | None, why: str
) -> None:
    with pytest.raises(OrderError, match=why):
        sqlite_till.order(scene=scene, payer=payer)


def test_an_order_names_the_open_ones_that_it_overlaps(sqlite_till: Till) -> None:
    till = sqlite_till
    first = till.order()
    wish = payments_orders.Wish(
        claims={"bill:yard-2026-10-0001": 100},
        channel="wechat",
        merchant=MERCHANT,
        expires_at=NOW + timedelta(hours=1),
    )
    with till.books.database.transaction() as connection:
        opened = payments_orders.open_order(
            connection, first.account_id, wish, actor="owner", now=NOW
        )
        closed = payments_orders.close(connection, first.number, actor="owner", now=NOW)

    assert [each.number for each in opened.overlapping] == [first.number]
    assert (opened.again, closed.state) == (False, OrderState.CLOSED)
    with (
        pytest.raises(OrderError, match="is closed; only an open one is closed"),
        till.books.database.transaction() as connection,
    ):
        payments_orders.close(connection, first.number, actor="owner", now=NOW)
    with pytest.raises(UnknownOrderError, match="there is no payment order 'P-none'"):
        till.see("P-none")


def test_an_order_is_over_what_is_due_and_for_a_time(sqlite_till: Till) -> None:
    till = sqlite_till
    due = till.dues().due
    number = till.order().number
    assert (len(number), number.startswith("P20261204"), number.isalnum()) == (25, True, True)
    with pytest.raises(OrderError, match="cannot be paid of"):
        till.order(claims={"bill:yard-2026-10-0001": due + 1})
    with pytest.raises(OrderError, match="or an amount to pay in advance, not both"):
        till.order(claims={"bill:yard-2026-10-0001": 1}, in_advance=5)
    till.hand(due)
    with pytest.raises(OrderError, match="owes nothing by"):
        till.order(claims={"bill:yard-2026-10-0001": None})
    account_id = till.payer().account_id
    wish = payments_orders.Wish(
        claims={}, in_advance=5, channel="wechat", merchant="", expires_at=NOW
    )
    with (
        pytest.raises(OrderError, match="open for one minute to seven days"),
        till.books.database.transaction() as connection,
    ):
        payments_orders.open_order(connection, account_id, wish, actor="owner", now=NOW)
