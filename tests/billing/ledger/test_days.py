"""Days are closed, settlements reach the bank, and the trial balance is zero throughout."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy.exc import DBAPIError
from till import NOW, Till, notice

from billing.ledger import Entry, Posting
from billing.store import day_close, ledger, settlements
from billing.store.day_close import Closed, DayError
from billing.store.settlements import Settlement, SettlementError

TODAY = date(2026, 12, 4)


def close(till: Till, day: date = TODAY) -> Closed:
    with till.books.database.transaction() as connection:
        return day_close.close(connection, "yard", day, actor="head", now=NOW)


def days_of(till: Till, prefix: str) -> list[str]:
    rows = till.books.rows(
        "SELECT day FROM journal_entry WHERE reference LIKE :prefix ORDER BY reference",
        prefix=f"{prefix}%",
    )
    return [str(day) for (day,) in rows]


def test_an_entry_counts_on_the_local_day(sqlite_till: Till) -> None:
    sqlite_till.hand(100, now=NOW)
    sqlite_till.hand(200, document="S-2", now=NOW + timedelta(hours=14))  # after local midnight

    assert days_of(sqlite_till, "payment:") == ["2026-12-04", "2026-12-05"]
    assert days_of(sqlite_till, "bill:") == ["2026-12-03"] * 4


def test_what_comes_after_a_day_is_closed_counts_on_the_next(till: Till) -> None:
    till.hand(100)

    closed = close(till)
    till.hand(200, document="S-2")

    assert (closed.day, closed.entries, closed.closed_by) == (TODAY, 5, "head")
    assert closed.balance["clearing:cash"] == 100
    assert sum(closed.balance.values()) == 0
    assert days_of(till, "payment:") == ["2026-12-04", "2026-12-05"]
    with till.books.database.snapshot() as connection:
        through = ledger.trial_balance(connection, through=TODAY)
    assert {name: amount for name, amount in through.items() if amount} == {
        name: amount for name, amount in closed.balance.items() if amount
    }


def test_the_database_itself_keeps_a_closed_day_closed(till: Till) -> None:
    till.hand(100)
    close(till)
    entry = (
        "INSERT INTO journal_entry (reference, community_id, posted_at, day)"
        " SELECT 'late', community_id, posted_at, {day} FROM journal_entry WHERE reference ="
        " 'payment:1'"
    )
    posting = (
        "INSERT INTO posting (reference, position, ledger_account, amount)"
        " VALUES ('{reference}', 90, 'bank', 1)"
    )
    for attack, says in (
        (entry.format(day="'2026-12-04'"), "this day is closed; date it to the next open one"),
        (entry.format(day="'2026-12-01'"), "this day is closed; date it to the next open one"),
        (posting.format(reference="payment:1"), "the day of this entry is closed; add another"),
        ("UPDATE day_close SET entries = 0", "kept for ever"),
        ("DELETE FROM day_close", "kept for ever"),
        ("UPDATE journal_entry SET day = '2026-12-09'", "kept for ever"),
        (
            """INSERT INTO day_close SELECT community_id, '2026-12-02', 0, '{}', 'x', closed_at
            FROM day_close""",
            "this day is closed already",
        ),
    ):
        with pytest.raises(DBAPIError, match=says):
            till.books.execute(attack)
    assert till.books.execute(entry.format(day="'2026-12-05'")) == 1


def test_a_day_is_closed_once_and_not_before_it_begins(sqlite_till: Till) -> None:
    close(sqlite_till)

    for day in (TODAY, TODAY - timedelta(days=3)):
        with pytest.raises(DayError, match="yard is closed through 2026-12-04 already"):
            close(sqlite_till, day)
    with pytest.raises(DayError, match="2026-12-05 has not begun"):
        close(sqlite_till, TODAY + timedelta(days=1))


def settle(till: Till, gross: int, kept: int, document: str = "B-1") -> date:
    settled = Settlement(channel="wechat", document=document, gross=gross, kept=kept, day=TODAY)
    with till.books.database.transaction() as connection:
        return settlements.settle(connection, "yard", settled, actor="clerk", now=NOW)


def test_a_settlement_moves_what_a_channel_took_into_the_bank_less_its_fee(
    sqlite_till: Till,
) -> None:
    till = sqlite_till
    order = till.order()
    till.take(notice(order))

    assert settle(till, order.amount, 60) == TODAY

    balance = till.balance()
    assert (balance["bank"], balance["fee:wechat"]) == (order.amount - 60, 60)
    assert "clearing:wechat" not in balance
    with pytest.raises(SettlementError, match="B-1 of wechat was settled on 2026-12-04; it is po"):
        settle(till, order.amount, 60)
    with pytest.raises(SettlementError, match="of nothing"):
        settle(till, 0, 0, "B-2")
    close(till)
    assert settle(till, 100, 0, "B-3") == date(2026, 12, 5)


def test_an_entry_keeps_its_reference_to_itself(sqlite_till: Till) -> None:
    entry = Entry("once", (Posting("bank", 1), Posting("rounding", -1)))
    with sqlite_till.books.database.transaction() as connection:
        assert ledger.post(connection, 1, [entry], at=NOW) == TODAY
    with (
        pytest.raises(DBAPIError),
        sqlite_till.books.database.transaction() as connection,
    ):
        ledger.post(connection, 1, [entry], at=NOW)
