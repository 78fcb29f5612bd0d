"""Credit pays what is issued next, and corrections pay first what they correct."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from small_community import STARTS, after, reading
from till import NOW, Till

from billing import lifecycle
from billing.payments.payment_code import PaymentCodeError
from billing.store import opening_balance, payments_credit, payments_due

if TYPE_CHECKING:
    from small_community import Books

OCTOBER, NOVEMBER = "bill:yard-2026-10-0001", "bill:yard-2026-11-0001"


def test_credit_pays_the_next_bills_when_they_are_issued(sqlite_till: Till) -> None:
    till = sqlite_till
    till.hand(till.dues().due + 5_000)
    assert till.credit() == 5_000

    till.books.bill("2026-11")

    ((claim, due),) = till.due()
    ((total,),) = till.books.rows("SELECT total FROM bill WHERE number = 'yard-2026-11-0001'")
    assert (claim, due, till.credit()) == (NOVEMBER, total - 5_000, 0)
    till.assert_books_agree()


def test_credit_that_is_more_than_the_next_bill_stays_credit(till: Till) -> None:
    till.hand(till.dues().due + 100_000)

    till.books.bill("2026-11")

    ((total,),) = till.books.rows("SELECT total FROM bill WHERE number = 'yard-2026-11-0001'")
    assert (till.due(), till.credit()) == ([], 100_000 - total)
    paid = [each for each in till.dues(settled=True).payables if each.claim == NOVEMBER]
    assert [(each.total, each.paid, each.due) for each in paid] == [(total, total, 0)]
    till.assert_books_agree()


def correct(till: Till, value: str) -> None:
    """Let a better reading of E-101 say what October ended with, and issue the correction."""
    till.books.archive.append([reading("E-101", STARTS[1] + timedelta(seconds=1), value)])
    run_id = lifecycle.correct(
        till.books.database, community="yard", first="2026-10", actor="clerk", now=after("2026-11")
    )
    till.books.bill_run(run_id)


def test_what_a_correction_gives_back_settles_first_the_bill_that_it_corrects(
    sqlite_till: Till,
) -> None:
    till = sqlite_till
    ((claim, due),) = till.due()

    correct(till, "1230.50")

    ((back,),) = till.books.rows("SELECT total FROM bill WHERE total < 0")
    assert (claim, till.due(), till.credit()) == (OCTOBER, [(OCTOBER, due + back)], 0)
    till.assert_books_agree()


def test_what_a_correction_gives_back_of_a_paid_bill_is_credit(sqlite_till: Till) -> None:
    till = sqlite_till
    till.hand(till.dues().due)

    correct(till, "1230.50")

    ((back,),) = till.books.rows("SELECT total FROM bill WHERE total < 0")
    assert (till.due(), till.credit()) == ([], -back)
    till.assert_books_agree()


def test_what_a_correction_charges_is_a_payable_of_its_own(sqlite_till: Till) -> None:
    till = sqlite_till
    ((_, due),) = till.due()

    correct(till, "1251.00")

    assert till.due()[0] == (OCTOBER, due)
    assert [amount for _, amount in till.due()] == [due, 27]


def test_an_account_that_opens_with_credit_pays_with_it(sqlite_books: Books) -> None:
    books = sqlite_books
    said: dict[str, Any] = {"reason": "old books", "actor": "clerk", "now": NOW}
    with books.database.transaction() as connection:
        opening_balance.enter(connection, "yard", "A-101", -1_500, **said)
        opening_balance.enter(connection, "yard", "A-201", 900, **said)
    till = Till(books)
    assert (till.credit(), till.due()) == (1_500, [])
    assert till.due("A-201") == [("opening:yard/A-201", 900)]

    books.bill()

    ((total,),) = books.rows("SELECT total FROM bill WHERE number = 'yard-2026-10-0001'")
    assert (till.due(), till.credit()) == ([(OCTOBER, total - 1_500)], 0)
    till.assert_books_agree()


def test_somebody_lets_credit_pay_what_is_due(sqlite_till: Till) -> None:
    """As after an order was paid twice while another bill is open."""
    till = sqlite_till
    with till.books.database.transaction() as connection:
        opening_balance.enter(
            connection, "yard", "A-101", -300, reason="found", actor="clerk", now=NOW
        )
    due = till.dues().due

    with till.books.database.transaction() as connection:
        who = payments_due.payer_named(connection, "yard", "A-101")
        assert payments_credit.use(connection, who, actor="clerk", now=NOW) == 300
        assert payments_credit.use(connection, who, actor="clerk", now=NOW) == 0

    assert (till.dues().due, till.credit()) == (due - 300, 0)
    assert till.books.rows("SELECT count(*) FROM audit WHERE action = 'credit.use'") == [(1,)]


def test_payables_are_found_by_code_and_by_unit(sqlite_till: Till) -> None:
    who = sqlite_till.payer()
    with sqlite_till.books.database.snapshot() as connection:
        assert payments_due.payer_by_code(connection, who.payment_code) == who
        assert payments_due.payers_of_unit(connection, "yard", "101") == [who]
        assert payments_due.payers_of_unit(connection, "yard", "999") == []
        with pytest.raises(PaymentCodeError, match="no account has the payment code '1999"):
            payments_due.payer_by_code(connection, "199999999991")
    assert (who.unit, who.holder, who.currency) == ("101", "王", "CNY")


def test_a_payable_says_what_its_bill_says(sqlite_till: Till) -> None:
    sqlite_till.hand(100)
    ((total, issued, due),) = sqlite_till.books.rows(
        "SELECT total, issued_on, due_on FROM bill WHERE number = 'yard-2026-10-0001'"
    )

    (payable,) = sqlite_till.dues().payables

    assert (payable.kind, payable.number, payable.period) == (
        *("bill", "yard-2026-10-0001"),
        "2026-10",
    )
    assert (str(payable.issued_on), str(payable.due_on)) == (issued, due)
    assert (payable.total, payable.paid, payable.due) == (total, 100, total - 100)
