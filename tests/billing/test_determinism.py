"""Same inputs, same digest: whatever the order, the database, or how often it is computed (I6)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from small_community import (
    POOLS,
    STARTS,
    TARIFFS,
    Books,
    boundary_readings,
    changed,
    community_document,
    reading,
)
from sqlalchemy import create_engine, make_url, text

from billing.database import Database
from meters.archive.sql import SqlArchive
from meters.reading import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meters.reading import Reading

ODD_CODES = {"101": "Ä-1", "201": "a-1", "202": "B-1", "301": "_c"}
"""Codes that the collations of databases order differently."""


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[Any]:
    opened: list[SqlArchive] = []

    def make(readings: list[Reading]) -> SqlArchive:
        archive = SqlArchive(f"sqlite:///{tmp_path / f'archive-{len(opened)}.sqlite'}")
        opened.append(archive)
        for one in readings:
            archive.append([one])
        return archive

    yield make
    for archive in opened:
        archive.close()


def digests(url: str, archive: SqlArchive, document: dict[str, Any], **rest: Any) -> list[str]:
    """Return the digests of two months that are billed from scratch."""
    with Database(url) as database:
        database.migrate()
        books = Books(database, archive)
        books.define(document, **rest)
        return [str(books.bill(period).digest) for period in ("2026-10", "2026-11")]


def shuffled(document: dict[str, Any], seed: int) -> dict[str, Any]:
    chance = random.Random(seed)  # noqa: S311  an order, no secret
    return {
        key: chance.sample(value, len(value)) if isinstance(value, list) else value
        for key, value in document.items()
    }


def recoded(document: dict[str, Any]) -> dict[str, Any]:
    for each in document["unit"]:
        each["code"] = ODD_CODES[each["code"]]
    for each in (*document["point"], *document["account"]):
        if "unit" in each:
            each["unit"] = ODD_CODES[each["unit"]]
    return document


@pytest.fixture
def expected(tmp_path: Path, archive: SqlArchive) -> list[str]:
    return digests(f"sqlite:///{tmp_path / 'expected.sqlite'}", archive, community_document())


def test_both_databases_give_the_same_digest(
    database_url: str, archive: SqlArchive, expected: list[str]
) -> None:
    assert digests(database_url, archive, community_document()) == expected
    assert len(set(expected)) == 2


@pytest.mark.parametrize("seed", range(3))
def test_the_order_in_which_things_are_listed_or_arrive_does_not_count(
    seed: int, tmp_path: Path, archives: Any, expected: list[str]
) -> None:
    readings = boundary_readings()
    random.Random(seed).shuffle(readings)  # noqa: S311  an order, no secret

    found = digests(
        f"sqlite:///{tmp_path / 'shuffled.sqlite'}",
        archives(readings),
        shuffled(community_document(), seed),
        tariffs=TARIFFS[::-1],
        pools=POOLS[::-1],
    )

    assert found == expected


def test_codes_are_ordered_alike_whatever_the_database_collates_by(
    tmp_path: Path, archive: SqlArchive, postgresql_url: str
) -> None:
    name = "tallygate_test_collation"
    engine = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(
            text(
                f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu"
                " ICU_LOCALE 'zh' LOCALE 'C.UTF-8'"
            )
        )
    try:
        url = make_url(postgresql_url).set(database=name)
        collated = digests(
            url.render_as_string(hide_password=False), archive, recoded(community_document())
        )
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        engine.dispose()

    path = tmp_path / "binary.sqlite"
    assert digests(f"sqlite:///{path}", archive, recoded(community_document())) == collated


def test_readings_that_are_not_used_do_not_count(
    tmp_path: Path, archives: Any, expected: list[str]
) -> None:
    middle = STARTS[0] + (STARTS[1] - STARTS[0]) / 2
    more = [
        reading("E-101", middle, "1100"),
        reading("E-101", STARTS[1], "9999999", Verdict.SUSPECT),
        reading("stranger", STARTS[1], "5"),
    ]

    found = digests(
        f"sqlite:///{tmp_path / 'more.sqlite'}",
        archives([*boundary_readings(), *more]),
        community_document(),
    )

    assert found == expected


def test_other_communities_in_the_database_do_not_count(
    blank_books: Books, expected: list[str]
) -> None:
    """Ids differ where others came first; the digest of the community does not."""
    blank_books.define(community_document("other", prefix="o-"), pools=())
    blank_books.create("2026-10", "other")
    blank_books.define()

    run = blank_books.bill("2026-10", "yard")

    assert run.digest == expected[0]


@pytest.mark.parametrize(
    "change",
    [
        {"unit": {"301": {"area": "64.2"}}},
        {"unit": {"202": {"vacant_from": None}}},
        {"account": {"A-301": {"code": "B-301"}}},
    ],
)
def test_every_input_that_bills_rest_on_counts(
    change: dict[str, Any], tmp_path: Path, archive: SqlArchive, expected: list[str]
) -> None:
    document = changed(community_document(), **change)

    assert digests(f"sqlite:///{tmp_path / 'x.sqlite'}", archive, document)[0] != expected[0]


def test_the_raw_words_of_a_reading_count(
    tmp_path: Path, archives: Any, expected: list[str]
) -> None:
    first, *rest = boundary_readings()
    other = type(first)(first.series, first.time, first.value, "00 00", first.verdict)

    found = digests(
        f"sqlite:///{tmp_path / 'raw.sqlite'}", archives([other, *rest]), community_document()
    )

    assert found[0] != expected[0]
