"""What providers say is kept, judged and posted at once; nothing is taken twice or lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from till import MERCHANT, NOW, Till, notice

from billing.payments.judgement import Verdict
from billing.payments.order import OrderState
from billing.payments.provider import (
    MalformedNoticeError,
    NotAuthenticError,
    NoticeState,
)
from billing.store import payments_orders

if TYPE_CHECKING:
    from billing.payments.judgement import Outcome

OCTOBER = "bill:yard-2026-10-0001"


def test_a_notice_pays_the_bills_of_its_order(till: Till) -> None:
    (claim, due), *others = till.due()
    assert (claim, others) == (OCTOBER, [])
    order = till.order()

    outcome = till.take(notice(order), body=b'{"id": 1}')

    assert (outcome.verdict, outcome.reason, outcome.accepted) == (Verdict.POSTED, None, True)
    assert (till.due(), till.credit()) == ([], 0)
    assert till.see(order.number).state is OrderState.PAID
    assert till.balance()["clearing:wechat"] == due
    till.assert_books_agree()
    kept = till.books.rows("SELECT provider, source, headers, body, verdict FROM payment_callback")
    assert [(a, b, c, bytes(d), e) for a, b, c, d, e in kept] == [
        ("wechat", "callback", '{"a":"b"}', b'{"id": 1}', "posted")
    ]


def test_the_same_notice_again_is_the_payment_of_the_first(till: Till) -> None:
    order = till.order()
    first = till.take(notice(order))

    again = till.take(notice(order))

    assert (again.verdict, again.payment_id) == (Verdict.KNOWN, first.payment_id)
    assert again.accepted
    assert till.books.rows("SELECT count(*) FROM payment") == [(1,)]
    assert till.books.rows("SELECT count(*) FROM payment_callback") == [(2,)]
    assert till.credit() == 0


def test_fifty_that_come_at_once_post_once(till: Till) -> None:
    order = till.order()
    said = notice(order)

    with ThreadPoolExecutor(50) as threads:
        outcomes: list[Outcome] = list(threads.map(lambda _: till.take(said), range(50)))

    verdicts = [each.verdict for each in outcomes]
    assert (verdicts.count(Verdict.POSTED), verdicts.count(Verdict.KNOWN)) == (1, 49)
    assert len({each.payment_id for each in outcomes}) == 1
    for table, count in (("payment", 1), ("receipt", 1), ("payment_callback", 50)):
        assert till.books.rows(f"SELECT count(*) FROM {table}") == [(count,)]  # noqa: S608  names of ours
    assert (till.due(), till.credit()) == ([], 0)
    till.assert_books_agree()


def test_many_payments_at_once_of_one_account_keep_to_the_fen(till: Till) -> None:
    due = till.dues().due
    orders = [till.order(claims={OCTOBER: 1000 + step}) for step in range(12)]

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda it: till.take(notice(it[1], f"T{it[0]}")), enumerate(orders)))

    paid = sum(each.amount for each in orders)
    assert (till.dues().due, till.credit()) == (due - paid, 0)
    numbers = till.books.rows("SELECT number FROM receipt ORDER BY number")
    assert numbers == [(number,) for number in range(1, 13)]
    till.assert_books_agree()


def test_what_an_order_pays_twice_is_credit(sqlite_till: Till) -> None:
    """As from the phone and at the counter."""
    till = sqlite_till
    due = till.dues().due
    phone = till.order()
    counter = till.order(channel="alipay")

    till.take(notice(phone, "T1"))
    second = till.take(notice(counter, "T2"))

    assert second.verdict is Verdict.POSTED
    assert (till.due(), till.credit()) == ([], due)
    till.assert_books_agree()


def test_two_transactions_of_one_order_are_both_the_accounts(sqlite_till: Till) -> None:
    order = sqlite_till.order()
    sqlite_till.take(notice(order, "T1"))

    second = sqlite_till.take(notice(order, "T2"))

    assert second.verdict is Verdict.POSTED
    assert sqlite_till.credit() == order.amount


@pytest.mark.parametrize("state", ["closed", "expired"])
def test_money_that_comes_after_its_order_has_ended_is_taken(state: str, till: Till) -> None:
    order = till.order()
    with till.books.database.transaction() as connection:
        payments_orders.end(connection, order, OrderState(state), now=NOW)

    outcome = till.take(notice(order), now=NOW + timedelta(days=3))

    assert (outcome.verdict, till.due(), till.credit()) == (Verdict.POSTED, [], 0)
    assert till.see(order.number).state is OrderState.PAID


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"order_number": "P20261204ffff"}, "unknown order: there is no order 'P20261204ffff'"),
        ({"amount_fen": 1}, "wrong amount: order {number} is of {amount}, the notice of 1"),
        ({"currency": "USD"}, "wrong currency: order {number} is of CNY, the notice of USD"),
        (
            {"merchant": "9"},
            "wrong merchant: order {number} is of " + MERCHANT + ", the notice of 9",
        ),
        (
            {"provider": "alipay"},
            "wrong provider: order {number} is of wechat, the notice of alipay",
        ),
    ],
)
def test_what_does_not_fit_is_kept_and_never_posted(
    changes: dict[str, Any], reason: str, sqlite_till: Till
) -> None:
    till = sqlite_till
    order = till.order()

    outcome = till.take(notice(order, **changes))

    assert not outcome.accepted
    assert outcome.reason == reason.format(number=order.number, amount=order.amount)
    assert till.books.rows("SELECT verdict, reason FROM payment_callback") == [
        ("refused", outcome.reason)
    ]
    assert till.books.rows("SELECT count(*) FROM payment") == [(0,)]
    assert till.see(order.number).state is OrderState.OPEN


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotAuthenticError("the signature is wrong"), "not authentic: the signature is wrong"),
        (MalformedNoticeError("no amount"), "malformed: no amount"),
    ],
)
def test_what_cannot_be_read_is_kept_too(
    error: NotAuthenticError | MalformedNoticeError, reason: str, sqlite_till: Till
) -> None:
    outcome = sqlite_till.take(error, body=b"\x00\xff")

    assert (outcome.accepted, outcome.reason) == (False, reason)
    ((body,),) = sqlite_till.books.rows("SELECT body FROM payment_callback")
    assert bytes(body) == b"\x00\xff"


def test_a_transaction_pays_one_order_only(sqlite_till: Till) -> None:
    first = sqlite_till.order(claims={OCTOBER: 100})
    other = sqlite_till.order(claims={OCTOBER: 100}, now=NOW + timedelta(hours=3))
    sqlite_till.take(notice(first, "T1"))

    outcome = sqlite_till.take(notice(other, "T1"))

    assert not outcome.accepted
    assert str(outcome.reason).startswith("paid otherwise: transaction T1 is payment 1")


def test_a_payment_that_has_failed_leaves_its_order_open(sqlite_till: Till) -> None:
    order = sqlite_till.order()

    outcome = sqlite_till.take(notice(order, state=NoticeState.FAILED))

    assert (outcome.verdict, outcome.accepted) == (Verdict.NOTED, True)
    assert sqlite_till.see(order.number).state is OrderState.OPEN
    assert sqlite_till.due() == [(OCTOBER, order.amount)]


def test_a_payment_that_the_provider_has_refunded_since_has_still_come(sqlite_till: Till) -> None:
    order = sqlite_till.order()

    outcome = sqlite_till.take(notice(order, state=NoticeState.REFUNDED))

    assert outcome.verdict is Verdict.POSTED
    assert "compare its refunds with ours" in str(outcome.reason)


def test_what_fails_half_way_leaves_nothing(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    order = till.order()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("billing.store.payments_receipts.issue", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        till.take(notice(order))
    monkeypatch.undo()

    for table in ("payment", "application", "payment_callback", "receipt"):
        assert till.books.rows(f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608  names of ours
    assert till.take(notice(order)).verdict is Verdict.POSTED
    assert till.books.rows("SELECT number FROM receipt") == [(1,)]
