"""A real mail server that keeps what it is sent, over STARTTLS, over TLS, or in clear."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from loopback import HOST, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

USER, PASSWORD = "bills", "a-password-of-this-test"


@dataclass
class Inbox:
    """What has arrived. `answers`: what the server says to the next mails in place of taking them.

    `refused`: addresses that it knows nobody at.
    """

    mails: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    port: int = 0

    async def handle_RCPT(  # noqa: N802 - as aiosmtpd names it
        self, _server: object, _session: object, envelope: Any, address: str, _: object
    ) -> str:
        if address in self.refused:
            return "550 5.1.1 nobody has this address"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - the same
        if self.answers:
            return self.answers.pop(0)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


def _password(_server: object, _session: object, _envelope: object, _: str, data: Any) -> Any:
    right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right)


@contextmanager
def mail_server(security: str, certificate: tuple[Path, Path] | None = None) -> Iterator[Inbox]:
    """Give the inbox of a server; with a `certificate` it asks for a password."""
    inbox = Inbox(port=free_port())
    options: dict[str, Any] = {}
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        key = "ssl_context" if security == "tls" else "tls_context"
        options = {
            key: context,
            "authenticator": _password,
            "auth_require_tls": security == "starttls",
            "auth_required": security == "starttls",
            "require_starttls": security == "starttls",
        }
    server = Controller(inbox, hostname=HOST, port=inbox.port, **options)
    server.start()
    try:
        yield inbox
    finally:
        server.stop()
