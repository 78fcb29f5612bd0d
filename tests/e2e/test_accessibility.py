"""Every page in both languages by the rules of WCAG 2 A and AA, as axe-core finds them broken."""

from __future__ import annotations

from base64 import b32decode
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import osmanthus_court as court
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from court_site import DESK, PASSWORD, PHONE, Site, at_the_page, court_site
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import compile_path

from api.totp import hotp, step_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

OWN = "/bills/osmanthus-2026-10-0002"
REVIEW = (
    "/staff/reviews/case?community=osmanthus&period=2026-10&point=1-201-e&register=import_energy"
)
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
OF_EVERYBODY = (
    *("/problems/four-eyes", "/offline", "/nowhere", "/notifications/confirm/a-code-of-nobody"),
    *("/verify", f"/verify/{OWN.rpartition('/')[2]}/ABCD", "/settings/second-factor"),
)
PAGES: dict[str, tuple[str, ...]] = {
    "li": (
        *("/", OWN, *(f"{OWN}/lines/{place}" for place in range(1, 9))),
        *(f"{OWN}/lines/1?check=true", "/statements/2000001", "/meters", "/publication"),
        *("/meters/usage", "/meters/usage?medium=water", "/meters/usage/days?month=2026-10"),
        *("/account", "/disputes", "/export", "/settings/notifications"),
    ),
    "committee": ("/statements", "/statements/2000001", "/publication"),
    "approver": (
        *("/staff/runs", "/staff/runs/2", "/staff/statements/2000002", "/staff/corrections"),
        *("/staff/reviews", "/staff/disputes", "/staff/disputes/1", OWN, f"{OWN}/lines/1"),
        *("/staff/accounts", "/staff/accounts/1", "/staff/desk", REVIEW),
        *("/staff/tariffs", "/staff/tariffs/property"),
    ),
    "engineer": (
        *("/engineering/meters", "/engineering/meters/E-1-201", "/engineering/quarantine"),
        *("/engineering/meters/E-1-201/exchange", "/engineering/gateways"),
        *("/engineering/unknown", "/engineering/questions", "/engineering/types"),
        "/engineering/types/eastron-sdm630",
    ),
    "auditor": ("/audit",),
    "admin": ("/access", "/webhooks", "/messages", "/messages/bill.issued/en"),
}


@pytest.fixture
def site(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Site]:
    """Osmanthus Court with October issued, and a line that its owner asks about."""
    with court_site(tmp_path, free_port()) as opened:
        opened.bill_october()
        opened.dispute("osmanthus-2026-10-0002", 2)
        yield opened


def order(page: Page) -> None:
    page.goto(OWN)
    page.click(f"form[action='{OWN}/pay'] button")


def pays(page: Page, site: Site) -> None:
    with site.sells():
        order(page)


def has_paid(page: Page, site: Site) -> None:
    with site.sells() as wechat:
        order(page)
        wechat.pay(page.url.rpartition("/")[2])
        page.click("main a[href^='/receipts/']")  # the page looks again by itself


def drafts(page: Page, _: Site) -> None:
    page.goto("/staff/tariffs")
    page.fill("textarea[name=document]", court.DEARER)
    page.click("main button.main")


def adds_a_gateway(page: Page, _: Site) -> None:
    page.goto("/engineering/gateways")
    page.fill("input[name=gateway]", "north-1")
    page.click("main button.main")


def adds_a_webhook(page: Page, _: Site) -> None:
    page.goto("/webhooks")
    page.fill("input[name=url]", "https://hooks.example.com/tallygate")
    page.click("main button.main")
    page.click("main table a")


MADE: dict[str, dict[str, Callable[[Page, Site], None]]] = {
    "li": {"/orders/{number}": pays, "/receipts/{payment}": has_paid},
    "approver": {"/staff/tariffs/drafts/{draft}": drafts},
    "engineer": {"/engineering/gateways/{gateway}": adds_a_gateway},
    "admin": {"/webhooks/{webhook}": adds_a_webhook},
}
"""Pages of what somebody makes first, and how they are come to."""
BESIDE = {"/login", "/login/code", "/service-worker.js"}
"""Looked at as what signing in leads to; and no page."""


def broken(page: Page) -> list[str]:
    """Return which rules a page breaks, and where."""
    page.evaluate(AXE_SCRIPT)
    options = {"runOnly": {"type": "tag", "values": list(RULES)}}
    found: Any = page.evaluate("(options) => axe.run(document, options)", options)
    assert found["passes"], "axe looked at nothing"
    return [
        f"{rule['id']}: {node['html'][:200]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def test_a_page_that_breaks_rules_is_found(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(
        "<title>x</title><main><img src='x.png'><input><p style='color:#bbb'>pale</p></main>"
    )
    found = {each.partition(":")[0] for each in broken(page)}
    page.close()
    assert found >= {"image-alt", "label", "color-contrast", "html-has-lang"}


def test_every_page_is_looked_at(site: Site) -> None:
    seen = [urlsplit(path).path for path in (*OF_EVERYBODY, *chain(*PAGES.values()))]
    made = BESIDE.union(*MADE.values())
    patterns = {
        context.path
        for context in iter_route_contexts(site.app.routes)
        if isinstance(context.original_route, APIRoute)
        and not context.original_route.include_in_schema
        and "GET" in context.original_route.methods
        and not context.path.endswith(("/pdf", "/xlsx"))
    }
    assert {"/", "/orders/{number}", "/staff/runs/{run}"} <= patterns
    assert [
        pattern
        for pattern in sorted(patterns - made)
        if not any(compile_path(pattern)[0].match(path) for path in seen)
    ] == []


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
@pytest.mark.parametrize("name", PAGES)
def test_pages_break_no_rule(browser: Browser, site: Site, name: str, locale: str) -> None:
    size = PHONE if name == "li" else DESK
    with at_the_page(browser, site, name, locale=locale, size=size) as page:
        found = {}
        for path in (*PAGES[name], *OF_EVERYBODY):
            page.goto(path)
            found[path] = broken(page)
        for pattern, lead in MADE.get(name, {}).items():
            lead(page, site)
            assert compile_path(pattern)[0].match(urlsplit(page.url).path), page.inner_text("main")
            found[pattern] = broken(page)
        page.locator("form[action='/logout'] button").click()
        found["/login"] = broken(page)
    assert {path: rules for path, rules in found.items() if rules} == {}


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_setting_up_a_second_factor_breaks_no_rule(
    browser: Browser, site: Site, locale: str
) -> None:
    with at_the_page(browser, site, "clerk", locale=locale, size=PHONE) as page:
        found = {}
        page.goto("/settings/second-factor")
        page.click("main button.main")
        found["to be confirmed"] = broken(page)
        secret = b32decode(page.inner_text("main section code").replace(" ", ""))
        page.fill("input[name=code]", hotp(secret, step_at(court.NOW)))
        page.click("main button.main")
        found["recovery codes"] = broken(page)
        assert page.locator(".codes li").count() == 10
        page.goto("/settings/second-factor")
        found["on"] = broken(page)
        page.locator("form[action='/logout'] button").click()
        page.fill("input[name=name]", "clerk")
        page.fill("input[name=password]", PASSWORD)
        page.click("main button")
        found["code"] = broken(page)
        assert page.url.endswith("/login/code?next=/")
        page.fill("input[name=code]", "000000")
        page.click("main button")
        found["wrong code"] = broken(page)
    assert {name: rules for name, rules in found.items() if rules} == {}


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_large_type_needs_no_script_and_fits_a_phone(
    browser: Browser, site: Site, locale: str
) -> None:
    with at_the_page(browser, site, "li", locale=locale, size=PHONE, scripts=False) as page:
        page.goto(OWN)
        size = "parseFloat(getComputedStyle(document.querySelector('.list .more')).fontSize)"
        before = page.evaluate(size)
        page.click("form[action='/display'] button")
        assert page.url.endswith(OWN)
        assert page.evaluate(size) == pytest.approx(before * 1.35, rel=0.02)
        for path in PAGES["li"]:
            page.goto(path)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE["width"], path
            small = page.evaluate(SMALL_TARGETS)
            assert small == [], path


SMALL_TARGETS = """
() => [...document.querySelectorAll("button, a.button, nav a, select, textarea")]
  .filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 36)
  .map((each) => each.outerHTML)
"""
"""What a finger would miss; WCAG 2.2 AA asks for 24 pixels, large type for more."""


def test_the_skip_link_and_the_focus_are_seen(browser: Browser, site: Site) -> None:
    with at_the_page(browser, site, "li", locale="en-GB", size=PHONE) as page:
        page.goto(OWN)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        inside = "document.querySelector('main').contains(document.activeElement)"
        assert page.evaluate(inside)
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"


def test_without_a_network_an_offline_page_is_shown_and_no_bill(
    browser: Browser, site: Site
) -> None:
    with at_the_page(browser, site, "li", locale="en-GB", size=PHONE) as page:
        page.goto(OWN)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.wait_for_function("navigator.serviceWorker.controller !== null")
        kept = page.evaluate(
            "caches.keys().then((names) => Promise.all(names.map((each) => caches.open(each)"
            ".then((cache) => cache.keys()))))"
            ".then((lists) => lists.flat().map((each) => new URL(each.url).pathname))"
        )
        assert "/offline" in kept
        assert [each for each in kept if each != "/offline" and "/static/" not in each] == []
        page.context.set_offline(offline=True)
        page.goto(OWN)
        assert page.inner_text("h1") == "No network"
        assert "500.98" not in page.content()
        assert (
            page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgba(0, 0, 0, 0)"
        )
        page.context.set_offline(offline=False)
        page.goto(OWN)
        assert "500.98" in page.content()
