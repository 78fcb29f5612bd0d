"""What is issued stays: the database itself refuses to change it, whoever asks (I5, I9)."""

from __future__ import annotations

import pytest
from small_community import Books, after
from sqlalchemy.exc import DBAPIError

from billing import lifecycle

CHANGES = {
    "bill": "total = total + 1",
    "bill_line": "amount = amount + 1",
    "usage": "quantity = quantity + 1",
    "statement": "amount = amount + 1",
    "share": "amount = amount - 1",
    "community_run": "total = 0",
    "bill_run": "state = 'draft'",
    "journal_entry": "reference = 'bill:other'",
    "posting": "amount = amount + 1",
    "audit": "actor = 'nobody'",
    "tariff_version": "document = '{}'",
    "pool_version": "document = '{}'",
}
OF_A_RUN = ("bill", "bill_line", "usage", "statement", "share", "community_run")


def content(books: Books, table: str) -> list[tuple[object, ...]]:
    return books.rows(f"SELECT * FROM {table} ORDER BY 1, 2")  # noqa: S608  one of CHANGES


def test_an_issued_row_is_neither_changed_nor_deleted(books: Books) -> None:
    books.bill()

    for table, change in CHANGES.items():
        kept = content(books, table)
        assert kept, table
        for attack in (f"UPDATE {table} SET {change}", f"DELETE FROM {table}"):  # noqa: S608  names of ours
            with pytest.raises(DBAPIError, match=f"{table}: this row .*add a correction instead"):
                books.execute(attack)
        assert content(books, table) == kept


def test_nothing_is_added_to_what_is_issued(books: Books) -> None:
    books.bill()
    new = {"id": "id + 999999", "position": "position + 900"}
    new |= {"number": "'another'", "register": "'another'", "period": "'2027-01'"}

    for table in OF_A_RUN:
        columns = books.columns(table)
        values = ", ".join(new.get(column, f'"{column}"') for column in columns)
        names = ", ".join(f'"{column}"' for column in columns)
        copy = f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} LIMIT 1"  # noqa: S608  names of ours
        with pytest.raises(DBAPIError, match=f"{table}: this row belongs to an issued run"):
            books.execute(copy)


def test_no_row_is_moved_into_what_is_issued(books: Books) -> None:
    books.bill("2026-10")
    books.compute(books.create("2026-11"))

    for table, owner in (("bill_line", "bill_id"), ("share", "statement_id")):
        with pytest.raises(DBAPIError, match="belongs to an issued run"):
            books.execute(
                f"UPDATE {table} SET {owner} = {owner} - 1000000, position = position + 900"  # noqa: S608  names of ours
                f" WHERE {owner} > 2000000"
            )


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no TRUNCATE
def test_a_table_is_not_emptied_around_the_triggers_of_its_rows(books: Books) -> None:
    for table in CHANGES:
        with pytest.raises(DBAPIError, match="cannot be emptied"):
            books.execute(f"TRUNCATE {table} CASCADE")


def test_a_row_is_not_replaced_around_the_triggers(sqlite_books: Books) -> None:
    sqlite_books.bill()
    for table in ("audit", "posting"):
        kept = content(sqlite_books, table)

        with pytest.raises(DBAPIError, match="is kept for ever"):
            sqlite_books.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")  # noqa: S608  names of ours

        assert content(sqlite_books, table) == kept


REFERENCES = (
    ("bill_line", "bill_id"),
    ("bill_line", "usage_id"),
    ("bill_line", "statement_id"),
    ("bill_line", "share"),
    ("bill_line", "tariff_version_id"),
    ("bill", "account_id"),
    ("bill", "unit_id"),
    ("usage", "point_id"),
    ("share", "unit_id"),
    ("share", "statement_id"),
)


@pytest.mark.parametrize(("table", "column"), REFERENCES)
def test_a_row_refers_to_what_is_there(table: str, column: str, books: Books) -> None:
    books.compute(books.create())
    kept = content(books, table)

    with pytest.raises(DBAPIError, match=r"(?i)foreign key|refers to"):
        books.execute(
            f"UPDATE {table} SET {column} = 424242424 WHERE {column} IS NOT NULL"  # noqa: S608  names of ours
            f" AND {column} = (SELECT max({column}) FROM {table})"
        )

    assert content(books, table) == kept


@pytest.mark.parametrize("table", ["account", "unit", "point", "bill", "usage", "share"])
def test_what_is_referred_to_does_not_go(table: str, books: Books) -> None:
    books.compute(books.create())
    kept = content(books, table)

    with pytest.raises(DBAPIError, match=r"(?i)foreign key|refers to"):
        books.execute(f"DELETE FROM {table}")  # noqa: S608  a name of ours

    assert content(books, table) == kept


def test_issuing_one_run_leaves_the_next_free(books: Books) -> None:
    books.bill("2026-10")
    run_id = books.create("2026-11")

    first = books.compute(run_id)

    assert books.compute(run_id).digest == first.digest
    assert books.bill_run(run_id).state == "issued"


def test_a_refused_change_undoes_its_whole_transaction(books: Books) -> None:
    books.bill()
    kept = books.rows("SELECT title FROM community")

    with pytest.raises(DBAPIError), books.database.transaction() as connection:  # noqa: PT012  both belong in it
        connection.exec_driver_sql("UPDATE community SET title = 'new'")
        connection.exec_driver_sql("DELETE FROM bill_line")

    assert books.rows("SELECT title FROM community") == kept


def test_an_issue_that_fails_half_way_leaves_nothing(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = books.create()
    books.compute(run_id)
    books.review(run_id)
    books.approve(run_id)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(lifecycle.journal, "post", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        lifecycle.issue_run(books.database, run_id=run_id, actor="approver", now=after("2026-10"))
    monkeypatch.undo()

    assert books.run(run_id).state == "approved"
    assert books.rows("SELECT DISTINCT issued_on FROM bill") == [(None,)]
    assert books.issue(run_id).state == "issued"
