"""`tallygate billing unit`: what it changes, what it prints, and what it refuses in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from billing.commands.main import billing

if TYPE_CHECKING:
    from small_community import Books

    from billing.database import Database

SAYING = ("--by", "clerk", "--reason", "as told")


@pytest.fixture
def url(sqlite_database: Database, sqlite_books: Books) -> str:
    """The URL of a database that holds the small community."""
    assert sqlite_books.database is sqlite_database
    return sqlite_database.engine.url.render_as_string(hide_password=False)


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(billing, arguments, env={"TALLYGATE_DATABASE_URL": url})


def unit(url: str, verb: str, *options: str, since: str = "2026-10-15") -> Result:
    return run(url, "unit", verb, "yard", "101", "--since", since, *SAYING, *options)


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def rows(books: Books, table: str, *columns: str) -> list[tuple[Any, ...]]:
    names = ", ".join(columns)
    return books.rows(f"SELECT {names} FROM {table} ORDER BY id")  # noqa: S608  names of ours


def test_attributes_class_and_tariffs_are_set_at_once(url: str, sqlite_books: Books) -> None:
    said = done(
        unit(
            url,
            "set",
            *("--attribute", "persons=5", "--attribute", "area="),
            *("--class", "residential", "--tariff", "fee", "--tariff", "water"),
        )
    )

    assert said == "Changed.\n"
    assert ("2026-10-15", "persons", 50_000) in rows(
        sqlite_books, "unit_attribute", "since", "name", "value"
    )
    assert ("2026-10-15", "area", None) in rows(
        sqlite_books, "unit_attribute", "since", "name", "value"
    )
    assert rows(sqlite_books, "unit_tariffs", "tariffs") == [('["fee","water"]',)]
    done(unit(url, "set", "--tariffs-of-class", since="2026-10-20"))
    assert rows(sqlite_books, "unit_tariffs", "tariffs")[1] == (None,)
    assert sqlite_books.rows("SELECT DISTINCT actor FROM audit") == [("clerk",)]


def test_a_change_in_issued_months_says_so(url: str, sqlite_books: Books) -> None:
    sqlite_books.bill()

    assert "Bills from 2026-10 on are issued" in done(unit(url, "set", "--attribute", "persons=3"))


def test_vacancy_and_holders_change(url: str, sqlite_books: Books) -> None:
    done(unit(url, "move-out"))
    done(unit(url, "vacant"))
    done(unit(url, "occupied", since="2026-10-20"))
    shown = ("--shown", "W-101:volume=20.5", "--shown", "E-101:import_energy=1130")
    moved = ("--account", "T-101", "--holder", "李", *shown, "--photo", "a.jpg")
    done(unit(url, "move-in", *moved, since="2026-10-20"))
    done(unit(url, "read", "--shown", "W-101:volume=21", since="2026-10-25"))

    vacancies = rows(sqlite_books, "vacancy", "first_day", "after_day")
    assert ("2026-10-15", "2026-10-20") in vacancies
    assert ("T-101", "2026-10-20") in rows(sqlite_books, "account", "code", "first_day")
    assert rows(sqlite_books, "interim_register", "meter", "registers", "photo") == [
        ("W-101", '{"volume":"20.5"}', "a.jpg"),
        ("E-101", '{"import_energy":"1130"}', "a.jpg"),
        ("W-101", '{"volume":"21"}', None),
    ]


def test_an_account_opens_with_a_balance_once(url: str, sqlite_books: Books) -> None:
    entered = run(url, "opening-balance", "yard", "A-101", "123.45", *SAYING)

    assert done(entered) == "Entered.\n"
    assert sqlite_books.rows(
        "SELECT ledger_account, amount FROM posting WHERE reference = 'opening:yard/A-101'"
        " ORDER BY position"
    ) == [("receivable", 12_345), ("opening", -12_345)]
    again = run(url, "opening-balance", "yard", "A-101", "123.45", *SAYING)
    assert again.exit_code == 1
    assert "it is entered once" in again.stderr


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing that changes": (("set",), "say what changes"),
    "two kinds of tariffs": (
        ("set", "--tariff", "fee", "--tariffs-of-class"),
        "its own tariffs or those of its class",
    ),
    "an attribute without a number": (("set", "--attribute", "persons=many"), "persons=5"),
    "an unknown class": (("set", "--class", "shop"), "no customer class 'shop'"),
    "a register without a point": (("read", "--shown", "volume=1"), "W-101:volume=30.5"),
    "no register": (("read",), "say what a meter showed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_said_and_nothing_changes(
    case: str, url: str, sqlite_books: Books
) -> None:
    (verb, *options), says = REFUSED[case]

    result = unit(url, verb, *options)

    assert result.exit_code in (1, 2), result.output
    assert says in " ".join(result.stderr.split())
    assert sqlite_books.rows("SELECT * FROM audit") == []


@pytest.mark.parametrize("amount", ["0", "much", "1.005"])
def test_an_opening_balance_is_an_amount(amount: str, url: str) -> None:
    result = run(url, "opening-balance", "yard", "A-101", amount, *SAYING)

    assert result.exit_code == 2, result.output
