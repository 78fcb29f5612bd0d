"""Payments that staff enter: four eyes above a limit, rounding, and payments that are undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from small_community import after
from sqlalchemy.exc import DBAPIError
from till import CASHIER, CLERK, NOW, Till, notice

from billing.payments.application import First, Policy
from billing.payments.order import OrderError
from billing.store import audit, payments_desk, payments_policy, payments_receipts
from billing.store.payments_desk import DeskError, DeskEyesError
from billing.store.payments_refunds import RefundError

if TYPE_CHECKING:
    from billing.store.payments_book import Payment

OCTOBER = "bill:yard-2026-10-0001"


def limit(till: Till, fen: int) -> None:
    policy = Policy(first=First.OLDEST, four_eyes_above=fen)
    with till.books.database.transaction() as connection:
        payments_policy.state(connection, "yard", policy, actor="head", now=NOW)


def decide(till: Till, payment_id: int, *, approve: bool = True, actor: str = CASHIER) -> Payment:
    with till.books.database.transaction() as connection:
        return payments_desk.decide(connection, payment_id, approve=approve, actor=actor, now=NOW)


def test_cash_pays_a_part_and_gives_a_receipt(sqlite_till: Till) -> None:
    till = sqlite_till
    due = till.dues().due

    made = till.hand(10_000)

    assert (made.state, till.dues().due) == ("posted", due - 10_000)
    assert till.balance()["clearing:cash"] == 10_000
    with till.books.database.snapshot() as connection:
        receipt = payments_receipts.receipt_of(connection, made.id)
    assert receipt is not None
    assert (receipt.number, receipt.reversed) == ("yard-R000001", False)
    assert receipt.document["pays"] == [{"amount": "100.00", "claim": OCTOBER}]
    assert receipt.document["credit"] == "0.00"


def test_what_is_paid_too_much_is_credit(sqlite_till: Till) -> None:
    due = sqlite_till.dues().due

    sqlite_till.hand(due + 777)

    assert (sqlite_till.due(), sqlite_till.credit()) == ([], 777)
    assert sqlite_till.balance()["credit"] == -777
    sqlite_till.assert_books_agree()


def test_the_same_slip_is_entered_once(sqlite_till: Till) -> None:
    first = sqlite_till.hand(500, document="S-7")

    assert sqlite_till.hand(500, document="S-7").id == first.id
    with pytest.raises(DeskError, match=r"document S-7 is payment 1 of 5.00, for another account"):
        sqlite_till.hand(501, document="S-7")
    assert sqlite_till.hand(500, document="S-7", channel="bank").id != first.id


def test_cash_is_rounded_by_less_than_one(sqlite_till: Till) -> None:
    till = sqlite_till
    due = till.dues().due
    rest = due % 100

    till.hand(due - rest, rounding=rest, claims={OCTOBER: None})

    assert (till.due(), till.credit()) == ([], 0)
    assert till.balance()["rounding"] == rest
    with pytest.raises(DeskError, match="only cash is rounded, by less than one"):
        till.hand(500, rounding=100, document="S-2")
    with pytest.raises(DeskError, match="only cash is rounded"):
        till.hand(500, rounding=1, channel="bank", document="S-2")


@pytest.mark.parametrize(
    ("handed", "says"),
    [
        ({"channel": "wechat"}, "nobody enters payments by 'wechat'; staff enter cash, bank"),
        ({"amount": 0}, "a payment is above zero, not 0.00"),
        ({"document": " "}, "name the slip or the bank's line"),
        ({"now": after("2026-12"), "actor": CLERK}, None),
    ],
)
def test_what_cannot_be_entered_is_said_in_words(
    handed: dict[str, Any], says: str | None, sqlite_till: Till
) -> None:
    values = {"amount": 500, **handed}
    if says is None:
        assert sqlite_till.hand(**values).state == "posted"
        return
    with pytest.raises(DeskError, match=says):
        sqlite_till.hand(**values)


def test_a_bill_is_not_paid_by_more_than_is_due_of_it(sqlite_till: Till) -> None:
    due = sqlite_till.dues().due

    with pytest.raises(OrderError, match=f"{due + 1} fen cannot be paid of {OCTOBER}: {due} fen"):
        sqlite_till.hand(due + 1, claims={OCTOBER: due + 1})
    with pytest.raises(OrderError, match="owes nothing by 'bill:nonsense'"):
        sqlite_till.hand(100, claims={"bill:nonsense": 100})


def test_above_the_limit_somebody_else_approves_first(sqlite_till: Till) -> None:
    till = sqlite_till
    limit(till, 9_999)
    due = till.dues().due

    waits = till.hand(10_000)

    assert (waits.state, till.dues().due) == ("entered", due)
    with pytest.raises(DeskEyesError, match=r"clerk entered payment 1, so somebody else decides"):
        decide(till, waits.id, actor=CLERK)
    assert decide(till, waits.id).state == "posted"
    assert till.dues().due == due - 10_000
    with pytest.raises(DeskError, match="payment 1 is posted; it waits for nobody"):
        decide(till, waits.id)
    assert till.hand(9_999, document="S-2").state == "posted"


def test_a_payment_that_is_rejected_is_never_posted(sqlite_till: Till) -> None:
    limit(sqlite_till, 0)
    balance = sqlite_till.balance()
    waits = sqlite_till.hand(10_000)

    assert decide(sqlite_till, waits.id, approve=False).state == "rejected"

    assert sqlite_till.balance() == balance
    with pytest.raises(DeskError, match="only a posted one is undone"):
        sqlite_till.reverse(waits.id)


def test_what_a_bounced_payment_has_paid_is_due_again(sqlite_till: Till) -> None:
    till = sqlite_till
    before = till.due()
    paid = till.hand(before[0][1])
    balance = till.balance()

    undone = till.reverse(paid.id)

    assert (undone.state, undone.reversal, undone.reversed_by) == ("reversed", "bounced", CASHIER)
    assert (till.due(), till.credit()) == (before, 0)
    assert balance["clearing:cash"] == before[0][1]
    assert "clearing:cash" not in till.balance()
    with till.books.database.snapshot() as connection:
        receipt = payments_receipts.receipt_of(connection, paid.id)
    assert receipt is not None
    assert receipt.reversed
    till.assert_books_agree()


def test_credit_is_used_before_a_bill_is_due_again(sqlite_till: Till) -> None:
    till = sqlite_till
    due = till.dues().due
    first = till.hand(due)
    till.hand(due + 50, document="S-2")

    till.reverse(first.id)

    assert (till.due(), till.credit()) == ([], 50)
    till.assert_books_agree()


def test_who_entered_a_payment_does_not_undo_it(sqlite_till: Till) -> None:
    paid = sqlite_till.hand(100)

    with pytest.raises(DeskEyesError, match="clerk entered payment 1, so somebody else undoes it"):
        sqlite_till.reverse(paid.id, actor=CLERK)
    sqlite_till.reverse(paid.id)
    with pytest.raises(DeskError, match="payment 1 is reversed; only a posted one is undone"):
        sqlite_till.reverse(paid.id)


def test_every_step_of_a_person_is_in_the_audit_log(sqlite_till: Till) -> None:
    limit(sqlite_till, 100)
    decide(sqlite_till, sqlite_till.hand(500).id)
    sqlite_till.reverse(1)
    order = sqlite_till.order()
    sqlite_till.take(notice(order))

    steps = sqlite_till.books.rows(
        "SELECT actor, action, subject FROM audit WHERE action LIKE 'payment%' ORDER BY position"
    )
    assert steps == [
        ("head", "payment.policy", "community:yard"),
        (CLERK, "payment.enter", "payment:1"),
        (CASHIER, "payment.approve", "payment:1"),
        (CASHIER, "payment.reverse", "payment:1"),
        ("owner", "payment-order.open", f"payment-order:{order.number}"),
    ]
    with sqlite_till.books.database.snapshot() as connection:
        audit.verify(connection)


REWRITTEN = "what was said is not rewritten|does not come from that state"
COPY = """INSERT INTO payment (community_id, account_id, channel, transaction_id, merchant, amount,
    rounding, currency, paid_at, named, needs_approval, state, entered_by, entered_at, decided_by,
    decided_at) SELECT community_id, account_id, channel, transaction_id || 'x', merchant, {amount},
    0, currency, paid_at, named, {needs}, {state}, 'clerk', entered_at, {decided}, NULL
    FROM payment LIMIT 1"""


def test_the_database_itself_holds_four_eyes_and_what_was_said(till: Till) -> None:
    limit(till, 1_000)
    paid = till.hand(1_000)
    waits = till.hand(5_000, document="S-2")
    wrong = {
        "UPDATE payment SET amount = 1": REWRITTEN,
        "UPDATE payment SET entered_by = 'other' WHERE id = 2": REWRITTEN,
        "UPDATE payment SET state = 'posted' WHERE id = 2": "approved_first",
        "UPDATE payment SET state = 'posted', decided_by = 'clerk' WHERE id = 2": "four_eyes",
        "UPDATE payment SET state = 'entered' WHERE id = 1": "does not come from that state",
        "UPDATE payment SET state = 'reversed' WHERE id = 1": "reversed_for_a_reason",
        "UPDATE payment SET state = 'reversed', reversed_by = 'clerk', reversal = 'bounced',"
        " reversal_reason = 'x', reversed_at = entered_at WHERE id = 1": "reversed_by_another",
        "DELETE FROM payment": "kept for ever",
        "DELETE FROM receipt": "kept for ever",
        "UPDATE receipt SET document = '{}'": "kept for ever",
        "INSERT INTO receipt SELECT community_id, 3, 2, issued_at, document FROM receipt": (
            "numbered without a gap"
        ),
        "UPDATE application SET amount = 1": "kept for ever",
        "DELETE FROM application": "kept for ever",
        "INSERT INTO application (account_id, claim, category, amount, reference) SELECT"
        " account_id, claim, category, 99999999, reference FROM application LIMIT 1": (
            "not paid by more than it is"
        ),
        "INSERT INTO application (account_id, claim, category, amount, reference) SELECT"
        " account_id, claim, category, -1001, reference FROM application LIMIT 1": (
            "nor by less than nothing"
        ),
        COPY.format(amount=1001, needs="FALSE", state="'posted'", decided="NULL"): (
            "somebody else has to approve so large an amount"
        ),
        COPY.format(amount=1000, needs="FALSE", state="'reversed'", decided="NULL"): (
            "begins at its first step"
        ),
    }
    for attack, says in wrong.items():
        with pytest.raises(DBAPIError, match=says):
            till.books.execute(attack)
    assert (paid.state, waits.state) == ("posted", "entered")
    till.assert_books_agree()


def test_a_payment_whose_refund_is_under_way_is_not_undone(sqlite_till: Till) -> None:
    from billing.store import payments_refunds

    paid = sqlite_till.hand(100)
    with sqlite_till.books.database.transaction() as connection:
        payments_refunds.request(
            connection, paid.id, 40, reason="x", reopen=True, actor=CLERK, now=NOW
        )

    with pytest.raises(DeskError, match=r"refund R\w+ of payment 1 is under way; end it first"):
        sqlite_till.reverse(paid.id)
    with (
        pytest.raises(RefundError, match=r"of which 0\.40 goes back already"),
        sqlite_till.books.database.transaction() as connection,
    ):
        payments_refunds.request(
            connection, paid.id, 61, reason="x", reopen=True, actor=CLERK, now=NOW
        )
