"""The life of a run: which month comes next, who may do what, and what each step leaves behind."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from small_community import (
    FEE,
    OCTOBER,
    STARTS,
    TARIFFS,
    Books,
    after,
    boundary_readings,
    community_document,
    reading,
)
from sqlalchemy.exc import DBAPIError

from billing import lifecycle
from billing.ledger import Entry, Posting, UnbalancedEntryError
from billing.lifecycle import (
    ChangedRunError,
    FourEyesError,
    ReasonError,
)
from billing.months import PeriodError
from billing.store import ledger
from billing.store.registry import UnknownCommunityError
from billing.store.runs import PeriodTakenError, StateError, UnknownRunError

if TYPE_CHECKING:
    from billing.store.runs import Run
    from meters.archive.sql import SqlArchive


def test_a_month_has_one_run_of_a_community(books: Books) -> None:
    books.create("2026-10")

    with pytest.raises(PeriodTakenError, match="2026-10 has run 1 already"):
        books.create("2026-10")
    books.bill_run(1)
    with pytest.raises(PeriodTakenError, match="2026-10 has run 1 already"):
        books.create("2026-10")


def test_a_month_that_has_not_ended_cannot_be_billed(sqlite_books: Books) -> None:
    def create(seconds: int) -> int:
        return lifecycle.create_run(
            sqlite_books.database,
            period="2026-10",
            communities=["yard"],
            actor="clerk",
            now=OCTOBER.interval.end + timedelta(seconds=seconds),
        )

    with pytest.raises(PeriodError, match=r"2026-10 ends at 2026-10-31 16:00.*bill it after that"):
        create(-1)
    assert create(0) == 1


@pytest.mark.parametrize("period", ["2026-13", "2026-1", "October", "2026-10-01", ""])
def test_a_period_is_a_month(period: str, sqlite_books: Books) -> None:
    with pytest.raises(PeriodError, match="is not a month; write it as 2026-10"):
        lifecycle.create_run(
            sqlite_books.database,
            period=period,
            communities=["yard"],
            actor="clerk",
            now=after("2026-11"),
        )


def test_issued_months_follow_one_another_without_a_gap(sqlite_books: Books) -> None:
    sqlite_books.bill("2026-10")

    with pytest.raises(PeriodError, match="yard was billed up to 2026-10; 2026-11 comes first"):
        sqlite_books.create("2026-12")
    with pytest.raises(PeriodError, match="billed up to 2026-10; nothing before it"):
        sqlite_books.create("2026-09")
    assert sqlite_books.rows("SELECT count(*) FROM bill_run") == [(1,)]


def test_a_month_waits_for_the_one_before_it(sqlite_books: Books) -> None:
    """Computed before October is issued, November would open with other registers."""
    sqlite_books.create("2026-10")

    with pytest.raises(PeriodError, match="yard has run 1 for 2026-10, which is not issued yet"):
        sqlite_books.create("2026-11")


def test_a_run_is_of_communities_that_exist(sqlite_books: Books) -> None:
    with pytest.raises(UnknownCommunityError, match="there is no community 'zoo'"):
        sqlite_books.create("2026-10", "yard", "zoo")
    with pytest.raises(UnknownCommunityError, match="name them"):
        lifecycle.create_run(
            sqlite_books.database,
            period="2026-10",
            communities=[],
            actor="clerk",
            now=after("2026-10"),
        )
    assert sqlite_books.rows("SELECT count(*) FROM bill_run") == [(0,)]


def test_a_community_that_is_named_twice_is_billed_once(sqlite_books: Books) -> None:
    run = sqlite_books.run(sqlite_books.create("2026-10", "yard", "yard"))

    assert [part.community for part in run.communities] == ["yard"]


def test_a_run_that_does_not_exist_has_no_steps(sqlite_books: Books) -> None:
    books = sqlite_books
    for step in (books.compute, books.review, books.approve, books.issue, books.withdraw):
        with pytest.raises(UnknownRunError, match="there is no bill run 7"):
            step(7)


def test_each_step_starts_from_its_state(sqlite_books: Books) -> None:
    books = sqlite_books
    run_id = books.create()
    for step in (books.review, books.approve, books.issue):
        with pytest.raises(StateError, match="run 1 is draft; this takes"):
            step(run_id)
    books.compute(run_id)
    with pytest.raises(StateError, match="run 1 is computed; this takes a run that is approved"):
        books.issue(run_id)
    with pytest.raises(StateError, match="run 1 is computed; this takes a run that is reviewed"):
        books.approve(run_id)
    books.review(run_id)
    assert books.compute(run_id).state == "computed"
    books.review(run_id)
    books.approve(run_id)
    for step in (books.compute, books.review, books.approve):
        with pytest.raises(StateError, match="run 1 is approved; this takes"):
            step(run_id)
    books.issue(run_id)
    for step in (books.compute, books.review, books.approve, books.issue, books.withdraw):
        with pytest.raises(StateError, match="run 1 is issued; this takes"):
            step(run_id)


def test_approval_is_of_what_the_approver_saw(sqlite_books: Books) -> None:
    """As when one computes again, and reviews, while another reads what came out before."""
    run_id = sqlite_books.create()
    seen = sqlite_books.compute(run_id).digest
    sqlite_books.archive.append([reading("E-101", STARTS[1] + timedelta(seconds=1), "1251.00")])
    sqlite_books.compute(run_id)
    sqlite_books.review(run_id)

    with pytest.raises(ChangedRunError, match="computed again since you looked at it"):
        sqlite_books.approve(run_id, digest=seen)

    assert sqlite_books.run(run_id).state == "reviewed"
    approved = sqlite_books.approve(run_id)
    assert approved.approved_digest == approved.digest != seen


def test_what_is_not_issued_can_be_withdrawn_and_its_month_is_free(books: Books) -> None:
    for steps in ((), (books.compute,), (books.compute, books.review, books.approve)):
        run_id = books.create()
        for step in steps:
            step(run_id)

        run = books.withdraw(run_id, reason="not this month")

        assert (run.state, run.reason, run.withdrawn_by) == ("withdrawn", "not this month", "clerk")
        assert content(books) == [[], [], [], [], []]
        for step in (books.compute, books.review, books.approve, books.issue, books.withdraw):
            with pytest.raises(StateError, match="is withdrawn; this takes"):
                step(run_id)

    assert books.bill("2026-10").communities[0].bills == 4
    assert books.rows("SELECT min(number) FROM bill") == [("yard-2026-10-0001",)]


def test_a_run_is_withdrawn_for_a_reason(books: Books) -> None:
    run_id = books.create()

    with pytest.raises(ReasonError, match="say why run 1 is withdrawn"):
        books.withdraw(run_id, reason=" ")
    with pytest.raises(DBAPIError, match="withdrawn_for_a_reason"):
        books.execute("UPDATE bill_run SET state = 'withdrawn'")

    assert books.run(run_id).state == "draft"


@pytest.mark.parametrize("actor", ["clerk", "other clerk"])
def test_who_created_or_computed_a_run_cannot_approve_it(actor: str, sqlite_books: Books) -> None:
    run_id = sqlite_books.create()
    sqlite_books.compute(run_id, actor="other clerk")

    sqlite_books.review(run_id)

    with pytest.raises(FourEyesError, match=f"{actor} made run 1, so somebody else"):
        sqlite_books.approve(run_id, actor=actor)

    assert sqlite_books.run(run_id).state == "reviewed"
    assert sqlite_books.approve(run_id).approved_by == "approver"


APPROVED = "state = 'approved', approved_digest = digest"


def test_the_database_itself_holds_four_eyes(books: Books) -> None:
    run_id = books.create()
    books.compute(run_id, actor="other clerk")
    books.review(run_id)

    for change in (
        f"{APPROVED}, approved_by = 'clerk'",
        f"{APPROVED}, approved_by = 'other clerk'",
        "state = 'approved', approved_by = 'approver', approved_digest = 'another'",
        "state = 'approved', approved_by = 'approver'",
        "state = 'approved'",
    ):
        with pytest.raises(DBAPIError, match=r"four_eyes|approved_first"):
            books.execute(f"UPDATE bill_run SET {change}")  # noqa: S608  names of ours, above
    assert books.run(run_id).state == "reviewed"


def test_the_database_lets_nobody_rewrite_who_made_a_run(books: Books) -> None:
    run_id = books.create()
    books.compute(run_id, actor="other clerk")
    books.review(run_id)

    for change in (
        "created_by = 'nobody'",
        f"computed_by = 'nobody', approved_by = 'other clerk', {APPROVED}",
        f"digest = 'another', approved_by = 'approver', {APPROVED}",
        "period = '2026-11'",
        "kind = 'correction'",
    ):
        with pytest.raises(DBAPIError, match=r"is not rewritten|does not come from"):
            books.execute(f"UPDATE bill_run SET {change}")  # noqa: S608  names of ours, above
    books.approve(run_id)
    for change in ("approved_by = 'nobody'", "approved_digest = digest || 'x'"):
        with pytest.raises(DBAPIError, match=r"is not rewritten|approved_first"):
            books.execute(f"UPDATE bill_run SET state = 'issued', {change}")  # noqa: S608  names of ours, above
    assert books.run(run_id).state == "approved"


@pytest.mark.parametrize("state", ["reviewed", "approved", "issued", "finished"])
def test_the_database_lets_no_run_leave_out_a_step(state: str, books: Books) -> None:
    books.create()

    with pytest.raises(DBAPIError, match=r"not come from that state|approved_first|known_state"):
        books.execute("UPDATE bill_run SET state = :state", state=state)
    with pytest.raises(DBAPIError, match="a run begins as a draft"):
        books.execute(
            "INSERT INTO bill_run (kind, period, state, created_by, created_at)"
            " SELECT kind, period, :state, created_by, created_at FROM bill_run",
            state=state,
        )


def content(books: Books) -> list[list[tuple[object, ...]]]:
    return [
        books.rows(f"SELECT * FROM {table} ORDER BY 1, 2")  # noqa: S608  names of ours, below
        for table in ("usage", "statement", "share", "bill", "bill_line")
    ]


def test_computing_again_replaces_what_was_there_and_gives_the_same(books: Books) -> None:
    run_id = books.create()
    first = books.compute(run_id)
    made = content(books)

    again = books.compute(run_id, actor="other clerk")

    assert content(books) == made
    assert again.digest == first.digest
    assert (again.created_by, again.computed_by) == ("clerk", "other clerk")


def test_computing_again_follows_the_readings_and_leaves_nothing_of_before(
    books: Books, empty_archive: SqlArchive
) -> None:
    run_id = books.create()
    first = books.compute(run_id)
    empty_archive.append(boundary_readings(without=["E-201"]))

    parked = books.compute(run_id, archive=empty_archive)
    assert (parked.state, parked.communities[0].bills) == ("blocked", 0)
    assert parked.digest != first.digest
    assert content(books) == [[], [], [], [], []]

    minute = timedelta(minutes=1)
    for start, value in zip(STARTS, ("40.07", "98.41", "301.11"), strict=True):
        empty_archive.append([reading("E-201", start + minute, value)])
    other = books.compute(run_id, archive=empty_archive)
    assert other.state == "computed"
    assert other.communities[0].problems == ()
    assert other.digest != first.digest
    assert not books.verify(run_id).failures


def test_what_is_approved_is_what_was_computed(books: Books) -> None:
    """As when one computes again while another approves what he saw before."""
    run_id = books.create()
    books.compute(run_id)
    books.review(run_id)
    books.execute("UPDATE bill_line SET amount = amount + 1 WHERE position = 1")

    with pytest.raises(ChangedRunError, match="run 1 is not what was computed; compute it again"):
        books.approve(run_id)

    books.compute(run_id)
    books.review(run_id)
    assert books.approve(run_id).state == "approved"


def test_what_is_issued_is_what_was_approved(books: Books) -> None:
    run_id = books.create()
    books.compute(run_id)
    books.review(run_id)
    books.approve(run_id)
    books.execute("UPDATE usage SET quantity = quantity + 1")

    with pytest.raises(ChangedRunError, match="run 1 is not what was approved"):
        books.issue(run_id)

    assert books.run(run_id).state == "approved"
    assert books.rows("SELECT * FROM journal_entry") == []


def issued(books: Books) -> Run:
    return books.bill("2026-10")


def test_issuing_dates_the_bills_and_posts_what_they_claim(books: Books) -> None:
    run = issued(books)

    bills = books.rows("SELECT number, total, account_id, issued_on, due_on FROM bill ORDER BY id")
    days = {tuple(str(day) for day in row[3:]) for row in bills}
    assert days == {(str(date(2026, 12, 3)), str(date(2026, 12, 13)))}  # local days, ten to pay
    receivables = books.rows(
        "SELECT reference, amount, account_id FROM posting"
        " WHERE ledger_account = 'receivable' ORDER BY reference"
    )
    assert receivables == [
        (f"bill:{number}", total, held_by) for number, total, held_by, *_ in bills
    ]
    with books.database.snapshot() as connection:
        balance = ledger.trial_balance(connection)
        community_id = run.communities[0].community_id
        assert ledger.trial_balance(connection, community_id) == balance
        assert ledger.trial_balance(connection, community_id + 1) == {}
    assert sum(balance.values()) == 0
    assert balance["receivable"] == sum(total for _, total, *_ in bills) == run.communities[0].total
    lines = books.rows("SELECT revenue, sum(amount) FROM bill_line GROUP BY revenue")
    assert {f"revenue:{name}": -int(amount) for name, amount in lines} == {
        name: amount for name, amount in balance.items() if name != "receivable"
    }


def test_nothing_is_dated_or_posted_before_it_is_issued(sqlite_books: Books) -> None:
    run_id = sqlite_books.create()
    sqlite_books.compute(run_id)
    sqlite_books.review(run_id)
    sqlite_books.approve(run_id)

    assert sqlite_books.rows("SELECT DISTINCT issued_on, due_on FROM bill") == [(None, None)]
    assert sqlite_books.rows("SELECT * FROM posting") == []


def test_an_entry_that_does_not_balance_cannot_be_made() -> None:
    with pytest.raises(UnbalancedEntryError, match="entry bill:x is off by 1 fen"):
        Entry("bill:x", (Posting("receivable", 100, 1), Posting("revenue:a", -99)))


def test_a_bill_that_is_worth_nothing_or_less_is_posted_as_it_is(blank_books: Books) -> None:
    rebate = {**FEE["charge"][0], "name": "rebate", "kind": "percentage", "of": ["property-fee"]}
    del rebate["price"]
    free = {
        **FEE,
        "charge": [FEE["charge"][0], {**rebate, "percent": "-150"}],
        "example": [{"area": "10", "expect": "-11.75"}],
    }
    document = {**community_document(), "tariffs": {"residential": ["fee"]}}
    blank_books.define(document, tariffs=[free], pools=())

    run = blank_books.bill()

    assert run.communities[0].total < 0
    assert not blank_books.verify(run.id).failures


def test_who_did_what_and_when_is_kept(sqlite_books: Books) -> None:
    run = issued(sqlite_books)

    assert sqlite_books.rows("SELECT actor, action, subject FROM audit ORDER BY position") == [
        ("clerk", "run.create", "run:1"),
        ("clerk", "run.compute", "run:1"),
        ("clerk", "run.review", "run:1"),
        ("approver", "run.approve", "run:1"),
        ("approver", "run.issue", "run:1"),
    ]
    assert (run.created_by, run.computed_by, run.reviewed_by) == ("clerk",) * 3
    assert (run.approved_by, run.issued_by) == ("approver", "approver")
    assert run.created_at == after("2026-10")
    assert run.issued_at == after("2026-11")


def test_two_who_create_the_same_run_at_once_get_one(books: Books) -> None:
    start = threading.Barrier(4)
    outcomes: list[object] = []

    def create() -> None:
        start.wait()
        try:
            outcomes.append(books.create("2026-10"))
        except PeriodTakenError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes, key=str) == [1, *[PeriodTakenError] * 3]
    assert books.rows("SELECT count(*) FROM bill_run") == [(1,)]


def test_a_community_that_is_new_to_billing_starts_with_any_month(blank_books: Books) -> None:
    blank_books.define(community_document(), tariffs=TARIFFS, pools=())

    assert blank_books.create("2026-11") == 1
