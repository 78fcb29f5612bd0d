"""Refunds: asked for by one, approved by another; what is set aside is nobody else's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError
from till import CASHIER, CLERK, MERCHANT, NOW, Till, notice

from billing.payments.judgement import Verdict
from billing.payments.provider import (
    ProviderError,
    RefundNotice,
    RefundState,
    UnreachableError,
)
from billing.store import payments_refunds
from billing.store.payments_refunds import RefundError, RefundEyesError
from billing.store.payments_sweep import SweptRefunds, sweep_refunds

if TYPE_CHECKING:
    from datetime import datetime

    from billing.payments.provider import Provider
    from billing.store.payments_refunds import Refund


def request(till: Till, payment_id: int, amount: int, *, reopen: bool = False) -> Refund:
    with till.books.database.transaction() as connection:
        return payments_refunds.request(
            connection,
            payment_id,
            amount,
            reason="paid twice",
            reopen=reopen,
            actor=CLERK,
            now=NOW,
        )


def decide(till: Till, number: str, *, approve: bool = True, actor: str = CASHIER) -> Refund:
    with till.books.database.transaction() as connection:
        return payments_refunds.decide(connection, number, approve=approve, actor=actor, now=NOW)


def end(till: Till, number: str, *, executed: bool = True) -> Refund:
    with till.books.database.transaction() as connection:
        return payments_refunds.end_by_hand(
            connection, number, executed=executed, actor=CASHIER, now=NOW
        )


def overpaid(till: Till) -> int:
    """Pay 10.00 too much over a provider, and return the payment."""
    till.take(notice(till.order()))
    outcome = till.take(notice(till.order(in_advance=1000), "T2"))
    assert outcome.payment_id is not None
    return outcome.payment_id


def test_credit_goes_back_when_a_second_person_approves(sqlite_till: Till) -> None:
    till = sqlite_till
    paid = overpaid(till)

    asked = request(till, paid, 600)
    assert (asked.state, till.credit(), till.balance()["refunds"]) == ("requested", 400, -600)
    assert decide(till, asked.number).state == "approved"
    taken = till.balance()["clearing:wechat"]
    assert end(till, asked.number).state == "executed"

    balance = till.balance()
    assert (balance["clearing:wechat"], "refunds" in balance) == (taken - 600, False)
    assert till.credit() == 400
    till.assert_books_agree()


@pytest.mark.parametrize("step", ["rejected", "failed"])
def test_what_does_not_go_back_is_credit_again(step: str, sqlite_till: Till) -> None:
    paid = overpaid(sqlite_till)
    asked = request(sqlite_till, paid, 1000)
    assert sqlite_till.credit() == 0

    if step == "rejected":
        ended = decide(sqlite_till, asked.number, approve=False)
    else:
        decide(sqlite_till, asked.number)
        ended = end(sqlite_till, asked.number, executed=False)

    assert (ended.state, sqlite_till.credit()) == (step, 1000)
    assert request(sqlite_till, paid, 1000).state == "requested"
    sqlite_till.assert_books_agree()


def test_what_bills_have_taken_goes_back_only_if_that_is_said(sqlite_till: Till) -> None:
    till = sqlite_till
    ((claim, due),) = till.due()
    outcome = till.take(notice(till.order()))
    assert outcome.payment_id is not None

    with pytest.raises(RefundError, match=r"0.00 of the account is credit, less than 1.00"):
        request(till, outcome.payment_id, 100)
    request(till, outcome.payment_id, 100, reopen=True)

    assert (till.due(), till.credit()) == ([(claim, 100)], 0)
    assert due > 100
    till.assert_books_agree()


def test_who_asked_for_a_refund_does_not_decide_on_it(sqlite_till: Till) -> None:
    asked = request(sqlite_till, overpaid(sqlite_till), 100)

    with pytest.raises(RefundEyesError, match="clerk asked for refund"):
        decide(sqlite_till, asked.number, actor=CLERK)
    with pytest.raises(RefundError, match="only an approved one is paid out"):
        end(sqlite_till, asked.number)
    decide(sqlite_till, asked.number)
    with pytest.raises(RefundError, match="it is decided once"):
        decide(sqlite_till, asked.number)


def test_not_more_goes_back_than_came_in(sqlite_till: Till) -> None:
    paid = overpaid(sqlite_till)
    request(sqlite_till, paid, 700)

    with pytest.raises(RefundError, match=r"3.01 cannot go back: payment 2 was 10.00, of which 7"):
        request(sqlite_till, paid, 301)
    with pytest.raises(RefundError, match="cannot go back"):
        request(sqlite_till, paid, 0)


def answer(asked: Refund, state: RefundState, **changes: object) -> RefundNotice:
    values = {
        "provider": "wechat",
        "merchant": MERCHANT,
        "number": asked.number,
        "refund_id": "W-1",
        "amount_fen": asked.amount,
        "currency": "CNY",
        "at": NOW,
        "state": state,
    }
    return RefundNotice(**values | changes)  # type: ignore[arg-type]  # the changes are of a test


def test_the_provider_says_that_a_refund_is_executed(sqlite_till: Till) -> None:
    till = sqlite_till
    asked = request(till, overpaid(till), 600)
    decide(till, asked.number)
    with till.books.database.snapshot() as connection:
        sent = payments_refunds.as_asked(connection, asked.number)
    assert (sent.number, sent.transaction_id, sent.amount_fen, sent.paid_fen) == (
        *(asked.number, "T2"),
        *(600, 1000),
    )

    assert till.take(answer(asked, RefundState.PENDING)).verdict is Verdict.NOTED
    assert till.take(answer(asked, RefundState.EXECUTED, amount_fen=1)).accepted is False
    assert till.take(answer(asked, RefundState.EXECUTED)).verdict is Verdict.POSTED
    assert till.take(answer(asked, RefundState.EXECUTED)).verdict is Verdict.KNOWN
    contradicts = till.take(answer(asked, RefundState.FAILED))

    assert not contradicts.accepted
    assert "is executed here and failed at the provider" in str(contradicts.reason)
    unknown = till.take(answer(asked, RefundState.EXECUTED, number="R0000000"))
    assert unknown.reason == "unknown refund: there is no refund 'R0000000'"
    assert till.books.rows("SELECT refund_id, ended_by FROM refund") == [("W-1", None)]


def test_what_was_given_back_of_a_bounced_payment_is_owed_again(sqlite_till: Till) -> None:
    till = sqlite_till
    paid = till.hand(till.dues().due + 1000)
    asked = request(till, paid.id, 1000)
    decide(till, asked.number)
    end(till, asked.number)
    due = till.books.rows("SELECT total FROM bill WHERE number = 'yard-2026-10-0001'")[0][0]

    till.reverse(paid.id)

    assert till.due() == [("owed:1", 1000), ("bill:yard-2026-10-0001", due)]
    assert till.balance()["clearing:cash"] == -1000
    till.assert_books_agree()


def test_the_database_itself_holds_the_eyes_and_the_sum(till: Till) -> None:
    asked = request(till, overpaid(till), 700)
    copy = (
        "INSERT INTO refund (community_id, account_id, payment_id, number, amount, reason, state,"
        " requested_by, requested_at) SELECT community_id, account_id, payment_id, 'R-other',"
        " {amount}, reason, {state}, 'x', requested_at FROM refund"
    )
    by_clerk = (
        "UPDATE refund SET state = 'approved', decided_at = requested_at, decided_by = 'clerk'"
    )
    for attack, says in (
        (by_clerk, "four_eyes"),
        ("UPDATE refund SET state = 'executed'", "does not come from that state"),
        ("UPDATE refund SET amount = 1", "is not rewritten|does not come from that state"),
        ("DELETE FROM refund", "kept for ever"),
        (copy.format(amount=301, state="'requested'"), "not more goes back than came in"),
        (copy.format(amount=300, state="'approved'"), "begins at its first step"),
    ):
        with pytest.raises(DBAPIError, match=says):
            till.books.execute(attack)
    assert till.books.execute(copy.format(amount=300, state="'requested'")) == 1
    assert decide(till, asked.number).decided_by == CASHIER


@dataclass
class Asked:
    """A provider that is only asked about refunds, and says what it was told to."""

    said: RefundNotice | ProviderError | None
    numbers: list[str] = field(default_factory=list)

    def query_refund(self, number: str, *, now: datetime) -> RefundNotice | None:
        assert now == NOW
        self.numbers.append(number)
        if isinstance(self.said, ProviderError):
            raise self.said
        return self.said


def swept(till: Till, provider: Asked) -> SweptRefunds:
    asked: Provider = provider  # type: ignore[assignment]  # the sweep of refunds asks no more
    return sweep_refunds(till.books.database, {("wechat", MERCHANT): asked}, now=NOW)


def test_a_refund_whose_callback_is_lost_is_found_by_asking(sqlite_till: Till) -> None:
    till = sqlite_till
    asked = request(till, overpaid(till), 600)
    provider = Asked(None)

    assert swept(till, provider).taken == {}
    assert provider.numbers == []  # nobody has approved it yet
    decide(till, asked.number)
    assert swept(till, provider).taken == {}  # the provider was never asked to give it back
    away = swept(till, Asked(UnreachableError("no answer")))
    assert away.unanswered == {asked.number: "no answer"}
    provider.said = answer(asked, RefundState.PENDING)
    assert swept(till, provider).taken[asked.number].verdict is Verdict.NOTED
    provider.said = answer(asked, RefundState.EXECUTED)
    assert swept(till, provider).taken[asked.number].verdict is Verdict.POSTED

    assert provider.numbers == [asked.number] * 3
    assert swept(till, provider).taken == {}  # it is over
    till.assert_books_agree()


def test_a_refund_of_what_was_handed_in_is_asked_of_nobody(sqlite_till: Till) -> None:
    till = sqlite_till
    paid = till.hand(till.dues().due + 1000)
    asked = request(till, paid.id, 1000)
    decide(till, asked.number)
    provider = Asked(None)

    assert swept(till, provider) == SweptRefunds(taken={}, unanswered={})
    assert provider.numbers == []
