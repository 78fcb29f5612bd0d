"""Owner, clerk, approver and engineer at the pages: a real browser against a real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import osmanthus_court as court
import pytest
from court_site import DESK, PASSWORD, PHONE, Site, at_the_page, court_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page, Response

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
OWN, FOREIGN = "osmanthus-2026-10-0002", "osmanthus-2026-10-0001"

CONTRAST = """
() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility() || element.matches(".skip")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(parts(style.color)), light(ground(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`${element.textContent.trim()}: ${ratio}`);
  }
  return found;
}
"""
"""The texts whose contrast is below WCAG 2 AA, with the ratio: https://www.w3.org/TR/WCAG22/."""


@pytest.fixture
def site(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Site]:
    """Osmanthus Court with September issued; October is still to be billed."""
    with court_site(tmp_path, free_port()) as opened:
        yield opened


def looked_at(page: Page, name: str) -> None:
    """Keep a picture, and hold the page to what every page promises."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], f"{name} is wider than the screen"
    assert page.evaluate(CONTRAST) == [], f"{name} is hard to read"


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_an_owner_reads_a_bill_and_how_a_line_comes_about(
    browser: Browser, site: Site, locale: str
) -> None:
    site.bill_october()
    english = locale.startswith("en")
    with at_the_page(browser, site, "li", locale=locale, size=PHONE) as page:
        assert page.locator(".total").first.inner_text() == "¥500.98"
        looked_at(page, f"owner-bills-{locale}")
        page.click("a.button")
        assert OWN in page.url
        assert page.locator(".list a").count() == 8
        looked_at(page, f"owner-bill-{locale}")
        page.click(".list li:first-child a")
        assert page.url.endswith("/lines/1")
        assert page.locator("svg.bar").is_visible()
        assert "45b2 9266" in page.inner_text("main")
        looked_at(page, f"owner-line-{locale}")
        page.click("#check a.button")
        holds = page.locator(".message.good")
        assert ("It holds." if english else "核对一致。") in holds.inner_text()
        page.go_back()
        page.goto(f"/bills/{OWN}/lines/7")
        looked_at(page, f"owner-shared-line-{locale}")
        page.click("main .button.quiet")
        assert page.url.endswith("/statements/2000001")
        assert "1-•••" in page.inner_text("main")
        assert "1-202" not in page.inner_text("main")
        looked_at(page, f"owner-statement-{locale}")


def test_an_owner_cannot_open_a_neighbours_bill(browser: Browser, site: Site) -> None:
    site.bill_october()
    with at_the_page(browser, site, "li", locale="en-GB", size=PHONE) as page:
        for path in (f"/bills/{FOREIGN}", f"/bills/{FOREIGN}/lines/1", "/staff/runs"):
            answer = page.goto(path)
            assert answer is not None
            assert answer.status in (403, 404)
            assert "陈晓" not in page.content()
            assert "336.30" not in page.content()
        looked_at(page, "owner-refused")


def test_a_page_can_be_read_without_scripts(browser: Browser, site: Site) -> None:
    site.bill_october()
    context = browser.new_context(base_url=site.url, java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto("/login")
    page.fill("input[name=name]", "li")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button")
    page.goto(f"/bills/{OWN}/lines/1?check=true")
    assert "It holds." in page.inner_text("main")
    context.close()


def test_the_language_can_be_changed_on_the_page(browser: Browser, site: Site) -> None:
    with at_the_page(browser, site, "li", locale="zh-CN", size=PHONE) as page:
        assert page.inner_text("h1") == "我的账单"
        page.click("text=English")
        assert page.inner_text("h1") == "My bills"
        page.goto("/")
        assert page.inner_text("h1") == "My bills"
        page.click("text=中文")
        assert page.inner_text("h1") == "我的账单"


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_a_run_goes_through_two_pairs_of_eyes(browser: Browser, site: Site, locale: str) -> None:
    english = locale.startswith("en")
    with at_the_page(browser, site, "clerk", locale=locale, size=DESK) as page:
        assert page.url.endswith("/staff/runs")
        page.select_option("select[name=period]", court.MONTH)
        page.click("main button.main")
        assert page.url.endswith("/staff/runs/2")
        page.click("form[action$='/compute'] button")
        assert "¥1,408.71" in page.inner_text(".tiles")
        page.click("form[action$='/review'] button")
        waits = "Waits for approval by somebody else" if english else "等待另一人审批"
        assert waits in page.inner_text("main")
        assert page.locator("form[action$='/approve']").count() == 0
        looked_at(page, f"clerk-run-{locale}")
    with at_the_page(browser, site, "approver", locale=locale, size=DESK) as page:
        page.click("main table a")
        page.click("main a[href^='/staff/statements/']")
        assert "¥0.00 · 0 kWh" in page.inner_text(".balance")
        looked_at(page, f"approver-statement-{locale}")
        page.goto("/staff/runs/2")
        page.click("form[action$='/approve'] button")
        page.click("form[action$='/issue'] button")
        assert page.locator(".path .done").count() == 5
        looked_at(page, f"approver-issued-{locale}")
        page.goto("/staff/runs")
        looked_at(page, f"staff-runs-{locale}")
    with at_the_page(browser, site, "li", locale=locale, size=PHONE) as page:
        assert page.locator(".total").first.inner_text() == "¥500.98"


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_an_engineer_sees_what_the_meters_say(browser: Browser, site: Site, locale: str) -> None:
    with at_the_page(browser, site, "engineer", locale=locale, size=DESK) as page:
        assert page.url.endswith("/engineering/meters")
        assert page.locator("tbody tr").count() == 10
        looked_at(page, f"engineer-meters-{locale}")
        page.click("text=E-1-201")
        assert "47c3 4ff3" in page.inner_text("main")
        assert page.locator(".badge.warn").count() == 1
        looked_at(page, f"engineer-meter-{locale}")
        page.click("text=Quarantine" if locale == "en-GB" else "text=隔离区")
        looked_at(page, f"engineer-quarantine-{locale}")


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_an_engineer_manages_gateways_without_a_script(
    browser: Browser, site: Site, locale: str, size: dict[str, int]
) -> None:
    width = f"{locale}-{size['width']}"
    with at_the_page(browser, site, "engineer", locale=locale, size=size, scripts=False) as page:
        page.goto("/engineering/gateways")
        page.fill("input[name=gateway]", "north-1")
        page.click("main button.main")
        assert page.url.endswith("/engineering/gateways/north-1")
        page.fill("form[action$='/buses'] input[name=name]", "b1")
        page.fill("form[action$='/buses'] input[name=host]", "10.0.0.7")
        page.click("form[action$='/buses'] button")
        on_bus = page.locator("form[action$='/meters']", has=page.locator("select[name=bus]"))
        on_bus.locator("input[name=meter]").fill("E-1-201")
        on_bus.locator("select[name=type]").select_option("eastron-sdm120")
        on_bus.locator("input[name=unit]").fill("7")
        on_bus.locator("button").click()
        assert "E-1-201" in page.inner_text("#list")
        page.click("form[action$='/enrolment'] button")
        assert "tg_enrol_" in page.inner_text("main")
        page.goto("/engineering/gateways/north-1")
        looked_at(page, f"engineer-gateway-{width}")
        page.goto("/engineering/meters/E-1-201")
        page.click("#now button")
        assert page.url.endswith("/engineering/meters/E-1-201#now")
        site.answer_as_gateway("north-1", "no answer within 1.5 s")
        page.get_by_text("no answer within 1.5 s").wait_for()  # the page looks again by itself
        assert page.locator("meta[http-equiv=refresh]").count() == 0
        for name in ("meters/E-1-201/exchange", "unknown", "questions", "types"):
            page.goto(f"/engineering/{name}")
            looked_at(page, f"engineer-{name.replace('/', '-')}-{width}")
        page.goto("/engineering/types/eastron-sdm630")
        looked_at(page, f"engineer-type-{width}")


def test_a_wrong_password_is_said_so(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.url, locale="zh-CN", viewport=PHONE)
    page = context.new_page()
    page.goto("/login")
    page.fill("input[name=name]", "li")
    page.fill("input[name=password]", "not the password")
    page.click("main button")
    assert "用户名或密码不正确" in page.inner_text("[role=alert]")
    assert page.input_value("input[name=name]") == "li"
    assert page.input_value("input[name=password]") == ""
    looked_at(page, "login-refused")
    context.close()


def test_the_first_view_is_light(browser: Browser, site: Site) -> None:
    """All that is sent from the login to the own bills, with nothing kept before."""
    site.bill_october()
    context = browser.new_context(base_url=site.url, locale="zh-CN", service_workers="block")
    page = context.new_page()
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108  it takes no bound method
    page.goto("/login", wait_until="networkidle")
    page.fill("input[name=name]", "li")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_load_state("networkidle")
    assert page.inner_text("h1") == "我的账单"
    page.goto(f"/bills/{OWN}", wait_until="networkidle")
    sizes = [each.request.sizes() for each in answers]
    sent = sum(each["responseBodySize"] + each["responseHeadersSize"] for each in sizes)
    assert 5_000 < sent < 100_000
    assert all(re.match(re.escape(site.url), each.url) for each in answers)
    context.close()
