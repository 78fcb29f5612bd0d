"""A community's file: what it may say, and what is refused with what advice."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w
from small_community import INSTALLED, Books, changed, community_document

from billing.community import load_community, parse_community
from billing.store import registry
from billing.store.registry import CommunityExistsError, MeterTakenError
from meters.definition import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Document = dict[str, Any]


def refused(document: Document) -> str:
    with pytest.raises(DefinitionError) as caught:
        parse_community(document, "yard.toml")
    return str(caught.value)


def point(document: Document, code: str) -> Document:
    (found,) = (each for each in document["point"] if each["code"] == code)
    return dict(found)


def with_more(name: str, *entries: Document) -> Document:
    document = community_document()
    return {**document, name: [*document[name], *entries]}


def installed(code: str, **changes: Any) -> Document:
    """Return the community with the only installation at a point changed."""
    document = copy.deepcopy(community_document())
    point(document, code)["installation"][0].update(changes)
    return document


def exchanged(code: str, *, removed: datetime, came: datetime, meter: str = "new") -> Document:
    """Return the community with a second meter at a point."""
    document = installed(code, end=removed)
    installations = point(document, code)["installation"]
    installations.append({**installations[0], "meter": meter, "start": came})
    del installations[-1]["end"]
    return document


def test_a_community_loads_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "yard.toml"
    file.write_text(tomli_w.dumps(community_document()), "utf-8")

    community = load_community(file)

    assert community == parse_community(community_document(), "x")
    assert [unit.code for unit in community.unit] == ["101", "201", "202", "301"]
    assert community.point[0].installation[0].start == INSTALLED


def test_a_meter_may_follow_another_at_once_and_move_to_another_point() -> None:
    then = INSTALLED + timedelta(days=3)
    document = exchanged("E-101", removed=then, came=then)
    moved = {**point(document, "lift")["installation"][0], "meter": "E-101", "start": then}
    del moved["multiplier"]
    point(document, "lift")["installation"][0]["end"] = then
    point(document, "lift")["installation"].append(moved)

    parse_community(document, "x")


def with_changes(*since: Document) -> Document:
    """Return the community with what changes of unit 101."""
    return changed(community_document(), unit={"101": {"since": list(since)}})


THEN = INSTALLED + timedelta(days=3)
WRONG: dict[str, tuple[Callable[[], Document], tuple[str, ...]]] = {
    "an unknown building of a unit": (
        lambda: changed(community_document(), unit={"201": {"building": "b9"}}),
        ("unit 201", "unknown building 'b9'"),
    ),
    "an unknown building of a point": (
        lambda: changed(community_document(), point={"lift": {"building": "b9"}}),
        ("point lift", "unknown building 'b9'"),
    ),
    "an unknown customer class": (
        lambda: changed(community_document(), unit={"101": {"customer_class": "shop"}}),
        ("unit 101", "unknown customer class 'shop'"),
    ),
    "an unknown unit of a point": (
        lambda: changed(community_document(), point={"W-101": {"unit": "999"}}),
        ("point W-101", "unknown unit '999'"),
    ),
    "an unknown unit of an account": (
        lambda: changed(community_document(), account={"A-101": {"unit": "999"}}),
        ("account A-101", "unknown unit '999'"),
    ),
    "two points of a medium": (
        lambda: changed(community_document(), point={"E-201": {"unit": "101"}}),
        ("unit 101", "2 electricity points"),
    ),
    "a unit's point without its unit": (
        lambda: changed(community_document(), point={"E-101": {"unit": None}}),
        ("point[1]", 'role "unit" names its unit'),
    ),
    "a shared point with a unit": (
        lambda: changed(community_document(), point={"lift": {"unit": "101"}}),
        ("point[9]", 'role "unit" names its unit'),
    ),
    "a doubled building": (
        lambda: with_more("building", community_document()["building"][0]),
        ("building 'b1' is listed 2 times",),
    ),
    "a doubled unit": (
        lambda: with_more("unit", community_document()["unit"][0]),
        ("unit '101' is listed 2 times",),
    ),
    "a doubled point": (
        lambda: with_more("point", point(community_document(), "lift")),
        ("point 'lift' is listed 2 times",),
    ),
    "a doubled account": (
        lambda: with_more("account", community_document()["account"][0]),
        ("account 'A-101' is listed 2 times",),
    ),
    "a tariff that bills twice": (
        lambda: {**community_document(), "tariffs": {"residential": ["water", "water"]}},
        ("class residential", "'water' is listed 2 times"),
    ),
    "overlapping installations": (
        lambda: exchanged("E-101", removed=THEN, came=THEN - timedelta(seconds=1)),
        ("E-101 and new both stand", "end the first installation"),
    ),
    "an installation that was never ended": (
        lambda: exchanged("E-101", removed=THEN, came=THEN, meter="E-201"),
        ("meter E-201 stands at", "E-101", "E-201", "at the same time"),
    ),
    "a meter at two places": (
        lambda: installed("W-201", meter="W-101"),
        ("meter W-101 stands at", "W-101", "W-201", "at the same time"),
    ),
    "a meter that is removed before it comes": (
        lambda: installed("W-201", end=INSTALLED),
        ("point[6]", "meter W-201 is removed", "before it came"),
    ),
    "a multiplier of zero": (
        lambda: installed("lift", multiplier="0"),
        ("point[9].installation[1].multiplier", "greater than 0"),
    ),
    "an installation without a zone": (
        lambda: installed("lift", start=INSTALLED.replace(tzinfo=None)),
        ("point[9].installation[1].start", "no time zone"),
    ),
    "an installation dated by a number": (
        lambda: installed("lift", start=20260914),
        ("point[9].installation[1].start", "must be a time such as", "20260914"),
    ),
    "two holders of a unit": (
        lambda: with_more(
            "account",
            {"code": "T-1", "unit": "101", "holder": "李", "first_day": date(2026, 10, 1)},
        ),
        ("A-101 and T-1 both hold unit 101 on 2026-10-01", "after_day"),
    ),
    "an account that ends before it begins": (
        lambda: changed(community_document(), account={"A-101": {"after_day": date(2026, 1, 1)}}),
        ("account[1]", "after_day 2026-01-01 is not after first_day"),
    ),
    "a vacancy without a beginning": (
        lambda: changed(community_document(), unit={"101": {"vacant_until": date(2026, 6, 1)}}),
        ("unit[1]", "vacant_until has no meaning without vacant_from"),
    ),
    "a vacancy that ends before it begins": (
        lambda: changed(community_document(), unit={"202": {"vacant_until": date(2026, 5, 1)}}),
        ("unit[3]", "vacant_until 2026-05-01 is not after vacant_from"),
    ),
    "a zone that does not exist": (
        lambda: {**community_document(), "zone": "Asia/Peking"},
        ("zone", "'Asia/Peking' is no time zone", "Asia/Shanghai"),
    ),
    "a zone that is a folder of zones": (
        lambda: {**community_document(), "zone": "Asia"},
        ("zone", "'Asia' is no time zone"),
    ),
    "a misspelt key": (
        lambda: changed(community_document(), unit={"101": {"custmer_class": "shop"}}),
        ("unit[1].custmer_class", "unknown key; did you mean 'customer_class'?"),
    ),
    "a negative area": (
        lambda: changed(community_document(), unit={"101": {"area": "-1"}}),
        ("unit[1].area", "must not be negative"),
    ),
    "an area finer than bills can state": (
        lambda: changed(community_document(), unit={"101": {"area": "88.50001"}}),
        ("unit[1].area", "more than 4 decimals"),
    ),
    "a change of nothing": (
        lambda: with_changes({"day": date(2026, 10, 15)}),
        ("unit[1].since[1]", "nothing changes on 2026-10-15"),
    ),
    "changes in no order": (
        lambda: with_changes(
            {"day": date(2026, 10, 15), "persons": 5}, {"day": date(2026, 10, 1), "persons": 4}
        ),
        ("unit[1]", "the change on 2026-10-01 must come after that on 2026-10-15"),
    ),
    "a change to an unknown class": (
        lambda: with_changes({"day": date(2026, 10, 15), "customer_class": "shop"}),
        ("unit 101", "unknown customer class 'shop'"),
    ),
    "an attribute in two places": (
        lambda: changed(community_document(), unit={"101": {"attributes": {"persons": 3}}}),
        ("unit[1]", "persons has a key of its own"),
    ),
    "own tariffs that bill twice": (
        lambda: changed(community_document(), unit={"101": {"tariffs": ["fee", "fee"]}}),
        ("unit[1]", "'fee' is listed 2 times"),
    ),
    "a date that is a number": (
        lambda: changed(community_document(), account={"A-101": {"first_day": 0}}),
        ("account[1].first_day", "must be a date such as"),
    ),
    "a community without units": (
        lambda: {**community_document(), "unit": []},
        ("unit", "at least 1"),
    ),
    "a code with a slash, which no address can hold": (
        lambda: {**community_document(), "code": "yard/2"},
        ("code", "pattern", "yard/2"),
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_file_is_refused_for(wrong: str) -> None:
    make, says = WRONG[wrong]

    message = refused(make())

    assert message.startswith("yard.toml: ")
    for words in says:
        assert words in message


def test_all_that_is_wrong_inside_tables_is_said_at_once() -> None:
    document = changed(community_document(), unit={"101": {"area": "x"}, "201": {"floor": "2"}})

    assert len(refused(document).splitlines()) == 2


def test_all_that_does_not_fit_together_is_said_at_once_with_its_place() -> None:
    document = changed(
        community_document(),
        unit={"101": {"building": "b9"}},
        point={"W-101": {"unit": "999"}},
        account={"A-101": {"unit": "998"}},
    )

    assert [line.partition(" names ")[0] for line in refused(document).splitlines()] == [
        "yard.toml: unit[1].building: unit 101",
        "yard.toml: point[5].unit: point W-101",
        "yard.toml: account[1].unit: account A-101",
    ]


def test_a_community_is_brought_in_once_and_all_or_nothing(books: Books) -> None:
    before = books.rows("SELECT count(*) FROM unit")

    with pytest.raises(CommunityExistsError, match="'yard' is there already"):
        books.define()

    assert books.rows("SELECT count(*) FROM unit") == before


def test_a_meter_counts_in_one_community_at_a_time(books: Books) -> None:
    with pytest.raises(MeterTakenError, match="meter E-101 of point E-101 stands at E-101 of"):
        books.define(community_document("other"), pools=())

    assert books.rows("SELECT code FROM community") == [("yard",)]
    books.define(community_document("other", prefix="o-"), pools=())


def test_a_meter_that_left_may_count_elsewhere(blank_books: Books) -> None:
    ended = {"end": datetime(2026, 9, 20, tzinfo=UTC)}
    gone = changed(
        community_document(),
        point={
            code["code"]: {"installation": [{**code["installation"][0], **ended}]}
            for code in community_document()["point"]
        },
    )
    blank_books.define(gone, pools=())
    later = community_document("other")
    for each in later["point"]:
        each["installation"][0]["start"] = ended["end"]

    blank_books.define(later, pools=())

    assert blank_books.rows("SELECT code FROM community ORDER BY id") == [("yard",), ("other",)]


def test_what_is_dated_of_a_unit_comes_in_with_its_file(blank_books: Books) -> None:
    document = with_changes(
        {"day": date(2026, 10, 15), "persons": 5, "attributes": {"lifts": "2.5"}},
        {"day": date(2026, 10, 20), "tariffs": ["fee"], "customer_class": "shop"},
        {"day": date(2026, 10, 25), "tariffs": "class", "area": "90"},
    )
    document["tariffs"]["shop"] = ["power"]
    document = changed(document, unit={"101": {"persons": 3, "entrance": "east"}})
    community_id = blank_books.define(document)

    with blank_books.database.snapshot() as connection:
        unit = registry.read(connection, community_id, "2026-10").units[0]

    assert (unit.code, unit.entrance) == ("101", "east")
    area, persons, lifts = 885_000, {"persons": 50_000}, {"lifts": 25_000}
    assert [(each.days, each.tariffs, each.attributes) for each in unit.spans] == [
        (14, ("power", "water", "fee"), {"area": area, "persons": 30_000}),
        (5, ("power", "water", "fee"), {"area": area, **persons, **lifts}),
        (5, ("fee",), {"area": area, **persons, **lifts}),
        (7, ("power",), {"area": 900_000, **persons, **lifts}),
    ]
