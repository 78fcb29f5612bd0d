"""Σ of all versions of a month equals the bills of a world that knew from the start."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from small_community import (
    NOVEMBER,
    POWER,
    SHOWN,
    STARTS,
    Books,
    boundary_readings,
    reading,
)

from billing import lifecycle
from billing.database import Database
from billing.store import definitions
from billing.tariff import parse_tariff
from meters.archive.sql import SqlArchive
from meters.interval import Period

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MONTHS = ("2026-10", "2026-11", "2026-12")
DECEMBER = Period.month("2026-12", NOVEMBER.zone)
NOW = DECEMBER.interval.end + timedelta(days=5)
MINUTE = timedelta(minutes=1)


def december_readings() -> list[Any]:
    """Return what every meter shows when January begins: a bit more than a month before."""
    return [
        reading(meter, DECEMBER.interval.end + MINUTE, str(Decimal(shown[2]) + 30))
        for meter, shown in SHOWN.items()
    ]


def world(tmp_path: Path, name: str, migrated_file: Path) -> Books:
    """Return the books of the small community, with the readings of three months."""
    path = tmp_path / f"{name}.sqlite"
    path.write_bytes(migrated_file.read_bytes())
    archive = SqlArchive(f"sqlite:///{tmp_path / f'{name}-archive.sqlite'}")
    archive.append([*boundary_readings(), *december_readings()])
    books = Books(Database(f"sqlite:///{path}"), archive)
    books.define()
    return books


def issue(books: Books, run_id: int) -> None:
    books.compute(run_id)
    run = books.run(run_id)
    assert run.state == "computed", [part.problems for part in run.communities]
    books.review(run_id)
    books.approve(run_id)
    books.issue(run_id)


def bill(books: Books, months: tuple[str, ...] = MONTHS) -> None:
    for month in months:
        issue(
            books,
            lifecycle.create_run(
                books.database, period=month, communities=["yard"], actor="clerk", now=NOW
            ),
        )


def correct(books: Books, first: str = "2026-10") -> int:
    run_id = lifecycle.correct(
        books.database, community="yard", first=first, actor="clerk", now=NOW
    )
    issue(books, run_id)
    return run_id


def owed(books: Books) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Return what counts, by month, unit, account and charge: quantity, and fen."""
    rows = books.rows(
        "SELECT coalesce(correction.period, bill.period), unit.code, account.code, charge,"
        " sum(line.quantity), sum(line.amount) FROM bill_line line"
        " JOIN bill ON bill.id = line.bill_id JOIN unit ON unit.id = bill.unit_id"
        " JOIN account ON account.id = bill.account_id"
        " LEFT JOIN correction ON correction.bill_id = line.bill_id"
        " AND correction.position = line.position GROUP BY 1, 2, 3, 4"
    )
    found = {tuple(row[:4]): (int(row[4]), int(row[5])) for row in rows}
    return {key: value for key, value in found.items() if value != (0, 0)}


def effective_use(books: Books) -> list[tuple[Any, ...]]:
    """Return the use that counts of every register: the newest revision of each month."""
    return books.rows(
        'SELECT point.code, register, start, "end", sum(quantity) FROM usage'
        " JOIN point ON point.id = point_id JOIN community_run part ON part.id = community_run_id"
        " WHERE part.revision = (SELECT max(revision) FROM community_run other"
        " WHERE other.period = part.period) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3"
    )


def late_reading(books: Books) -> None:
    books.archive.append([reading("E-101", STARTS[1] + timedelta(seconds=1), "1260.00")])


def late_shared_reading(books: Books) -> None:
    books.archive.append([reading("lift", STARTS[1] + timedelta(seconds=1), "18.11")])


def late_area(books: Books) -> None:
    books.execute(
        "UPDATE unit_attribute SET value = 990000 WHERE unit_id ="
        " (SELECT id FROM unit WHERE code = '201')"
    )


def late_owner(books: Books) -> None:
    books.execute(
        "INSERT INTO account (community_id, unit_id, code, holder, first_day)"
        " SELECT community_id, unit_id, 'A-new', '李', '2026-11-01' FROM account"
        " WHERE code = 'A-301'"
    )
    books.execute("UPDATE account SET after_day = '2026-11-01' WHERE code = 'A-301'")


def late_tariff(books: Books) -> None:
    charge = {**POWER["charge"][0], "steps": [["150", "0.5"], ["300", "0.6"], ["0.9"]]}
    document = {
        **POWER,
        "version": 2,
        "valid_from": NOVEMBER.first,
        "charge": [charge],
        "example": [{"usage": "100", "expect": "50.00"}],
    }
    with books.database.transaction() as connection:
        definitions.add_tariff(connection, parse_tariff(document, "power"))


def late_exchange(books: Books) -> None:
    """The meter of 101 was replaced on the 20th of October; what both showed is found later."""
    at = STARTS[0] + timedelta(days=19)
    books.archive.append(
        [
            reading("E-101b", STARTS[1] + MINUTE, "31"),
            reading("E-101b", STARTS[2] + MINUTE, "222.5"),
            reading("E-101b", DECEMBER.interval.end + MINUTE, "252.5"),
        ]
    )
    stamp = at.strftime("%Y-%m-%d %H:%M:%S.%f")
    books.execute(
        "INSERT INTO installation (point_id, meter, meter_type, start, multiplier, first, last)"
        " SELECT point_id, 'E-101b', meter_type, :at, multiplier, '{\"import_energy\":\"0\"}', '{}'"
        " FROM installation WHERE meter = 'E-101'",
        at=stamp,
    )
    books.execute(
        'UPDATE installation SET "end" = :at, last = \'{"import_energy":"1190"}\''
        " WHERE meter = 'E-101'",
        at=stamp,
    )


LEARNT: dict[str, Callable[[Books], None]] = {
    "a reading": late_reading,
    "a reading of the lift": late_shared_reading,
    "an area": late_area,
    "an owner": late_owner,
    "a tariff": late_tariff,
    "an exchange": late_exchange,
}


@pytest.mark.parametrize("learnt", LEARNT)
def test_what_is_learnt_late_comes_to_what_was_known_from_the_start(
    learnt: str, tmp_path: Path, migrated_file: Path
) -> None:
    knew = world(tmp_path, "knew", migrated_file)
    LEARNT[learnt](knew)
    bill(knew)
    learns = world(tmp_path, "learns", migrated_file)
    bill(learns)
    before = owed(learns)

    LEARNT[learnt](learns)
    run_id = correct(learns)

    assert before != owed(learns), "it changes something"
    assert owed(learns) == owed(knew)
    assert effective_use(learns) == effective_use(knew)
    assert not learns.verify(run_id).failures


@pytest.mark.parametrize("seed", range(4))
def test_in_whatever_order_things_are_learnt(
    seed: int, tmp_path: Path, migrated_file: Path
) -> None:
    """Several truths between the months, each corrected at once or with a later one."""
    chance = random.Random(seed)  # noqa: S311 - which truths, not a secret
    learnt = [LEARNT[name] for name in chance.sample(sorted(LEARNT), 3)]
    knew = world(tmp_path, "knew", migrated_file)
    for learn in learnt:
        learn(knew)
    bill(knew)
    learns = world(tmp_path, "learns", migrated_file)
    for place, month in enumerate(MONTHS):
        bill(learns, (month,))
        learnt[place](learns)
        correct(learns)

    assert owed(learns) == owed(knew)
    assert effective_use(learns) == effective_use(knew)
    for run_id in range(1, 7):
        assert not learns.verify(run_id).failures
