"""A community read back out of the database whole."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from small_community import changed, community_document

from billing.community import parse_community
from billing.store import registry, whole_community
from billing.store.opening_balance import Said

if TYPE_CHECKING:
    from small_community import Books

    from billing.community import Community

SAID = Said("clerk", reason="the old books", now=datetime(2026, 1, 1, tzinfo=UTC))


def read_back(books: Books, community: Community) -> tuple[Community, tuple[str, ...]]:
    with books.database.transaction() as connection:
        community_id = registry.import_community(connection, community, said=SAID)
    with books.database.snapshot() as connection:
        return whole_community.read(connection, community_id)


def dated() -> Community:
    document = changed(
        community_document(),
        unit={
            code: {"customer_class": "residential", "entrance": "2"}
            for code in ("101", "201", "202", "301")
        },
        point={
            "lift": {
                "installation": [
                    {
                        **community_document()["point"][8]["installation"][0],
                        "end": "2026-12-01T00:00:00+08:00",
                        "last": {"import_energy": "999.5"},
                        "ratio": [
                            {
                                "since": "2026-10-05T00:00:00+08:00",
                                "multiplier": "60",
                                "shown": {"import_energy": "11"},
                                "photo": "c",
                            },
                            {"since": "2026-10-06T00:00:00+08:00", "multiplier": "80"},
                        ],
                        "verified_until": date(2030, 1, 1),
                    }
                ]
            }
        },
    )
    document["corrections"] = "next bill"
    document["unit"][0] |= {
        "persons": "3.5",
        "attributes": {"pets": "2"},
        "tariffs": ["power"],
        "since": [
            {"day": date(2026, 3, 1), "area": "90.1234", "tariffs": "class"},
            {"day": date(2026, 5, 1), "attributes": {"pets": "0"}},
        ],
    }
    document["account"][1]["opening_balance"] = "-12.30"
    return parse_community(document, "yard")


def test_everything_that_was_imported_is_read_back(blank_books: Books) -> None:
    community = dated()

    assert read_back(blank_books, community) == (community, ())


def test_what_a_definition_cannot_say_is_told(blank_books: Books) -> None:
    community, _ = read_back(blank_books, dated())
    blank_books.execute(
        "INSERT INTO vacancy (unit_id, first_day, after_day) "
        "SELECT id, '2027-01-01', NULL FROM unit WHERE code = '202'"
    )
    blank_books.execute(
        "INSERT INTO unit_attribute (unit_id, since, name, value) "
        "SELECT id, '2027-01-01', 'persons', NULL FROM unit WHERE code = '101'"
    )

    with blank_books.database.snapshot() as connection:
        again, left_out = whole_community.read(connection, 1)

    assert left_out == (
        "unit 101: persons is not known from 2027-01-01 on",
        "unit 202: was vacant from 2026-05-01 too",
    )
    assert again.unit[2].vacant_from == date(2027, 1, 1)
    assert again.unit[0] == community.unit[0]
