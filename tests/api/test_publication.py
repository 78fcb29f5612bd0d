"""The publication of a community: tariffs in words and tables, pools, and their statements."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from osmanthus_court import CODE

from api import tariff_words
from api.language import languages
from billing.store import definitions
from billing.tariff import load_tariff, parse_tariff
from deploy.tariff_page import TARIFFS

if TYPE_CHECKING:
    from conftest import House


def shown(house: House, name: str = "li", language: str = "en") -> str:
    page = house.reader(name, language).get("/publication").text.partition("<main")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_an_owner_reads_tariffs_in_words_and_tables(billed: House) -> None:
    text = shown(billed)
    assert "Household electricity Version 1, in force since 1 Jul 2012." in text
    assert "Each step of a month's use has its own price." in text.replace("&#39;", "'")
    assert "1 up to 240 ¥0.4883 2 240–400 ¥0.5383 3 above 400 ¥0.7883" in text
    assert "¥1.36 per m³, for 90% of the use." in text
    assert "¥1.80 for each m² and month." in text
    assert "阶梯" in shown(billed, language="zh-CN")


def test_pools_and_statements_are_those_that_the_reader_may_open(billed: House) -> None:
    newcomer = billed.reader("newcomer")
    linked = set(re.findall(r'href="/statements/(\d+)"', newcomer.get("/publication").text))
    assert linked
    assert {newcomer.get(f"/statements/{each}").status_code for each in linked} == {200}
    committee = billed.reader("committee").get("/publication").text
    assert linked < set(re.findall(r'href="/statements/(\d+)"', committee))
    assert "It is shared by floor area." in shown(billed)


def test_programs_get_the_same(billed: House) -> None:
    answer = billed.caller("li").get(f"/v1/publication?community={CODE}")
    found: Any = answer.json()
    assert (found["community"], found["day"]) == (CODE, "2026-11-15")
    power = next(each for each in found["tariffs"] if each["id"] == "power")
    assert power["charges"][0]["prices"][1] == {
        "step": 2,
        "above": "240",
        "until": "400",
        "band": None,
        "use_until": None,
        "price": "0.5383",
    }
    assert power["following"] is None
    assert {each["id"] for each in found["pools"]} == {"b1-lift", "lights"}
    assert found["statements"][0]["period"] == "2026-10"
    again = billed.caller("li").get(
        "/v1/publication", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


def test_a_community_of_others_is_as_if_it_were_not_there(billed: House) -> None:
    assert billed.caller("li").get("/v1/publication?community=nowhere").status_code == 404
    assert billed.reader("li").get("/publication?community=nowhere").status_code == 404


def test_what_is_to_follow_is_told(billed: House) -> None:
    database = billed.database
    with database.transaction() as connection:
        versions = definitions.tariff_id(connection, "power", 1)
        power = definitions.tariff(connection, versions).model_dump(by_alias=True, mode="json")
        power |= {"version": 2, "valid_from": date(2027, 1, 1)}
        definitions.add_tariff(connection, parse_tariff(_without_none(power), "power"))
    assert "From 1 Jan 2027 on version 2 holds." in shown(billed)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    return [_without_none(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("tag", ["en", "zh-CN"])
def test_every_kind_of_charge_has_words(tag: str) -> None:
    language = languages()[tag]
    kinds = {}
    for tariff in map(load_tariff, sorted(TARIFFS.glob("*.toml"))):
        for charge in tariff.charges:
            sentence = tariff_words.sentence(tariff, charge, language)
            assert "{" not in sentence
            assert sentence != language.titled(charge.title)
            kinds[charge.kind] = sentence
            assert all(each.price is not None for each in tariff_words.prices(charge))
    assert len(kinds) == 16
