"""An order that is closed while it is created is paid by nobody, whatever comes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from till import MERCHANT, NOW
from wechat_merchant import Clock, account_at

from billing.payments.judgement import Verdict
from billing.payments.order import OrderState
from billing.payments.provider import Notice, Ordered, Prepayment, Unpaid, UnreachableError
from billing.payments.wechat.client import WechatPay
from billing.store import payments_closing, payments_orders
from billing.store.payments_overlaps import close_superfluous
from billing.store.payments_sweep import Swept, sweep
from simulators.wechat_pay.books import NotPayableError
from simulators.wechat_pay.faults import Faults
from simulators.wechat_pay.merchant import Merchant
from simulators.wechat_pay.server import WechatPayServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from till import Till

    from billing.payments.order import Order
    from billing.payments.provider import Provider

EVERYTHING_LOST = Faults(hang_up=100)


class HeldBack(WechatPay):
    """A merchant account where something else happens just before or after what is asked."""

    before_create: Callable[[], object] | None = None
    after_create: Callable[[], object] | None = None
    after_query: Callable[[], object] | None = None

    def create(self, order: Ordered, *, now: datetime) -> Prepayment:
        self._happens("before_create")
        made = super().create(order, now=now)
        self._happens("after_create")
        return made

    def query(self, order_number: str, *, now: datetime) -> Notice | Unpaid:
        said = super().query(order_number, now=now)
        self._happens("after_query")
        return said

    def _happens(self, when: str) -> None:
        what, _ = getattr(self, when), setattr(self, when, None)
        if what is not None:
            what()


class Desk:
    """A till whose merchant has an account at a simulated WeChat Pay."""

    def __init__(self, till: Till, server: WechatPayServer, clock: Clock) -> None:
        self.till, self.server, self.clock = till, server, clock
        self.wechat = HeldBack(account_at(server, "http://127.0.0.1:9/notices"))
        self.database = till.books.database
        self.providers: dict[tuple[str, str], Provider] = {("wechat", MERCHANT): self.wechat}

    def create(self, order: Order) -> Prepayment | None:
        return payments_closing.create(self.database, self.wechat, asked(order), now=self.clock.now)

    def close(self, order: Order) -> Order:
        here = partial(
            payments_orders.close, number=order.number, actor="clerk", now=self.clock.now
        )
        return payments_closing.close(
            self.database, self.wechat, order.number, here, now=self.clock.now
        )

    def sweep(self, *, minutes: int) -> Swept:
        self.clock.pass_by(timedelta(minutes=minutes))
        return sweep(self.database, self.providers, now=self.clock.now)

    def assert_over(self, order: Order, state: OrderState = OrderState.CLOSED) -> None:
        """Assert that an order is over here, and is there, where nobody can pay it."""
        assert self.till.see(order.number).state is state
        assert order.number in self.server.platform.books.orders
        with pytest.raises(NotPayableError):
            self.server.pay(order.number)


def asked(order: Order) -> Ordered:
    return Ordered(
        number=order.number,
        amount_fen=order.amount,
        currency=order.currency,
        description="1-101",
        expires_at=order.expires_at,
    )


@pytest.fixture
def desk(till: Till) -> Iterator[Desk]:
    clock = Clock()
    clock.now = NOW
    merchant = replace(Merchant.made_up(7), mchid=MERCHANT)
    with WechatPayServer(clock=clock, merchant=merchant, refund_after_s=None) as server:
        found = Desk(till, server, clock)
        found.wechat.fetch_certificates(now=clock.now)
        yield found
        found.wechat.close_connections()


def test_an_order_is_closed_before_its_creation_arrives(desk: Desk) -> None:
    order = desk.till.order()
    desk.wechat.before_create = lambda: desk.close(order)
    assert desk.create(order) is None
    desk.assert_over(order)


def test_an_order_is_closed_before_its_creation_is_answered(desk: Desk) -> None:
    order = desk.till.order()
    desk.wechat.after_create = lambda: desk.close(order)
    assert desk.create(order) is None
    desk.assert_over(order)


def test_an_order_is_created_between_its_closing_there_and_here(desk: Desk) -> None:
    order = desk.till.order()
    made = []
    close_there = desk.wechat.close

    def close_then_create(number: str, *, now: datetime) -> None:
        close_there(number, now=now)
        desk.wechat.close = close_there  # type: ignore[method-assign]  # it happens once
        made.append(desk.create(order))

    desk.wechat.close = close_then_create  # type: ignore[method-assign]  # it happens in between
    desk.close(order)
    assert [each is not None for each in made] == [True]
    desk.assert_over(order)


def test_the_answer_to_a_creation_is_lost_while_the_order_is_closed(desk: Desk) -> None:
    order = desk.till.order()

    def close_and_lose() -> None:
        desk.close(order)
        desk.server.set_faults(EVERYTHING_LOST)

    desk.wechat.before_create = close_and_lose
    assert desk.create(order) is None
    desk.assert_over(order)


def test_the_answer_to_a_creation_is_lost_and_the_order_stays_open(desk: Desk) -> None:
    order = desk.till.order()
    desk.server.set_faults(EVERYTHING_LOST)
    with pytest.raises(UnreachableError):
        desk.create(order)
    desk.server.set_faults(Faults())
    assert desk.create(order) is not None
    desk.server.pay(order.number)
    assert desk.sweep(minutes=1).taken[order.number].verdict is Verdict.POSTED


def test_what_is_created_after_its_caller_has_gone_is_closed_by_the_sweep(desk: Desk) -> None:
    order = desk.till.order()
    desk.close(order)
    desk.wechat.create(asked(order), now=NOW)  # nobody looks at the order afterwards
    assert desk.sweep(minutes=5).waiting == (order.number,)
    desk.assert_over(order)


def test_what_is_paid_before_the_sweep_closes_it_is_credit(desk: Desk) -> None:
    order = desk.till.order()
    desk.till.hand(order.amount)
    found = close_superfluous(desk.database, desk.providers, now=NOW)
    assert found.closed == (order.number,)
    desk.wechat.create(asked(order), now=NOW)
    desk.server.pay(order.number)
    assert desk.sweep(minutes=5).taken[order.number].verdict is Verdict.POSTED
    assert (desk.till.due(), desk.till.credit()) == ([], order.amount)
    assert desk.till.see(order.number).state is OrderState.PAID


def test_an_order_over_what_was_paid_meanwhile_is_closed_while_it_is_created(desk: Desk) -> None:
    order = desk.till.order()
    desk.till.hand(order.amount)
    desk.wechat.before_create = lambda: close_superfluous(desk.database, desk.providers, now=NOW)
    assert desk.create(order) is None
    desk.assert_over(order)


def test_an_order_expires_while_it_is_created(desk: Desk) -> None:
    order = desk.till.order()
    desk.clock.pass_by(timedelta(minutes=119))
    desk.wechat.before_create = lambda: desk.sweep(minutes=1)
    assert desk.create(order) is None
    desk.assert_over(order, OrderState.EXPIRED)
    assert desk.server.platform.books.orders[order.number].state == "CLOSED"


def test_an_order_is_created_while_it_expires(desk: Desk) -> None:
    order = desk.till.order()
    desk.wechat.after_query = lambda: desk.create(order)
    assert desk.sweep(minutes=120).expired == (order.number,)
    desk.assert_over(order, OrderState.EXPIRED)
    assert desk.server.platform.books.orders[order.number].state == "CLOSED"


def test_an_order_that_was_paid_just_now_is_neither_closed_nor_handed_out_again(
    desk: Desk,
) -> None:
    order = desk.till.order()
    assert desk.create(order) is not None
    desk.server.pay(order.number)
    desk.wechat.before_create = lambda: desk.sweep(minutes=1)
    assert desk.create(order) is None
    assert desk.till.see(order.number).state is OrderState.PAID
