"""Corrections: what is learnt late reverses what was billed, and bills what is true (I2, I5)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from small_community import (
    STARTS,
    Books,
    after,
    boundary_readings,
    changed,
    community_document,
    reading,
)
from sqlalchemy.exc import DBAPIError

from billing import holding, lifecycle
from billing.months import PeriodError
from billing.store import runs

if TYPE_CHECKING:
    from meters.archive.sql import SqlArchive

SECOND = timedelta(seconds=1)
LATE = "1251.00"
"""What E-101 showed nearer to the end of October than the reading that was billed: 1250.5."""


def correct(books: Books, first: str = "2026-10", community: str = "yard") -> int:
    """Create the run that corrects a community from a month on, and return its id."""
    return lifecycle.correct(
        books.database, community=community, first=first, actor="clerk", now=after("2026-11")
    )


def learn(books: Books) -> None:
    """Let a reading arrive that says more of the end of October."""
    books.archive.append([reading("E-101", STARTS[1] + SECOND, LATE)])


def billed_twice(books: Books) -> Books:
    """Bill October and November, then learn of October."""
    for period in ("2026-10", "2026-11"):
        books.bill(period)
    learn(books)
    return books


def lines(books: Books, number: str) -> list[tuple[Any, ...]]:
    return books.rows(
        "SELECT line.charge, line.quantity, line.amount, correction.reversal, of_bill.number,"
        " correction.of_position FROM bill_line line JOIN bill ON bill.id = line.bill_id"
        " LEFT JOIN correction ON correction.bill_id = line.bill_id"
        " AND correction.position = line.position"
        " LEFT JOIN bill of_bill ON of_bill.id = correction.of_bill_id"
        " WHERE bill.number = :number ORDER BY line.position",
        number=number,
    )


def test_what_is_learnt_late_is_reversed_and_billed_anew_in_every_month(books: Books) -> None:
    """Half a kilowatt-hour moves from November to October, through the steps of the year."""
    billed_twice(books)

    run = books.bill_run(correct(books))

    assert run.kind == "correction"
    assert [(part.period, part.revision, part.bills) for part in run.communities] == [
        ("2026-10", 1, 1),
        ("2026-11", 1, 1),
    ]
    october, november = (
        [(charge, amount, bool(back), of) for charge, _, amount, back, of, _ in lines(books, name)]
        for name in ("yard-2026-10-0005", "yard-2026-11-0005")
    )
    assert october == [
        ("energy", -12484, True, "yard-2026-10-0001"),
        ("energy", 12511, False, "yard-2026-10-0001"),
    ]
    assert november == [
        ("energy", -11299, True, "yard-2026-11-0001"),
        ("energy", 11272, False, "yard-2026-11-0001"),
    ]
    assert [part.total for part in run.communities] == [27, -27]
    assert not books.verify(run.id).failures


def test_a_reversal_takes_back_exactly_what_it_refers_to(books: Books) -> None:
    billed_twice(books)
    books.bill_run(correct(books))

    pairs = books.rows(
        "SELECT line.quantity + of.quantity, line.amount + of.amount, line.charge = of.charge"
        " FROM correction JOIN bill_line line ON line.bill_id = correction.bill_id"
        " AND line.position = correction.position"
        " JOIN bill_line of ON of.bill_id = of_bill_id AND of.position = of_position"
        " WHERE reversal"
    )

    assert [(int(q), int(a), bool(same)) for q, a, same in pairs] == [(0, 0, True)] * 2


def test_what_counts_tiles_time_and_opens_with_what_counts(books: Books) -> None:
    billed_twice(books)
    books.bill_run(correct(books))

    usages = books.rows(
        'SELECT start, "end", quantity FROM usage JOIN point ON point.id = point_id'
        " JOIN community_run part ON part.id = community_run_id"
        " WHERE code = 'E-101' AND revision = 1 ORDER BY start"
    )

    assert [int(quantity) for *_, quantity in usages] == [2_510_000, 1_902_500]
    assert usages[0][1] == usages[1][0]


def test_nothing_learnt_corrects_nothing(books: Books) -> None:
    for period in ("2026-10", "2026-11"):
        books.bill(period)

    run = books.bill_run(correct(books))

    assert [(part.bills, part.total) for part in run.communities] == [(0, 0), (0, 0)]
    assert books.rows("SELECT count(*) FROM correction") == [(0,)]
    assert not books.verify(run.id).failures


def test_a_correction_can_be_corrected(books: Books) -> None:
    billed_twice(books)
    books.bill_run(correct(books))
    books.archive.append([reading("E-101", STARTS[1], "1252.00")])

    run = books.bill_run(correct(books))

    assert [part.revision for part in run.communities] == [2, 2]
    reversal, number, position = lines(books, "yard-2026-10-0006")[0][3:]
    assert (bool(reversal), number, position) == (True, "yard-2026-10-0005", 2)
    assert [part.total for part in run.communities] == [54, -53]
    assert not books.verify(run.id).failures


def test_the_next_month_opens_with_what_was_corrected(books: Books) -> None:
    books.bill("2026-10")
    learn(books)
    books.bill_run(correct(books))

    run = books.bill("2026-11")

    used = books.rows(
        "SELECT quantity FROM usage JOIN point ON point.id = point_id"
        " WHERE code = 'E-101' ORDER BY usage.id"
    )
    assert [int(quantity) for (quantity,) in used] == [2_505_000, 2_510_000, 1_902_500]
    assert not books.verify(run.id).failures


def test_an_older_run_still_verifies_after_its_months_were_corrected(books: Books) -> None:
    billed_twice(books)
    books.bill_run(correct(books))

    assert not books.verify(1).failures
    assert not books.verify(2).failures


def test_corrections_are_posted_to_the_account_that_they_concern(books: Books) -> None:
    billed_twice(books)
    books.bill_run(correct(books))

    posted = books.rows(
        "SELECT reference, amount FROM posting WHERE ledger_account = 'receivable'"
        " AND reference LIKE '%0005' ORDER BY reference"
    )

    assert posted == [("bill:yard-2026-10-0005", 27), ("bill:yard-2026-11-0005", -27)]
    assert books.rows("SELECT sum(amount) FROM posting") == [(0,)]


def test_a_meter_exchanged_in_an_issued_month_waits_for_its_correction(
    blank_books: Books,
) -> None:
    """November would open with another meter than the one that closed October."""
    books = blank_books
    books.define()
    books.bill("2026-10")
    books.execute(
        "UPDATE installation SET meter = 'E-101-new', start = :at WHERE meter = 'E-101'",
        at="2026-10-20 00:00:00.000000",
    )

    run = books.compute(books.create("2026-11"))

    kinds = {(each.kind, each.subject) for each in run.communities[0].problems}
    assert ("CorrectionNeeded", "E-101") in kinds


def test_an_owner_recorded_late_gets_the_lines_of_the_other(
    blank_books: Books, empty_archive: SqlArchive
) -> None:
    empty_archive.append(boundary_readings())
    books = Books(blank_books.database, empty_archive)
    books.define()
    books.bill("2026-10")
    books.execute(
        "INSERT INTO account (community_id, unit_id, code, holder, first_day)"
        " SELECT community_id, unit_id, 'A-new', '李', '2026-10-01' FROM account"
        " WHERE code = 'A-101'"
    )
    books.execute("UPDATE account SET after_day = '2026-10-01' WHERE code = 'A-101'")

    run = books.bill_run(correct(books))

    found = books.rows(
        "SELECT account.code, total FROM bill JOIN account ON account.id = account_id"
        " JOIN unit ON unit.id = bill.unit_id WHERE unit.code = '101' ORDER BY bill.id"
    )
    (_, first), (back, taken), (new, owed) = found
    assert (back, new) == ("A-101", "A-new")
    assert taken == -first == -owed
    assert run.communities[0].total == 0
    assert not books.verify(run.id).failures


def test_a_month_that_was_never_issued_cannot_be_corrected(sqlite_books: Books) -> None:
    with pytest.raises(PeriodError, match="yard has issued nothing"):
        correct(sqlite_books)
    sqlite_books.bill("2026-10")
    for first in ("2026-09", "2026-11", "October"):
        with pytest.raises(PeriodError, match=r"nothing to correct|is not a month"):
            correct(sqlite_books, first)


def test_a_correction_waits_for_what_is_open(sqlite_books: Books) -> None:
    sqlite_books.bill("2026-10")
    sqlite_books.create("2026-11")

    with pytest.raises(PeriodError, match=r"has run 2 for 2026-11.*finish it or withdraw it"):
        correct(sqlite_books)
    sqlite_books.withdraw(2)
    assert correct(sqlite_books) == 3
    with pytest.raises(PeriodError, match="has run 3"):
        sqlite_books.create("2026-11")


def test_what_a_correction_made_stays(books: Books) -> None:
    billed_twice(books)
    books.bill_run(correct(books))
    kept = books.rows("SELECT * FROM correction ORDER BY 1, 2")

    for attack in (
        "UPDATE correction SET period = '2026-11'",
        "DELETE FROM correction",
        "INSERT INTO correction SELECT bill_id, 9, period, reversal, of_bill_id, 9 FROM correction",
    ):
        with pytest.raises(DBAPIError):
            books.execute(attack)

    assert books.rows("SELECT * FROM correction ORDER BY 1, 2") == kept


def test_a_line_is_reversed_once(books: Books) -> None:
    billed_twice(books)
    books.compute(correct(books))

    with pytest.raises(DBAPIError):
        books.execute(
            "INSERT INTO correction (bill_id, position, period, reversal, of_bill_id, of_position)"
            " SELECT bill_id, position + 1, period, reversal, of_bill_id, of_position"
            " FROM correction WHERE reversal"
        )


def next_bill(books: Books) -> None:
    books.execute("UPDATE community SET corrections = 'next bill'")


def test_where_the_policy_says_so_corrections_stand_on_the_next_bill(books: Books) -> None:
    next_bill(books)
    books.bill("2026-10")
    learn(books)
    run_id = lifecycle.create_run(
        books.database,
        period="2026-11",
        communities=["yard"],
        correct_from="2026-10",
        actor="clerk",
        now=after("2026-11"),
    )

    run = books.bill_run(run_id)

    assert [(part.period, part.revision, part.bills) for part in run.communities] == [
        ("2026-10", 1, 0),
        ("2026-11", 0, 4),
    ]
    own = lines(books, "yard-2026-11-0001")
    assert [(charge, amount) for charge, _, amount, back, *_ in own if back is not None] == [
        ("energy", -12484),
        ("energy", 12511),
    ]
    ((total,),) = books.rows("SELECT total FROM bill WHERE number = 'yard-2026-11-0001'")
    assert total == sum(int(amount) for _, _, amount, *_ in own)
    assert not books.verify(run.id).failures


def test_the_policy_says_how_a_community_is_corrected(sqlite_books: Books) -> None:
    sqlite_books.bill("2026-10")
    with pytest.raises(PeriodError, match="corrections of yard are on bills of their own"):
        lifecycle.create_run(
            sqlite_books.database,
            period="2026-11",
            communities=["yard"],
            correct_from="2026-10",
            actor="clerk",
            now=after("2026-11"),
        )
    with sqlite_books.database.snapshot() as connection:
        of_its_own = runs.read(connection, correct(sqlite_books))
    assert (of_its_own.kind, of_its_own.period) == ("correction", "2026-10")
    sqlite_books.withdraw(of_its_own.id)

    next_bill(sqlite_books)
    with sqlite_books.database.snapshot() as connection:
        next_run = runs.read(connection, correct(sqlite_books))
    assert (next_run.kind, next_run.period) == ("ordinary", "2026-11")
    assert [part.period for part in next_run.communities] == ["2026-10", "2026-11"]


def hold(books: Books, run_id: int, **place: str) -> None:
    holding.hold(
        books.database,
        run_id=run_id,
        community="yard",
        reason="its meter is disputed",
        actor="clerk",
        now=after("2026-11"),
        **place,
    )


def test_a_held_unit_does_not_stop_the_others_and_is_billed_by_a_correction(
    blank_books: Books, empty_archive: SqlArchive
) -> None:
    empty_archive.append(boundary_readings(without=["E-201"]))
    books = Books(blank_books.database, empty_archive)
    books.define()
    run_id = books.create("2026-10")
    assert books.compute(run_id).state == "blocked"

    hold(books, run_id, unit="201")
    assert books.run(run_id).state == "draft"
    first = books.bill_run(run_id)

    assert first.communities[0].bills == 3
    assert not books.verify(run_id).failures
    minute = timedelta(minutes=1)
    for start, value in zip(STARTS, ("40.07", "98.4", "301.11"), strict=True):
        empty_archive.append([reading("E-201", start + minute, value)])
    second = books.bill("2026-11")
    assert second.communities[0].bills == 3, "it is held on until October is corrected"
    run = books.bill_run(correct(books))
    assert [part.bills for part in run.communities] == [1, 1]
    assert books.rows("SELECT max(number) FROM bill WHERE period = '2026-10'") == [
        ("yard-2026-10-0004",)
    ]
    assert not books.verify(run.id).failures


def test_a_pool_that_lacks_a_held_units_key_waits_with_it_and_is_shared_by_the_correction(
    blank_books: Books, empty_archive: SqlArchive
) -> None:
    empty_archive.append(boundary_readings(without=["W-201"]))
    books = Books(blank_books.database, empty_archive)
    books.define()
    run_id = books.create("2026-10")
    hold(books, run_id, unit="201")

    first = books.bill_run(run_id)

    assert first.communities[0].bills == 3
    assert books.rows(
        "SELECT code FROM statement JOIN pool_version ON pool_version.id = pool_version_id"
        " ORDER BY code"
    ) == [("lift",), ("lights",)]
    assert not books.verify(run_id).failures
    ((text,),) = books.rows("SELECT anomalies FROM community_run")
    assert "the pool waits, and is shared by the correction that bills the unit" in text
    minute = timedelta(minutes=1)
    for start, value in zip(STARTS, ("0", "14.999", "40"), strict=True):
        empty_archive.append([reading("W-201", start + minute, value)])
    run = books.bill_run(correct(books))
    assert not books.verify(run.id).failures
    ((owed, shared),) = books.rows(
        "SELECT (SELECT sum(amount) FROM bill_line WHERE charge = 'pump'), statement.amount"
        " FROM statement JOIN pool_version ON pool_version.id = pool_version_id"
        " WHERE code = 'pump'"
    )
    assert owed == shared > 0


def test_a_pool_blocks_for_what_a_unit_lacks_that_is_not_held(
    blank_books: Books, empty_archive: SqlArchive
) -> None:
    empty_archive.append(boundary_readings(without=["W-201", "W-301"]))
    books = Books(blank_books.database, empty_archive)
    books.define()
    run_id = books.create("2026-10")
    hold(books, run_id, unit="201")

    run = books.compute(run_id)

    pool = [each.text for each in run.communities[0].problems if each.subject == "pump"]
    assert [text.partition(":")[0] for text in pool] == ["unit 301"]


def test_a_unit_that_was_held_is_not_billed_on_as_if_nothing_was(sqlite_books: Books) -> None:
    run_id = sqlite_books.create("2026-10")
    hold(sqlite_books, run_id, unit="201")
    sqlite_books.bill_run(run_id)
    following = sqlite_books.create("2026-11")

    holding.release(
        sqlite_books.database,
        run_id=following,
        community="yard",
        unit="201",
        actor="clerk",
        now=after("2026-11"),
    )
    run = sqlite_books.compute(following)

    assert [(each.kind, each.subject) for each in run.communities[0].problems] == [
        ("HeldBefore", "201")
    ]


def test_a_held_community_is_left_to_another_run(blank_books: Books) -> None:
    books = blank_books
    books.define()
    other = changed(community_document("other", "other/"))
    books.define(other, tariffs=(), pools=())
    run_id = books.create("2026-10", "yard", "other")
    holding.hold(
        books.database,
        run_id=run_id,
        community="other",
        reason="its readings are late",
        actor="clerk",
        now=after("2026-11"),
    )

    run = books.bill_run(run_id)

    assert {part.community: part.state for part in run.communities} == {
        "other": "held",
        "yard": "computed",
    }
    assert books.create("2026-10", "other") == 2
    assert books.rows("SELECT action FROM audit WHERE action = 'run.hold'") == [("run.hold",)]


def test_the_policy_is_in_the_communitys_file(blank_books: Books) -> None:
    blank_books.define({**community_document(), "corrections": "next bill"})

    assert blank_books.rows("SELECT corrections FROM community") == [("next bill",)]


def test_a_gap_in_what_counts_is_found(books: Books) -> None:
    billed_twice(books)
    run_id = correct(books)
    books.compute(run_id)
    books.execute(
        'UPDATE usage SET start = "end" WHERE id = (SELECT max(usage.id) FROM usage'
        " JOIN point ON point.id = point_id WHERE code = 'E-101')"
    )

    failures = books.verify(run_id).failures

    assert any(each.startswith("I2: E-101, import_energy: billed until") for each in failures)


def test_a_reversal_that_takes_back_something_else_is_found(books: Books) -> None:
    billed_twice(books)
    run_id = correct(books)
    books.compute(run_id)
    books.execute(
        "UPDATE bill_line SET amount = amount + 1 WHERE position = 1 AND bill_id IN"
        " (SELECT bill_id FROM correction WHERE reversal)"
    )

    failures = books.verify(run_id).failures

    assert any(each.startswith("I7:") and "reversal" in each for each in failures)


def test_the_numbers_of_a_month_have_no_gap(books: Books) -> None:
    billed_twice(books)
    run_id = correct(books)
    books.compute(run_id)
    books.execute("UPDATE bill SET number = 'yard-2026-10-0009' WHERE number = 'yard-2026-10-0005'")

    failures = books.verify(run_id).failures

    assert "numbers: yard has no bill 0005 of 2026-10" in failures
