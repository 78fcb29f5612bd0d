"""How pages are shown: large type, and what a browser keeps for when there is no network."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from api.pages.rendering import STATIC

if TYPE_CHECKING:
    from conftest import House

LARGE = 'class="large"'


def test_large_type_is_chosen_by_a_form_and_remembered(house: House) -> None:
    assert LARGE not in house.call("GET", "/login").text
    chosen = house.call("POST", "/display", data={"type": "large", "next": "/login?lang=en"})
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/login?lang=en")
    cookie = chosen.headers["set-cookie"].partition(";")[0]
    assert cookie == "tallygate_type=large"
    page = house.call("GET", "/login?lang=en", headers={"Cookie": cookie}).text
    assert LARGE in page
    assert "Normal type" in page
    back = house.call("POST", "/display", data={"type": "normal"}, headers={"Cookie": cookie})
    assert 'tallygate_type=""' in back.headers["set-cookie"]


@pytest.mark.parametrize("target", ["https://elsewhere.example/", "//elsewhere.example"])
def test_the_choice_leads_to_no_other_site(house: House, target: str) -> None:
    chosen = house.call("POST", "/display", data={"type": "large", "next": target})
    assert chosen.headers["location"] == "/"


def test_no_other_type_is_remembered(house: House) -> None:
    assert house.call("POST", "/display", data={"type": "huge"}).status_code == 422


def test_what_a_browser_keeps_is_the_same_for_everybody(billed: House) -> None:
    worker = billed.call("GET", "/service-worker.js")
    assert worker.headers["content-type"].startswith("text/javascript")
    kept = json.loads(re.findall(r"const KEPT = (\[.*\]);", worker.text)[0])
    assert kept[0] == "/offline"
    for path in kept[1:]:
        assert re.fullmatch(r"/static/[a-z-]+\.(css|svg|js)\?v=[0-9a-f]{12}", path)
        assert billed.call("GET", path).status_code == 200
    assert worker.text.count("caches.open(") == 1, "what is kept is named in one place"
    li = billed.reader("li", "en")
    assert (
        li.get("/offline").text
        == billed.call("GET", "/offline", headers={"Accept-Language": "en"}).text
    )


@pytest.mark.parametrize("tongue", ["en", "zh-CN"])
def test_the_manifest_names_icons_that_are_there(house: House, tongue: str) -> None:
    page = house.call("GET", "/login", headers={"Accept-Language": tongue}).text
    address = re.findall(r'rel="manifest" href="([^"]+)"', page)[0]
    answer = house.call("GET", address)
    assert answer.headers["content-type"] == "application/manifest+json"
    manifest = answer.json()
    assert (manifest["lang"], manifest["start_url"], manifest["scope"]) == (tongue, "/", "/")
    for icon in manifest["icons"]:
        picture = (STATIC / icon["src"].rpartition("/")[2]).read_bytes()
        wide, high = (int.from_bytes(picture[at : at + 4]) for at in (16, 20))
        assert (picture[:4], f"{wide}x{high}") == (b"\x89PNG", icon["sizes"])


def test_pages_may_load_their_own_files_and_nothing_else(house: House) -> None:
    policy = house.call("GET", "/login").headers["Content-Security-Policy"]
    sources = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert sources["default-src"] == "'none'"
    assert set(sources.values()) == {"'none'", "'self'"}
