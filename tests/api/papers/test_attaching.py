"""The mail that delivers a bill carries it as PDF, the one that its page gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from loopback import HOST
from mail_server import mail_server
from sqlalchemy import select

from api.language import languages
from api.papers import attaching
from api.papers.attaching import attached_bill
from api.papers.bill import bill_pdf
from api.papers.typesetting import UnsettableError
from api.resources import open_resources
from billing.delivery.attachment import NotAttachableError
from billing.delivery.dispatching import Dispatcher
from billing.delivery.event import Kind
from billing.delivery_tables import contact
from billing.store import delivery_contacts
from billing.tables import bill

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import House

BILL = "osmanthus-2026-10-0002"
SETTINGS = """
links = "https://bills.example.com"
[smtp]
host = "{host}"
port = {port}
security = "none"
sender = "bills@example.com"
"""


def test_whoever_wants_mail_gets_the_bill_itself(billed: House, tmp_path: Path) -> None:
    with billed.database.transaction() as connection:
        account = connection.scalar(select(bill.c.account_id).where(bill.c.number == BILL))
        assert account is not None
        delivery_contacts.state(
            connection,
            person="li",
            accounts=[account],
            channel="email",
            address="li@example.com",
            language="zh-CN",
            kinds=[Kind.BILL_ISSUED],
            now=billed.now,
        )
        connection.execute(contact.update().values(confirmed_at=contact.c.stated_at))
        expected = bill_pdf(connection, BILL, language=languages()["zh-CN"], seals=None)
    path = tmp_path / "delivery.toml"
    with mail_server("none") as inbox:
        path.write_text(SETTINGS.format(host=HOST, port=inbox.port), encoding="utf-8")
        settings = billed.app.state.resources.settings.model_copy(
            update={"delivery_settings": path}
        )
        resources = open_resources(settings, lambda: billed.now)
        Dispatcher(resources.database, resources.channels.senders, resources.now).deliver()
        resources.close()
    files = {
        part.get_filename(): part.get_content()
        for mail in inbox.mails
        for part in mail.iter_attachments()
    }
    assert files[f"{BILL}.pdf"] == expected


def test_a_bill_that_is_not_there_is_in_no_mail(billed: House) -> None:
    with billed.database.snapshot() as connection:
        assert attached_bill(None, connection, "osmanthus-2026-10-9999", "en") is None


def test_what_cannot_be_set_is_said_so(billed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_paper: object) -> bytes:
        raise UnsettableError("out of paper")

    with billed.database.snapshot() as connection:
        attached = attached_bill(None, connection, BILL, "en")
    assert attached is not None
    monkeypatch.setattr(attaching, "typeset", refuse)
    with pytest.raises(NotAttachableError, match="out of paper"):
        attached.make()
