"""Mail goes out over real SMTP, in the person's language, and comes once or is known again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import told
from certificates import certificate
from loopback import HOST, free_port
from mail_server import PASSWORD, USER, mail_server
from told import NOW, Clock

from billing.delivery.attachment import Attachment, NotAttachableError
from billing.delivery.dispatching import Dispatcher
from billing.delivery.event import Kind
from billing.delivery.mail import MailSender
from billing.delivery.settings import SmtpSettings
from billing.delivery.wording import Texts
from billing.store import delivery_contacts, delivery_outbox, delivery_texts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mail_server import Inbox
    from small_community import Books

LINKS = "https://bills.example.com"
SENDER = "小院物业 <bills@yard.example.com>"


def sender(port: int, **settings: object) -> MailSender:
    values = {"host": HOST, "port": port, "security": "none", "sender": SENDER, **settings}
    return MailSender(SmtpSettings.model_validate(values), PASSWORD, LINKS)


def deliver(books: Books, mail: MailSender, clock: Clock | None = None) -> None:
    Dispatcher(books.database, [mail], clock or Clock()).deliver()


def wants(books: Books, language: str = "zh-CN", address: str = "li@example.com") -> None:
    """Let an owner want mail, at an address that is confirmed."""
    with books.database.transaction() as connection:
        delivery_contacts.state(
            connection,
            person="li",
            accounts=[1],
            channel="email",
            address=address,
            language=language,
            kinds=[Kind.BILL_ISSUED, Kind.PAYMENT_POSTED],
            now=NOW,
        )
    books.execute("UPDATE contact SET confirmed_at = stated_at")
    books.execute("UPDATE event SET spread_at = at")


def bill(books: Books, number: str = "yard-2026-10-0001") -> None:
    """Tell of a bill as `bills_issued` does."""
    event = told.Event(
        kind=Kind.BILL_ISSUED,
        subject=number,
        at=NOW,
        data={
            "bill": number,
            "community": "yard",
            "account": "A-101",
            "unit": "101",
            "period": "2026-10",
            "total": "1497.04",
            "currency": "CNY",
            "issued_on": "2026-12-03",
            "due_on": "2026-12-13",
        },
        community_id=1,
        account_id=1,
    )
    with books.database.transaction() as connection:
        delivery_outbox.tell(connection, event)


def one(inbox: Inbox) -> tuple[str, str, str]:
    """Return subject, text and HTML of the only mail."""
    (mail,) = inbox.mails
    text, html = mail.iter_parts()
    return str(mail["Subject"]), text.get_content().strip(), html.get_content().strip()


def test_a_bill_is_mailed_in_the_persons_language(sqlite_books: Books) -> None:
    wants(sqlite_books)
    bill(sqlite_books)
    with mail_server("none") as inbox:
        deliver(sqlite_books, sender(inbox.port))
        deliver(sqlite_books, sender(inbox.port))

    subject, text, html = one(inbox)
    assert subject == "小院 101 2026年10月账单：¥1,497.04"
    assert "请于2026年12月13日前缴纳" in text
    assert f"{LINKS}/bills/yard-2026-10-0001" in text
    assert f"<a href='{LINKS}/bills/yard-2026-10-0001'>" in html
    (mail,) = inbox.mails
    assert mail["To"] == "li@example.com"
    assert mail["From"] == SENDER
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == NOW
    assert mail["Message-ID"].startswith("<msg_")
    assert mail["Message-ID"].endswith("@yard.example.com>")


def test_an_english_reader_gets_english(sqlite_books: Books) -> None:
    wants(sqlite_books, "en")
    bill(sqlite_books)
    with mail_server("none") as inbox:
        deliver(sqlite_books, sender(inbox.port))

    assert one(inbox)[0] == "The yard 101, October 2026: CN¥1,497.04"


def test_texts_of_ones_own_are_sent_in_place_of_those_shipped(sqlite_books: Books) -> None:
    wants(sqlite_books)
    bill(sqlite_books)
    own = Texts(
        subject="账单 {{ bill }}", text="{{ amount }}", html="<b>{{ amount }}</b>", short="x"
    )
    with sqlite_books.database.transaction() as connection:
        delivery_texts.put(connection, 1, Kind.BILL_ISSUED, "zh-CN", own, actor="clerk", now=NOW)
    with mail_server("none") as inbox:
        deliver(sqlite_books, sender(inbox.port))

    assert one(inbox) == ("账单 yard-2026-10-0001", "¥1,497.04", "<b>¥1,497.04</b>")


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_the_connection_is_sealed_and_signed_in(
    sqlite_books: Books, tmp_path: Path, security: str
) -> None:
    wants(sqlite_books)
    bill(sqlite_books)
    made = certificate(tmp_path)
    with mail_server(security, made) as inbox:
        own = sender(inbox.port, security=security, user=USER, ca_file=made[0])
        deliver(sqlite_books, own)
    assert len(inbox.mails) == 1


def test_a_server_with_another_certificate_is_told_nothing(
    sqlite_books: Books, tmp_path: Path
) -> None:
    wants(sqlite_books)
    bill(sqlite_books)
    with mail_server("starttls", certificate(tmp_path)) as inbox:
        deliver(sqlite_books, sender(inbox.port, security="starttls", user=USER))

    assert inbox.mails == []
    (row,) = sqlite_books.rows("SELECT said, detail FROM delivery_attempt")
    assert row[0] == "failed"
    assert "certificate" in row[1]


def test_what_the_server_cannot_take_now_is_sent_later_under_the_same_id(
    sqlite_books: Books,
) -> None:
    wants(sqlite_books)
    bill(sqlite_books)
    clock = Clock()
    with mail_server("none") as inbox:
        inbox.answers.append("451 4.3.0 come back later")
        deliver(sqlite_books, sender(inbox.port), clock)
        clock.wait(seconds=6)
        deliver(sqlite_books, sender(inbox.port), clock)

    assert len(inbox.mails) == 1
    assert sqlite_books.rows("SELECT said, status FROM delivery_attempt ORDER BY id") == [
        ("failed", 451),
        ("sent", 250),
    ]


def test_an_address_that_nobody_has_is_not_tried_again(sqlite_books: Books) -> None:
    wants(sqlite_books)
    bill(sqlite_books)
    with mail_server("none") as inbox:
        inbox.refused.add("li@example.com")
        deliver(sqlite_books, sender(inbox.port))

    (row,) = sqlite_books.rows("SELECT state, said, status, detail FROM delivery, delivery_attempt")
    assert row == ("failed", "refused", 550, "5.1.1 nobody has this address")


def test_a_server_that_is_away_is_tried_again(sqlite_books: Books) -> None:
    wants(sqlite_books)
    bill(sqlite_books)
    deliver(sqlite_books, sender(free_port()))

    assert sqlite_books.rows("SELECT state FROM delivery") == [("waiting",)]


def test_a_mail_that_was_taken_and_not_kept_comes_again_under_the_same_id(
    sqlite_books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server says 250 and we die: whoever knows the `Message-ID` drops the second one."""
    wants(sqlite_books)
    bill(sqlite_books)
    clock = Clock()
    with mail_server("none") as inbox:
        with monkeypatch.context() as patch:
            patch.setattr("billing.store.delivery_queue.record", _killed)
            with pytest.raises(RuntimeError, match="killed"):
                deliver(sqlite_books, sender(inbox.port), clock)
        clock.wait(minutes=3)
        deliver(sqlite_books, sender(inbox.port), clock)
        clock.wait(seconds=10)
        deliver(sqlite_books, sender(inbox.port), clock)

    first, second = (mail["Message-ID"] for mail in inbox.mails)
    assert first == second
    assert sqlite_books.rows("SELECT state FROM delivery") == [("sent",)]


def _killed(*_: object, **__: object) -> None:
    raise RuntimeError("killed")


def test_who_wants_nothing_any_more_is_sent_nothing(sqlite_books: Books) -> None:
    wants(sqlite_books)
    bill(sqlite_books)
    with sqlite_books.database.transaction() as connection:
        delivery_outbox.spread(connection, (), now=NOW)
        delivery_contacts.drop(connection, person="li", channel="email", now=NOW)
    with mail_server("none") as inbox:
        deliver(sqlite_books, sender(inbox.port), Clock(NOW + timedelta(minutes=1)))

    assert inbox.mails == []


def carrying(port: int, asked: list[tuple[str, str]], make: Callable[[], bytes]) -> MailSender:
    """Return a sender that notes in `asked` which bills it was to carry, and carries one file."""

    def paper(_connection: object, number: str, language: str) -> Attachment:
        asked.append((number, language))
        return Attachment(f"账单 {number}.pdf", "application/pdf", make)

    settings = {"host": HOST, "port": port, "security": "none", "sender": SENDER}
    return MailSender(SmtpSettings.model_validate(settings), PASSWORD, LINKS, paper)


def test_a_mail_about_a_bill_carries_it_as_a_file(sqlite_books: Books) -> None:
    wants(sqlite_books)
    bill(sqlite_books)
    asked: list[tuple[str, str]] = []
    with mail_server("none") as inbox:
        deliver(sqlite_books, carrying(inbox.port, asked, lambda: b"%PDF-1.7 of the bill"))

    assert asked == [("yard-2026-10-0001", "zh-CN")]
    (mail,) = inbox.mails
    texts, file = mail.iter_parts()
    assert [each.get_content_type() for each in texts.iter_parts()] == ["text/plain", "text/html"]
    assert file.get_content_type() == "application/pdf"
    assert file.get_filename() == "账单 yard-2026-10-0001.pdf"
    assert file.get_content() == b"%PDF-1.7 of the bill"


def test_a_mail_whose_file_cannot_be_made_is_tried_again(sqlite_books: Books) -> None:
    wants(sqlite_books)
    bill(sqlite_books)

    def fail() -> bytes:
        raise NotAttachableError("no glyphs today")

    with mail_server("none") as inbox:
        deliver(sqlite_books, carrying(inbox.port, [], fail))

    assert inbox.mails == []
    (row,) = sqlite_books.rows("SELECT state, said, detail FROM delivery, delivery_attempt")
    assert row == ("waiting", "failed", "no glyphs today")


def test_a_password_in_clear_is_refused_in_the_settings() -> None:
    for wrong in ({"user": USER}, {"host": "mail.example.com"}):
        with pytest.raises(ValueError, match="on this machine"):
            sender(25, **wrong)
    with pytest.raises(ValueError, match="sender"):
        sender(25, sender="x\r\nBcc: all@example.com")
