"""E-mail over SMTP: each message a text and an HTML part, sent by a connection of its own.

What tells of a bill carries the bill as a file, where there is a way to make one.

At least once: a process may die between the server's 250 and our commit, and SMTP has no way to
take part in it. The mail is then sent again under the same `Message-ID`, which follows from the
delivery: servers and programs that know it already drop the second one.
"""

from __future__ import annotations

import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING

from billing.delivery.address import EMAIL
from billing.delivery.attachment import OF_A_BILL, NotAttachableError
from billing.delivery.letter import letter_of
from billing.delivery.schedule import Result, Said
from billing.delivery.wording import TemplateRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.delivery.attachment import Attachment, BillPapers
    from billing.delivery.letter import Letter
    from billing.delivery.settings import SmtpSettings
    from billing.store.delivery_queue import Leased

WITHIN_S = 20
"""For each step of the conversation."""
FOR_GOOD = range(500, 600)
"""Replies after which the same mail is refused again (RFC 5321, 4.2.1)."""


class MailSender:
    """Sends mail through the server of `settings`; `links` is where the pages are.

    `papers`: the way to a bill as a file; without one, mails lead to its page alone.
    """

    channel = EMAIL
    repeatable = True

    def __init__(
        self,
        settings: SmtpSettings,
        password: str | None,
        links: str,
        papers: BillPapers | None = None,
    ) -> None:
        self._settings = settings
        self._password = password
        self._links = links
        self._papers = papers

    def prepare(self, connection: Connection, leased: Leased) -> Callable[[datetime], Result]:
        """Write the mail; what is returned sends it."""
        try:
            found = letter_of(connection, leased, self._links)
        except TemplateRefusedError as error:
            refused = Result(Said.REFUSED, detail=str(error))
            return lambda _: refused
        if found is None:
            nobody = Result(Said.REFUSED, detail="nobody is told there any more")
            return lambda _: nobody
        attached = None
        if self._papers is not None and leased.kind in OF_A_BILL:
            attached = self._papers(connection, leased.data["bill"], found.language)

        def send(now: datetime) -> Result:
            mail = composed(found, leased.message_id, self._settings.sender, now)
            try:
                attach(mail, attached)
            except NotAttachableError as error:
                return Result(Said.FAILED, detail=str(error))
            return self._send(mail)

        return send

    def _send(self, mail: EmailMessage) -> Result:
        settings = self._settings
        try:
            with self._connected() as server:
                if settings.security == "starttls":
                    server.starttls(context=ssl.create_default_context(cafile=settings.ca_file))
                if settings.user is not None and self._password is not None:
                    server.login(settings.user, self._password)
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            status, said = next(iter(error.recipients.values()))
            return _refused(status, said)
        except smtplib.SMTPAuthenticationError as error:
            return Result(Said.FAILED, error.smtp_code, "the server does not take the password")
        except smtplib.SMTPResponseException as error:
            return _refused(error.smtp_code, error.smtp_error)
        except (OSError, smtplib.SMTPException) as error:
            return Result(Said.FAILED, detail=str(error) or type(error).__name__)
        return Result(Said.SENT, 250)

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.security == "tls":
            context = ssl.create_default_context(cafile=settings.ca_file)
            return smtplib.SMTP_SSL(settings.host, settings.port, timeout=WITHIN_S, context=context)
        return smtplib.SMTP(settings.host, settings.port, timeout=WITHIN_S)


def composed(letter: Letter, message_id: str, sender: str, now: datetime) -> EmailMessage:
    """Return the mail of `letter`: plain text, and HTML for whoever prefers that."""
    name, address = parseaddr(sender)
    mail = EmailMessage()
    mail["From"] = Address(name, addr_spec=address)
    mail["To"] = Address(addr_spec=letter.address)
    mail["Subject"] = letter.message.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{message_id}@{address.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = letter.language
    mail.set_content(letter.message.text)
    mail.add_alternative(letter.message.html, subtype="html")
    return mail


def attach(mail: EmailMessage, attached: Attachment | None) -> None:
    """Put a file beside the texts of `mail`, if there is one. Raises `NotAttachableError`."""
    if attached is not None:
        kind, _, form = attached.media_type.partition("/")
        mail.add_attachment(attached.make(), maintype=kind, subtype=form, filename=attached.name)


def _refused(status: int, said: bytes | str) -> Result:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return Result(Said.REFUSED if status in FOR_GOOD else Said.FAILED, status, text)
