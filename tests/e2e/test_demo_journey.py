"""The demo's people: an owner understands a share and pays, staff find a wrong reading and mend it.

The pictures of it in docs/images come from here: `tour-*` under screenshots/.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, FloatRect, Page

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
TIMEOUT_S = 900
PHONE = (390, 844)
READY = "Press Ctrl+C to stop."
LOGIN = re.compile(r"^(\S+) +(\S{5}-\S{5}-\S{5}-\S{5}) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs, and the passwords that it said."""

    url: str
    passwords: dict[str, str]

    @property
    def neighbour(self) -> str:
        """An owner whose building has a lift, and whom nothing else befalls."""
        return next(name for name in self.passwords if name.startswith("owner-2-"))

    @property
    def misread(self) -> str:
        """The owner whose water was read wrong: the last of those that the demo names."""
        return [name for name in self.passwords if name.startswith("owner-")][-1]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    port, said = free_port(), folder / "said.txt"
    command = ["demo", "--seed", "7", "--port", str(port), "--dir", str(folder / "demo")]
    with said.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tallygate", *command], stdout=out, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while READY not in said.read_text():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.2)
        yield Demo(f"http://127.0.0.1:{port}", dict(LOGIN.findall(said.read_text())))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(TIMEOUT_S)


@contextmanager
def at_the_page(
    browser: Browser, demo: Demo, name: str, size: tuple[int, int] = (1280, 860)
) -> Iterator[Page]:
    width, height = size
    context = browser.new_context(
        base_url=demo.url, locale="en-GB", viewport={"width": width, "height": height}
    )
    page = context.new_page()
    page.goto("/")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", demo.passwords[name])
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: not url.endswith("/login"))
    yield page
    context.close()


def looked_at(page: Page, name: str, *, zh: str, en: str) -> None:
    """Keep a picture in each language, which must say `zh` or `en`; English stays."""
    SCREENSHOTS.mkdir(exist_ok=True)
    address = page.url
    joint = "&" if "?" in address else "?"
    for tag, expected in (("zh-CN", zh), ("en", en)):
        page.goto(f"{address}{joint}lang={tag}")
        assert expected in page.inner_text("main"), f"{name} in {tag}"
        page.screenshot(path=SCREENSHOTS / f"demo-{name}-{tag}.png", full_page=True)
        page.screenshot(path=SCREENSHOTS / f"tour-{name}-{tag}.png", clip=clip(page))


def clip(page: Page) -> FloatRect:
    """What a reader sees of a page without its head."""
    box = page.locator("main").bounding_box()
    assert box is not None
    width, height = (page.viewport_size or {}).values()
    return {"x": 0, "y": box["y"], "width": width, "height": min(height, box["height"])}


def decide(page: Page, decision: str, reason: str) -> None:
    form = page.locator("form", has=page.locator(f"input[value={decision}]"))
    form.locator("textarea").fill(reason)
    form.locator("button").click()


def test_an_owner_understands_a_lift_share_and_pays(browser: Browser, demo: Demo) -> None:
    with at_the_page(browser, demo, demo.neighbour, PHONE) as page:
        page.click("main a.button")
        bill = page.url
        page.click(".list a:has-text('Lift of building 2')")
        looked_at(page, "share", zh="按建筑面积", en="shared by floor area")
        page.click("a[href$='?check=true#check']")
        assert "exactly what the bill says" in page.inner_text("#check")
        page.click("a[href^='/statements/']")
        looked_at(page, "shares", zh="分文不差", en="Adds up to the cent")
        page.goto(bill)
        page.click("form[action$='/pay'] button")
        looked_at(page, "order", zh="微信扫一扫", en="Scan with WeChat")
        order = page.url
        with page.expect_popup() as opened:
            page.click("main a.button")
        phone = opened.value
        phone.get_by_role("button", name="Pay").click()
        assert "paid" in phone.inner_text("body")
        page.goto(order)
        page.click("main a[href^='/receipts/']")  # the page looks again by itself
        looked_at(page, "receipt", zh="收据", en="What it has paid")
        page.goto(bill)
        assert page.locator("form[action$='/pay']").count() == 0


def test_a_wrong_reading_is_found_and_stands_corrected_on_a_bill(
    browser: Browser, demo: Demo
) -> None:
    with at_the_page(browser, demo, "clerk") as page:
        page.click("main tbody tr:first-child a")
        looked_at(page, "run", zh="超过往常的三倍", en="More than three times the usual")
        page.click("#unusual td a")
        looked_at(page, "case", zh="门卫抄表", en="read off the display by the caretaker")
        decide(page, "estimate", "A 3 was taken for an 8")
        looked_at(page, "decided", zh="查看更正会改变什么", en="A 3 was taken for an 8")
        page.click("main a.button")
        looked_at(page, "correction", zh="创建更正批次", en="Make the correction run")
        page.click("button.main")
        correction = page.url
        page.click("form[action$='/compute'] button")
        page.click("form[action$='/review'] button")
        looked_at(page, "reviewed", zh="等待另一人审批", en="Waits for approval by somebody else")
        assert page.locator("form[action$='/approve']").count() == 0
    with at_the_page(browser, demo, "approver") as page:
        page.goto(correction)
        page.click("form[action$='/approve'] button")
        page.click("form[action$='/issue'] button")
        looked_at(page, "issued", zh="已出账", en="Issued")
    with at_the_page(browser, demo, demo.misread, PHONE) as page:
        looked_at(page, "owner", zh="更正", en="Correction for")
        assert "−¥" in page.inner_text("main")


def test_a_second_factor_may_be_tried(browser: Browser, demo: Demo) -> None:
    with at_the_page(browser, demo, "engineer") as page:
        page.goto("/settings/second-factor")
        page.click("form[action='/settings/second-factor'] button")
        assert page.locator("main .qr svg").count() == 1  # what an authenticator scans
