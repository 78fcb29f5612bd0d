"""Notices that wait together are taken by one commit, and each as if it had come alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import OperationalError
from till import CASHIER, CLERK, MERCHANT, NOW, Till, notice

from billing.payments.judgement import Outcome
from billing.payments.order import OrderState
from billing.payments.provider import (
    MalformedNoticeError,
    NotAuthenticError,
    NoticeState,
    RefundNotice,
    RefundState,
)
from billing.store import payments_book, payments_refunds

if TYPE_CHECKING:
    from billing.payments.application import Applied
    from billing.payments.order import Order

OCTOBER = "bill:yard-2026-10-0001"
WHAT_WAS_POSTED = (
    (
        "SELECT payment_order_id, transaction_id, amount, state, entered_at FROM payment"
        " ORDER BY transaction_id"
    ),
    (
        "SELECT p.transaction_id, e.day, e.posted_at, s.position, s.ledger_account, s.account_id,"
        " s.amount FROM posting s JOIN journal_entry e ON e.reference = s.reference"
        " JOIN payment p ON e.reference = 'payment:' || p.id ORDER BY 1, 4"
    ),
    (
        "SELECT p.transaction_id, a.claim, a.category, a.amount FROM application a"
        " JOIN payment p ON a.reference = 'payment:' || p.id ORDER BY 1, 2, 3"
    ),
    (
        "SELECT p.transaction_id, r.issued_at, r.document FROM receipt r"
        " JOIN payment p ON p.id = r.payment_id ORDER BY 1"
    ),
    (
        "SELECT e.kind, e.account_id, e.at, p.transaction_id FROM event e"
        " JOIN payment p ON p.id || '' = e.subject WHERE e.kind = 'payment.posted' ORDER BY 4"
    ),
    "SELECT verdict, substr(reason, 1, 15), body FROM payment_callback ORDER BY body",
    "SELECT id, state, ended_at FROM payment_order ORDER BY id",
    "SELECT actor, action FROM audit ORDER BY position",
)
"""Each table that a notice writes to, without the ids that the database gives."""


def verdicts(outcomes: list[Outcome | Exception]) -> list[str]:
    return [str(each.verdict if isinstance(each, Outcome) else each) for each in outcomes]


def counts(till: Till) -> dict[str, int]:
    tables = ("payment", "receipt", "event", "payment_callback")
    return {each: int(till.books.rows(f"SELECT count(*) FROM {each}")[0][0]) for each in tables}  # noqa: S608  names of ours


def test_each_of_a_group_is_judged_by_itself(till: Till) -> None:
    first, second = till.order(claims={OCTOBER: 1000}), till.order(claims={OCTOBER: 2000})
    other = till.order("A-201")
    before = counts(till)

    outcomes = till.take_each(
        notice(first, "T1"),
        notice(first, "T1"),
        notice(first, "T9", order_number="P20261204ffff"),
        notice(second, "T2", amount_fen=1),
        notice(other, "T3"),
        NotAuthenticError("the signature is wrong"),
        notice(second, "T4"),
        MalformedNoticeError("no amount"),
        notice(other, "T5", state=NoticeState.FAILED),
    )

    assert verdicts(outcomes) == [
        *("posted", "known", "refused", "refused", "posted", "refused", "posted", "refused"),
        "noted",
    ]
    kept = till.books.rows("SELECT body, verdict, reason FROM payment_callback ORDER BY body")
    assert [(bytes(body), verdict) for body, verdict, _ in kept] == [
        (b"%d" % number, verdict) for number, verdict in enumerate(verdicts(outcomes))
    ]
    assert [reason for _, _, reason in kept] == [
        None,
        None,
        "unknown order: there is no order 'P20261204ffff'",
        f"wrong amount: order {second.number} is of 2000, the notice of 1",
        None,
        "not authentic: the signature is wrong",
        None,
        "malformed: no amount",
        "the payment has failed; the order can still be paid",
    ]
    after = counts(till)
    assert {name: after[name] - before[name] for name in after} == {
        "payment": 3,
        "receipt": 3,
        "event": 3,
        "payment_callback": 9,
    }
    assert till.balance()["clearing:wechat"] == 3000 + other.amount
    assert (till.due("A-201"), till.credit("A-201")) == ([], 0)
    till.assert_books_agree()


def test_a_group_comes_to_what_its_notices_come_to_one_by_one(
    sqlite_till: Till, postgresql_till: Till
) -> None:
    def said(till: Till) -> list[Any]:
        parts = [till.order(claims={OCTOBER: 100 + part}) for part in range(4)]
        rest = till.order("A-201", claims={}, in_advance=5000)
        return [
            *(notice(each, f"T{number}") for number, each in enumerate(parts)),
            notice(parts[0], "T0"),
            notice(rest, "T4"),
            notice(rest, "T5"),
            notice(parts[1], "T0"),
            notice(parts[2], "T6", currency="USD"),
        ]

    def posted(till: Till) -> list[Any]:
        def plain(value: Any) -> str:  # a time as SQLite has it, and as the other has it
            return str(value).replace(".000000", "").replace("+00:00", "")

        found = [till.books.rows(query) for query in WHAT_WAS_POSTED]
        return [[tuple(map(plain, row)) for row in rows] for rows in found]

    together = said(postgresql_till)
    grouped = postgresql_till.take_each(*together)
    alone = [sqlite_till.take(each, body=b"%d" % at) for at, each in enumerate(said(sqlite_till))]

    assert verdicts(grouped) == [str(each.verdict) for each in alone]
    assert posted(postgresql_till) == posted(sqlite_till)


def test_fifty_of_the_same_in_one_group_post_once(till: Till) -> None:
    order = till.order()

    outcomes = till.take_each(*[notice(order)] * 50)

    assert verdicts(outcomes) == ["posted"] + ["known"] * 49
    assert len({each.payment_id for each in outcomes if isinstance(each, Outcome)}) == 1
    after = counts(till)
    assert (after["payment"], after["receipt"], after["payment_callback"]) == (1, 1, 50)
    assert (till.due(), till.credit()) == ([], 0)
    till.assert_books_agree()


def test_many_payments_of_one_account_in_a_group_keep_to_the_fen(till: Till) -> None:
    due = till.dues().due
    orders = [till.order(claims={OCTOBER: 1000 + step}) for step in range(12)]

    till.take_each(*(notice(each, f"T{step}") for step, each in enumerate(orders)))

    paid = sum(each.amount for each in orders)
    assert (till.dues().due, till.credit()) == (due - paid, 0)
    numbers = till.books.rows("SELECT number FROM receipt ORDER BY number")
    assert numbers == [(number,) for number in range(1, 13)]
    till.assert_books_agree()


def test_what_a_group_pays_twice_is_credit(sqlite_till: Till) -> None:
    """One bill by two orders, and one of the orders by two transactions."""
    till = sqlite_till
    due = till.dues().due
    phone, counter = till.order(), till.order(now=NOW + timedelta(hours=3))

    outcomes = till.take_each(notice(phone, "T1"), notice(counter, "T2"), notice(phone, "T3"))

    assert verdicts(outcomes) == ["posted"] * 3
    assert (till.due(), till.credit()) == ([], 2 * due)
    assert till.see(phone.number).ended_at == till.see(counter.number).ended_at == NOW
    till.assert_books_agree()


def test_a_transaction_pays_one_order_of_a_group_only(sqlite_till: Till) -> None:
    first, other = sqlite_till.order(claims={OCTOBER: 100}), sqlite_till.order("A-201")

    outcomes = sqlite_till.take_each(notice(first, "T1"), notice(other, "T1"), notice(other, "T2"))

    assert verdicts(outcomes) == ["posted", "refused", "posted"]
    assert isinstance(outcomes[1], Outcome)
    assert outcomes[1].reason == "paid otherwise: transaction T1 is payment 1 of another order"


def test_one_that_fails_touches_no_other(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [till.order(claims={OCTOBER: 100 + part}) for part in range(4)]
    orders.insert(2, till.order("A-201", claims={}, in_advance=6666))
    apply = payments_book.apply

    def fail(owed: Any, money: int, *rest: Any, **named: Any) -> Applied:
        if money == 6666:
            raise RuntimeError("not this one")
        return apply(owed, money, *rest, **named)

    monkeypatch.setattr("billing.store.payments_book.apply", fail)
    said = [notice(each, f"T{number}") for number, each in enumerate(orders)]
    outcomes = till.take_each(*said)
    monkeypatch.undo()

    assert verdicts(outcomes) == ["posted", "posted", "not this one", "posted", "posted"]
    bodies = till.books.rows("SELECT body FROM payment_callback ORDER BY body")
    assert [bytes(body) for (body,) in bodies] == [b"0", b"1", b"3", b"4"]
    assert till.books.rows("SELECT number FROM receipt ORDER BY number") == [(1,), (2,), (3,), (4,)]
    assert till.see(orders[2].number).state is OrderState.OPEN
    assert verdicts(till.take_each(*said)) == ["known", "known", "posted", "known", "known"]
    till.assert_books_agree()


def test_what_ails_the_database_fails_all(
    sqlite_till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = sqlite_till
    orders: list[Order] = [till.order(claims={OCTOBER: 100 + part}) for part in range(2)]
    tries = []

    def full(*_: object, **__: object) -> None:
        tries.append(1)
        raise OperationalError("INSERT", None, Exception("database or disk is full"))

    monkeypatch.setattr("billing.store.payments_receipts.issue", full)
    said = [notice(each, f"T{number}") for number, each in enumerate(orders)]
    with pytest.raises(OperationalError, match="disk is full"):
        till.take_each(*said)
    monkeypatch.undo()

    assert len(tries) == 1
    assert counts(till)["payment"] == counts(till)["payment_callback"] == 0
    assert verdicts(till.take_each(*said)) == ["posted", "posted"]


def test_refunds_are_taken_beside_payments(sqlite_till: Till) -> None:
    till = sqlite_till
    till.take(notice(till.order(), "T0"))
    paid = till.take(notice(till.order(in_advance=1000), "T1")).payment_id
    assert paid is not None
    with till.books.database.transaction() as connection:
        asked = payments_refunds.request(
            connection, paid, 600, reason="twice", reopen=False, actor=CLERK, now=NOW
        )
    with till.books.database.transaction() as connection:
        payments_refunds.decide(connection, asked.number, approve=True, actor=CASHIER, now=NOW)
    executed = RefundNotice(
        provider="wechat",
        merchant=MERCHANT,
        number=asked.number,
        refund_id="R1",
        amount_fen=600,
        currency="CNY",
        at=NOW,
        state=RefundState.EXECUTED,
    )

    outcomes = till.take_each(executed, notice(till.order(in_advance=100), "T2"), executed)

    assert verdicts(outcomes) == ["posted", "posted", "known"]
    assert [each.refund_id for each in outcomes if isinstance(each, Outcome)] == [1, None, 1]
    assert (till.due(), till.credit()) == ([], 500)
    till.assert_books_agree()
