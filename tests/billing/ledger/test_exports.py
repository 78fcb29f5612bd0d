"""The journal as others read it, and statements that tie to it."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from till import NOW, Till, notice

from billing.journal import Booked, Line, as_beancount, as_csv, beancount_account
from billing.store import journal_views
from billing.store.journal_views import AccountStatement, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST, LAST = date(2026, 12, 1), date(2026, 12, 31)
DATE = r"\d{4}-\d{2}-\d{2}"
ACCOUNT = r"(?:Assets|Liabilities|Equity|Income|Expenses)(?::[A-Z0-9][A-Za-z0-9-]*)+"
STRING = r'"(?:[^"\\]|\\.)*"'
SYNTAX = {
    "option": re.compile(rf"option {STRING} {STRING}"),
    "open": re.compile(rf"({DATE}) open ({ACCOUNT}) [A-Z]{{3}}"),
    "transaction": re.compile(rf"({DATE}) \* {STRING}"),
    "posting": re.compile(rf"  ({ACCOUNT})  (-?\d+\.\d\d) [A-Z]{{3}}"),
    "metadata": re.compile(rf"    [a-z][a-z0-9_-]*: {STRING}"),
    "blank": re.compile(r""),
}
"""Lines of a Beancount file, by its documentation of the syntax."""


def directives(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    for line in text.splitlines():
        kind, match = next(
            (name, found) for name, known in SYNTAX.items() if (found := known.fullmatch(line))
        )
        yield kind, match


def lively(till: Till) -> None:
    """Let much happen: payments, an overpayment, one undone, rounding, and a month more."""
    till.take(notice(till.order()))
    till.take(notice(till.order("A-201", in_advance=100_000), "T2"))
    till.hand(5_000, "A-301", rounding=7)
    till.hand(1_000, "A-301", document="S-2", channel="bank")
    till.reverse(4)
    till.books.bill("2026-11")
    till.hand(2_000, document="S-3", now=NOW + timedelta(days=5))


def booked(till: Till) -> list[Booked]:
    with till.books.database.snapshot() as connection:
        return journal_views.booked(connection, 1, FIRST, LAST)


def test_the_beancount_file_is_well_formed_and_every_transaction_is_zero(
    sqlite_till: Till,
) -> None:
    lively(sqlite_till)
    text = as_beancount(booked(sqlite_till), "CNY", title='The "yard"')
    opened: dict[str, str] = {}
    balances: dict[str, Decimal] = defaultdict(Decimal)
    sums: list[Decimal] = []
    day = ""
    for kind, match in directives(text):
        if kind == "open":
            opened[match[2]] = match[1]
        elif kind == "transaction":
            day = match[1]
            sums.append(Decimal(0))
        elif kind == "posting":
            assert opened[match[1]] <= day
            sums[-1] += Decimal(match[2])
            balances[match[1]] += Decimal(match[2])

    assert len(sums) == len(booked(sqlite_till)) > 10
    assert set(sums) == {Decimal(0)}
    expected = sqlite_till.balance()
    for name, fen in expected.items():
        assert balances[beancount_account(name)] == Decimal(fen).scaleb(-2), name
    assert text.startswith('option "title" "The \\"yard\\""\n')


def test_the_csv_holds_every_posting_once(sqlite_till: Till) -> None:
    lively(sqlite_till)

    rows = list(csv.DictReader(io.StringIO(as_csv(booked(sqlite_till)))))

    assert len(rows) == sqlite_till.books.rows("SELECT count(*) FROM posting")[0][0]
    for side in ("debit", "credit"):
        assert sum(Decimal(row[side] or 0) for row in rows) > 0
    debits, credits_ = (
        sum(Decimal(row[side] or 0) for row in rows) for side in ("debit", "credit")
    )
    assert debits == credits_


def test_the_csv_says_what_is_said() -> None:
    entry = Booked(
        "payment:1", FIRST, (Line("clearing:cash", None, 123_45), Line("credit", "A-1", -123_45))
    )

    assert as_csv([entry]) == (
        "day,reference,ledger_account,account,debit,credit\r\n"
        "2026-12-01,payment:1,clearing:cash,,123.45,\r\n"
        "2026-12-01,payment:1,credit,A-1,,123.45\r\n"
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("receivable", "Assets:Receivable"),
        ("clearing:wechat", "Assets:Clearing:Wechat"),
        ("revenue:property-fee", "Income:PropertyFee"),
        ("fee:wechat", "Expenses:Fee:Wechat"),
        ("credit", "Liabilities:Credit"),
    ],
)
def test_every_ledger_account_has_its_root(ours: str, theirs: str) -> None:
    assert beancount_account(ours) == theirs


def test_an_account_of_no_root_is_told() -> None:
    with pytest.raises(ValueError, match="'nonsense' has no place in Beancount"):
        beancount_account("nonsense")


def statement(till: Till, account: str, first: date = FIRST, last: date = LAST) -> AccountStatement:
    account_id = till.payer(account).account_id
    with till.books.database.snapshot() as connection:
        return journal_views.statement_of(connection, account_id, first, last)


def test_a_statement_ties_to_the_journal(till: Till) -> None:
    lively(till)

    for account in ("A-101", "A-201", "A-202", "A-301"):
        found = statement(till, account)
        dues = till.dues(account)
        assert found.closing == dues.due - dues.credit, account
        assert found.opening == 0
    found = statement(till, "A-301")
    bills = till.books.rows(
        "SELECT sum(total) FROM bill JOIN account ON account.id = account_id"
        " WHERE code = 'A-301' AND issued_on IS NOT NULL"
    )
    assert found.total(Kind.CHARGE) == int(bills[0][0])
    assert found.total(Kind.PAYMENT) == -6_007
    assert found.total(Kind.ADJUSTMENT) == 1_000


def test_statements_of_days_that_follow_each_other_carry_on(sqlite_till: Till) -> None:
    lively(sqlite_till)
    whole = statement(sqlite_till, "A-101")
    middle = date(2026, 12, 4)

    before = statement(sqlite_till, "A-101", FIRST, middle)
    later = statement(sqlite_till, "A-101", middle + timedelta(days=1), LAST)

    assert (before.closing, later.closing) == (later.opening, whole.closing)
    assert before.lines + later.lines == whole.lines
    assert [line.amount for line in later.lines] == [-2_000]


def test_credit_that_pays_a_bill_is_no_line_of_a_statement(sqlite_till: Till) -> None:
    lively(sqlite_till)

    found = statement(sqlite_till, "A-201")

    assert sorted(line.kind for line in found.lines) == [Kind.CHARGE, Kind.CHARGE, Kind.PAYMENT]
