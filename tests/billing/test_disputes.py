"""Disputes: one pending a line, steps that go forward, and what they freeze."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from small_community import STARTS, after, reading
from sqlalchemy.exc import DBAPIError
from till import NOW, Till

from billing import lifecycle
from billing.disputes import Dispute, DisputeError, DisputeState
from billing.store import audit, disputes
from billing.store.disputes import UnknownDisputeError
from billing.store.views.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

BILL = "yard-2026-10-0001"
ALL = Scope()


def ask(till: Till, position: int = 1, *, bill: str = BILL, scope: Scope = ALL) -> int:
    with till.books.database.transaction() as connection:
        return disputes.open_dispute(
            connection, scope, bill, position, reason="  We were away  ", actor="wang", now=NOW
        )


def step(
    till: Till,
    dispute: int,
    to: DisputeState,
    text: str = "We looked",
    *,
    run_id: int | None = None,
    scope: Scope = ALL,
) -> Dispute:
    with till.books.database.transaction() as connection:
        disputes.take_step(
            connection, scope, dispute, to, text=text, actor="clerk", now=NOW, run_id=run_id
        )
        return disputes.read(connection, scope, dispute)


def frozen(till: Till) -> Mapping[str, int]:
    account_id = till.payer().account_id
    with till.books.database.snapshot() as connection:
        return disputes.frozen(connection, account_id)


def amounts(till: Till) -> list[int]:
    rows = till.books.rows(
        "SELECT line.amount FROM bill_line line JOIN bill ON bill.id = bill_id"
        " WHERE number = :number ORDER BY position",
        number=BILL,
    )
    return [int(amount) for (amount,) in rows]


def test_a_dispute_goes_from_the_question_to_its_end(till: Till) -> None:
    dispute = ask(till)
    step(till, dispute, DisputeState.ANSWERED, "An engineer comes on Monday")
    step(till, dispute, DisputeState.ANSWERED, "The meter is right")

    found = step(till, dispute, DisputeState.REJECTED, "It counted what you used")

    assert (found.bill, found.position, found.period, found.unit) == (BILL, 1, "2026-10", "101")
    assert not found.pending
    assert [(each.state, each.text, each.by) for each in found.words] == [
        ("open", "We were away", "wang"),
        ("answered", "An engineer comes on Monday", "clerk"),
        ("answered", "The meter is right", "clerk"),
        ("rejected", "It counted what you used", "clerk"),
    ]
    with till.books.database.snapshot() as connection:
        log = audit.entries(connection, audit.Wanted(subject=f"line:{BILL}/1"), limit=9)
    assert [each.action for each in log] == [
        *("dispute.reject", "dispute.answer", "dispute.answer", "dispute.open")
    ]


def test_what_is_disputed_is_frozen_until_it_has_ended(till: Till) -> None:
    first, second = amounts(till)[:2]
    assert frozen(till) == {}

    one, two = ask(till, 1), ask(till, 2)

    assert frozen(till) == {f"bill:{BILL}": first + second}
    step(till, one, DisputeState.ANSWERED)
    assert frozen(till) == {f"bill:{BILL}": first + second}
    step(till, one, DisputeState.REJECTED)
    assert frozen(till) == {f"bill:{BILL}": second}
    step(till, two, DisputeState.WITHDRAWN, "")
    assert frozen(till) == {}
    assert till.due()[0] == (f"bill:{BILL}", sum(amounts(till)))


def test_what_is_disputed_can_be_paid(sqlite_till: Till) -> None:
    ask(sqlite_till)

    sqlite_till.hand(sqlite_till.dues().due)

    assert sqlite_till.due() == []


def test_a_line_has_one_pending_dispute(till: Till) -> None:
    first = ask(till)
    with pytest.raises(DisputeError, match="disputed already"):
        ask(till)
    step(till, first, DisputeState.WITHDRAWN, "")

    assert ask(till) != first


def test_the_database_holds_one_pending_a_line(till: Till) -> None:
    ask(till)
    again = (
        "INSERT INTO dispute (account_id, bill_id, position, state)"
        " SELECT account_id, bill_id, position, state FROM dispute"
    )
    with pytest.raises(DBAPIError, match=r"UNIQUE|uq_dispute_pending_once"):
        till.books.execute(again)


@pytest.mark.parametrize("end", [DisputeState.ACCEPTED, DisputeState.REJECTED])
def test_what_has_ended_stays_so(sqlite_till: Till, end: DisputeState) -> None:
    dispute = ask(sqlite_till)
    step(sqlite_till, dispute, end)

    for to in DisputeState:
        with pytest.raises(DisputeError, match=f"is {end}"):
            step(sqlite_till, dispute, to)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE dispute SET state = 'answered', position = 2", "not rewritten"),
        ("DELETE FROM dispute", "kept for ever"),
        ("UPDATE dispute_word SET text = 'nicer'", "kept for ever"),
        ("DELETE FROM dispute_word", "kept for ever"),
    ],
)
def test_the_database_keeps_what_was_said(till: Till, change: str, why: str) -> None:
    ask(till)
    with pytest.raises(DBAPIError, match=why):
        till.books.execute(change)


def test_the_database_keeps_what_has_ended(till: Till) -> None:
    step(till, ask(till), DisputeState.REJECTED)
    with pytest.raises(DBAPIError, match="it has ended"):
        till.books.execute("UPDATE dispute SET state = 'open'")


def test_a_text_says_something(sqlite_till: Till) -> None:
    dispute = ask(sqlite_till)
    for text in ("  ", "no", "x" * 2001):
        with pytest.raises(DisputeError, match="3 to 2000"):
            step(sqlite_till, dispute, DisputeState.ANSWERED, text)


def test_a_line_of_others_is_as_if_it_were_not_there(sqlite_till: Till) -> None:
    mine = sqlite_till.payer().account_id
    other = Scope(accounts=frozenset({mine + 1}))
    for position, scope in ((1, other), (99, ALL)):
        with pytest.raises(UnknownDisputeError):
            ask(sqlite_till, position, scope=scope)
    dispute = ask(sqlite_till, scope=Scope(accounts=frozenset({mine})))
    with pytest.raises(UnknownDisputeError):
        step(sqlite_till, dispute, DisputeState.WITHDRAWN, scope=other)
    with sqlite_till.books.database.snapshot() as connection:
        assert disputes.listed(connection, other, limit=9) == []
        assert [each.id for each in disputes.listed(connection, ALL, limit=9)] == [dispute]
        assert disputes.listed(connection, ALL, limit=9, pending=False) == []
        assert set(disputes.of_bill(connection, ALL, BILL)) == {1}


def test_a_bill_that_is_not_issued_is_not_disputed(sqlite_till: Till) -> None:
    books = sqlite_till.books
    books.compute(books.create("2026-11"))

    with pytest.raises(UnknownDisputeError, match="issued"):
        ask(sqlite_till, bill="yard-2026-11-0001", scope=Scope(unissued=True))


def test_an_accepted_dispute_names_the_correction_that_mends_it(sqlite_till: Till) -> None:
    till, books = sqlite_till, sqlite_till.books
    dispute = ask(till)
    with pytest.raises(DisputeError, match="corrects nothing"):
        step(till, dispute, DisputeState.ACCEPTED, run_id=1)
    correction = lifecycle.correct(
        books.database, community="yard", first="2026-10", actor="clerk", now=after("2026-11")
    )
    with pytest.raises(DisputeError, match="only a dispute that is accepted"):
        step(till, dispute, DisputeState.REJECTED, run_id=correction)

    accepted = step(till, dispute, DisputeState.ACCEPTED, run_id=correction)

    assert (accepted.run_id, accepted.mended_by) == (correction, None)
    books.archive.append([reading("E-101", STARTS[1].replace(second=1), "1251.00")])
    books.bill_run(correction)
    with books.database.snapshot() as connection:
        mended = disputes.read(connection, ALL, dispute)
    assert mended.mended_by == ("yard-2026-10-0005", 1)
