"""Osmanthus Court on a real server, with people who read its pages in a real browser."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import osmanthus_court as court
import uvicorn
from wechat_merchant import account_at

from api.app import create_app
from api.credentials import Passwords
from api.permission import Role
from api.providers import Providers
from api.settings import ApiSettings
from api.store import gateway_requests, logins
from billing.database import Database
from billing.payments.wechat.client import WechatPay
from billing.store import disputes
from billing.store.views.scope import Scope
from meters.archive.open import open_archive
from simulators.wechat_pay.server import WechatPayServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from playwright.sync_api import Browser, Page

PASSWORD = "correct-horse-battery"  # noqa: S105  a password of a test's own database
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 860}
START_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Site:
    """A server that people reach at `url`."""

    url: str
    app: FastAPI

    def bill_october(self) -> None:
        resources = self.app.state.resources
        court.bill_month(resources.database, resources.archive, court.MONTH)

    def dispute(self, bill: str, line: int) -> None:
        """Ask about a line as somebody who pays."""
        with self.app.state.resources.database.transaction() as connection:
            disputes.open_dispute(
                connection, Scope(), bill, line, reason="Why?", actor="li", now=court.NOW
            )

    @contextmanager
    def sells(self) -> Iterator[WechatPayServer]:
        """Take payments at a simulated WeChat Pay for as long as the `with` block lasts."""
        with WechatPayServer(clock=lambda: court.NOW) as wechat:
            provider = WechatPay(account_at(wechat, f"{self.url}/v1/callbacks/wechat"))
            provider.fetch_certificates(now=court.NOW)
            resources = self.app.state.resources
            self.app.state.resources = replace(resources, providers=Providers(provider))
            try:
                yield wechat
            finally:
                self.app.state.resources = resources
                provider.close_connections()

    def answer_as_gateway(self, gateway: str, error: str) -> None:
        """Say that the one meter that somebody waits for was not read."""
        with self.app.state.resources.database.transaction() as connection:
            (asked,) = gateway_requests.waiting(connection, gateway, now=court.NOW)
            said = {"done": False, "error": error, "time": None, "registers": []}
            gateway_requests.answer(connection, asked.id, gateway=gateway, text=said, now=court.NOW)


@contextmanager
def served(app: FastAPI, port: int) -> Iterator[str]:
    """Serve `app` on loopback in a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + START_TIMEOUT_S
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def court_site(folder: Path, port: int) -> Iterator[Site]:
    """Serve Osmanthus Court with September issued; October is still to be billed."""
    settings = ApiSettings(
        database_url=f"sqlite:///{folder}/billing.sqlite",
        archive_url=f"sqlite:///{folder}/archive.sqlite",
        secure_cookies=False,
        secret_keys=("k" * 40,),
    )
    password_hash = Passwords().hash(PASSWORD)
    archive = open_archive(settings.archive_url)
    with Database(settings.database_url) as database:
        database.migrate()
        court.fill(database, archive)
        court.bill_month(database, archive, court.MONTH_BEFORE)
        with database.transaction() as connection:
            for name, role, accounts in (
                ("li", Role.OWNER, ["A-1-201"]),
                ("clerk", Role.CLERK, []),
                ("approver", Role.APPROVER, []),
                ("engineer", Role.ENGINEER, []),
                ("committee", Role.COMMITTEE, []),
                ("auditor", Role.AUDITOR, []),
                ("admin", Role.ADMIN, []),
            ):
                logins.add_login(
                    connection,
                    name=name,
                    password_hash=password_hash,
                    role=role,
                    accounts=[logins.account_id(connection, code) for code in accounts],
                    now=court.NOW,
                )
    archive.close()
    app = create_app(settings, clock=lambda: court.NOW)
    with served(app, port) as url:
        yield Site(url, app)


@contextmanager
def at_the_page(
    browser: Browser,
    site: Site,
    name: str,
    *,
    locale: str,
    size: dict[str, int],
    scripts: bool = True,
) -> Iterator[Page]:
    """Sign `name` in and give the page where the login led to; nothing may fail on the way."""
    context = browser.new_context(
        base_url=site.url,
        locale=locale,
        viewport={"width": size["width"], "height": size["height"]},
        java_script_enabled=scripts,
    )
    page = context.new_page()
    failures: list[str] = []
    page.on("console", lambda message: failures.append(message.text))
    page.on("requestfailed", lambda request: failures.append(f"{request.url} {request.failure}"))
    page.goto("/")
    assert page.url.endswith("/login")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button")
    yield page
    context.close()
    # A refused page is logged by the browser itself, and leaving a page ends what it still loads;
    # everything else is a defect.
    expected = ("status of 40", "net::ERR_ABORTED")
    assert [each for each in failures if not any(text in each for text in expected)] == []
