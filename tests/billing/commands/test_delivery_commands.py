"""`tallygate delivery`: what messages say is looked at and changed, and messages are counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import told
from click.testing import CliRunner, Result

from billing.commands.delivery import delivery
from billing.delivery.schedule import Result as DeliveryResult
from billing.delivery.schedule import Said

if TYPE_CHECKING:
    from pathlib import Path

    from small_community import Books

OWN = 'subject = "{{ bill }}"\ntext = "{{ amount }}"\nhtml = "<b>{{ amount }}</b>"\nshort = "x"\n'
BILL = "bill.issued"


def run(books: Books, *arguments: str) -> Result:
    name, *rest = arguments
    return CliRunner().invoke(delivery, [name, "--database", books.database.url, *rest])


def preview(books: Books, *arguments: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(run(books, "preview", "--json", *arguments, BILL).output)
    return found


def test_texts_are_looked_at_stored_and_dropped(sqlite_books: Books, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN, "utf-8")
    shipped = preview(sqlite_books)
    assert shipped["subject"] == "桂花苑 1-201 2026年10月账单：¥456.78"
    assert preview(sqlite_books, "--texts", str(path))["html"] == "<b>¥456.78</b>"
    assert preview(sqlite_books) == shipped

    stored = run(sqlite_books, "texts", "--by", "clerk", BILL, str(path))
    assert stored.output == "bill.issued in zh-CN says so from now on\n"
    assert preview(sqlite_books)["text"] == "¥456.78"
    assert preview(sqlite_books, "--language", "en")["text"] != "¥456.78"
    assert run(sqlite_books, "drop-texts", "--by", "clerk", BILL).output == "they are gone\n"
    assert preview(sqlite_books) == shipped


def test_a_text_that_cannot_be_used_is_refused(sqlite_books: Books, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN.replace("amount", "holder"), "utf-8")
    refused = run(sqlite_books, "texts", "--by", "clerk", BILL, str(path))
    assert refused.exit_code == 1
    assert "text, line 1: nothing is called 'holder'; known are account, amount" in refused.output
    path.write_text(OWN.replace("short", "brief"), "utf-8")
    assert "short: is missing" in run(sqlite_books, "preview", "--texts", str(path), BILL).output


def test_messages_are_counted_by_channel_and_state(sqlite_books: Books) -> None:
    told.hook(sqlite_books.database)
    told.tell(sqlite_books.database, "B-1", "B-2")
    told.deliver(sqlite_books.database, told.Noting())

    counted = run(sqlite_books, "status", "--json")
    assert json.loads(counted.output) == [{"channel": "webhook", "state": "sent", "messages": 2}]
    assert run(sqlite_books, "status").output.split() == ["webhook", "sent", "2"]


def test_a_message_of_which_nobody_knows_is_sent_again_by_a_person(sqlite_books: Books) -> None:
    told.hook(sqlite_books.database)
    told.tell(sqlite_books.database, "B-1")
    sms = told.Noting(says=[DeliveryResult(Said.UNSURE)])
    told.deliver(sqlite_books.database, sms)

    (row,) = json.loads(run(sqlite_books, "stuck", "--json").output)
    assert (row["state"], row["subject"]) == ("unsure", "B-1")
    assert run(sqlite_books, "stuck").output.split()[:3] == ["1", "unsure", "webhook"]
    assert run(sqlite_books, "again", "--by", "clerk", "1").exit_code == 0
    assert "no message 1 that is unsure" in run(sqlite_books, "again", "--by", "clerk", "1").output
    assert json.loads(run(sqlite_books, "stuck", "--json").output) == []
