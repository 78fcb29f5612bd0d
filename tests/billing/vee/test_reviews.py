"""What clerks decide about usage: an overlay that the next computation reads, never the archive."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from small_community import NOVEMBER, OCTOBER, Books, boundary_readings, reading
from sqlalchemy.exc import DBAPIError

from billing.commands.main import billing
from billing.store import reviews
from billing.vee.reviews import Decision, Overlay, Review, overlays
from billing.vee.settings import Rule, Validation
from meters.estimate import Method
from meters.interval import Interval
from meters.reading import Series

if TYPE_CHECKING:
    from billing.database import Database
    from meters.archive.sql import SqlArchive

FLAT = "E-101"
MADE_AT = datetime(2026, 12, 3, tzinfo=UTC)
ENDS_OCTOBER = NOVEMBER.interval.start
ALWAYS = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


@pytest.fixture
def unread(sqlite_database: Database, empty_archive: SqlArchive) -> Books:
    """The small community, where nobody read the flat's meter when October ended."""
    late = ENDS_OCTOBER + timedelta(minutes=1)
    empty_archive.append(
        [each for each in boundary_readings() if (each.series.meter, each.time) != (FLAT, late)]
    )
    books = Books(sqlite_database, empty_archive)
    books.define()
    return books


def decide(books: Books, decision: Decision, point: str = FLAT, **what: Any) -> int:
    review = Review(
        **{
            "point": point,
            "register": "volume" if point.startswith("W") else "import_energy",
            "period": "2026-10",
            "decision": decision,
            "author": "mei",
            "made_at": MADE_AT,
            "reason": "the meter's display was broken",
            **what,
        }
    )
    with books.database.transaction() as connection:
        return reviews.decide(connection, "yard", review)


def settle(books: Books, settings: Validation) -> None:
    with books.database.transaction() as connection:
        reviews.set_settings(connection, 1, settings)


def problems(books: Books, run_id: int) -> list[tuple[str, str]]:
    (part,) = books.compute(run_id).communities
    return [(each.kind, each.subject) for each in part.problems]


def queued(books: Books, point: str = FLAT) -> list[tuple[str, bool]]:
    with books.database.snapshot() as connection:
        queue = reviews.queue(connection, community="yard")
    return [(item.finding, item.blocks) for _, _, item in queue if item.point == point]


def used(books: Books, period: str, point: str = FLAT) -> tuple[Decimal, dict[str, Any]]:
    """Return what was billed for a point, and the evidence of it."""
    ((quantity, evidence),) = books.rows(
        "SELECT usage.quantity, usage.evidence FROM usage"
        " JOIN point ON point.id = usage.point_id"
        " JOIN community_run ON community_run.id = usage.community_run_id"
        " WHERE point.code = :point AND community_run.period = :period",
        point=point,
        period=period,
    )
    return Decimal(quantity) / 10_000, json.loads(evidence)


def kinds(evidence: dict[str, Any]) -> list[str]:
    return [each["kind"] for each in evidence["findings"]]


def test_what_nobody_read_blocks_says_so_and_waits_for_a_clerk(unread: Books) -> None:
    run_id = unread.create()

    assert problems(unread, run_id) == [("MissingRegister", FLAT)]
    assert queued(unread) == [("MissingRegister", True)]
    assert unread.rows("SELECT count(*) FROM usage") == [(0,)]


def test_a_stated_use_closes_the_period_and_the_next_reading_corrects_it(unread: Books) -> None:
    run_id = unread.create()
    decide(unread, Decision.OVERRIDE, use=Decimal(300))
    unread.bill_run(run_id)
    october, evidence = used(unread, "2026-10")
    assert october == 300
    assert kinds(evidence) == ["Estimated", "Reviewed"]
    assert evidence["segments"][0]["closing"]["value"] == "1300"

    later = unread.bill("2026-11")
    november, evidence = used(unread, "2026-11")

    assert october + november == Decimal("1441.25") - 1000
    assert kinds(evidence) == ["TruedUp"]
    assert unread.verify(run_id).failures == []
    assert unread.verify(later.id).failures == []


def test_an_estimate_above_what_was_used_is_never_billed_as_nothing(unread: Books) -> None:
    decide(unread, Decision.OVERRIDE, use=Decimal(500))
    unread.bill()

    run_id = unread.create("2026-11")

    assert problems(unread, run_id) == [("NegativeTrueUp", FLAT)]
    assert unread.run(run_id).state == "blocked"


def test_a_register_that_a_person_states_counts_in_place_of_readings(sqlite_books: Books) -> None:
    run_id = sqlite_books.create()
    review_id = decide(sqlite_books, Decision.OVERRIDE, at=ENDS_OCTOBER, value=Decimal("1200.5"))
    before = sqlite_books.archive.readings(Series(FLAT, "import_energy"), ALWAYS)
    sqlite_books.bill_run(run_id)

    use, evidence = used(sqlite_books, "2026-10")

    assert use == Decimal("200.5")
    assert evidence["segments"][0]["closing"]["source"] == "overridden"
    (said,) = [each for each in evidence["findings"] if each["kind"] == "Reviewed"]
    assert (said["review"], said["author"], said["reason"]) == (
        review_id,
        "mei",
        "the meter's display was broken",
    )
    assert sqlite_books.archive.readings(Series(FLAT, "import_energy"), ALWAYS) == before
    assert sqlite_books.verify(run_id).failures == []


def test_a_decision_changes_the_digest_also_where_it_changes_no_amount(
    sqlite_books: Books,
) -> None:
    run_id = sqlite_books.create()
    plain = sqlite_books.compute(run_id).digest
    assert sqlite_books.compute(run_id).digest == plain

    decide(sqlite_books, Decision.OVERRIDE, at=ENDS_OCTOBER, value=Decimal("1250.5"))

    assert used(sqlite_books, "2026-10")[0] == Decimal("250.5")
    assert sqlite_books.compute(run_id).digest != plain
    assert used(sqlite_books, "2026-10")[0] == Decimal("250.5")


def test_a_reading_that_came_since_closes_the_period_in_proportion_to_time(
    unread: Books,
) -> None:
    since = OCTOBER.interval.start + timedelta(minutes=1)
    after = ENDS_OCTOBER + timedelta(days=10)
    unread.archive.append([reading(FLAT, after, "1400")])
    run_id = unread.create()
    decide(unread, Decision.ESTIMATE, method=Method.INTERPOLATE)
    unread.bill_run(run_id)

    share = Decimal((ENDS_OCTOBER - since) // timedelta(seconds=1)) / (
        (after - since) // timedelta(seconds=1)
    )
    use, _ = used(unread, "2026-10")
    assert use == round(400 * share, 2)
    assert unread.verify(run_id).failures == []
    unread.bill("2026-11")
    assert use + used(unread, "2026-11")[0] == Decimal("441.25")


def test_what_the_community_says_is_estimated_without_a_clerk_and_shown(unread: Books) -> None:
    unread.archive.append([reading(FLAT, ENDS_OCTOBER + timedelta(days=10), "1400")])
    settle(unread, Validation(estimate=Method.INTERPOLATE))
    run_id = unread.create()
    unread.bill_run(run_id)

    _, evidence = used(unread, "2026-10")
    assert kinds(evidence) == ["Estimated"]
    assert evidence["segments"][0]["closing"]["estimate"]["method"] == "interpolate"


def test_by_the_average_of_the_month_before(sqlite_books: Books) -> None:
    sqlite_books.bill()
    run_id = sqlite_books.create("2026-11")
    decide(sqlite_books, Decision.ESTIMATE, period="2026-11", method=Method.PREVIOUS_AVERAGE)
    sqlite_books.bill_run(run_id)

    use, evidence = used(sqlite_books, "2026-11")

    assert use == round(Decimal("250.5") * 30 / 31, 2)
    assert kinds(evidence) == ["Estimated", "Reviewed"]
    assert sqlite_books.verify(run_id).failures == []


def test_by_days_that_are_alike(unread: Books) -> None:
    midnights = [ENDS_OCTOBER - timedelta(days=n) for n in range(3, 12)]
    unread.archive.append(
        [reading(FLAT, at, str(1100 - 7 * n)) for n, at in enumerate(midnights, start=3)]
    )
    run_id = unread.create()
    decide(unread, Decision.ESTIMATE, method=Method.LIKE_DAY)
    unread.bill_run(run_id)

    use, evidence = used(unread, "2026-10")

    assert use == 100 - 7 * 3 + 7 * 3
    assert evidence["segments"][0]["closing"]["estimate"]["value"] == str(1100 - 7 * 3)
    assert unread.verify(run_id).failures == []


def test_what_cannot_be_estimated_blocks_and_says_what_lacks(unread: Books) -> None:
    run_id = unread.create()
    decide(unread, Decision.ESTIMATE, method=Method.PREVIOUS_AVERAGE)

    assert problems(unread, run_id) == [("MissingRegister", FLAT), ("NoEstimate", FLAT)]


def test_a_use_that_no_register_can_say_exactly_is_refused(sqlite_books: Books) -> None:
    run_id = sqlite_books.create()
    decide(sqlite_books, Decision.OVERRIDE, "lift", use=Decimal("0.001"))

    assert problems(sqlite_books, run_id) == [("NoEstimate", "lift")]


def test_what_stands_out_blocks_where_the_community_says_so_until_it_is_accepted(
    sqlite_books: Books,
) -> None:
    sqlite_books.bill()
    settle(
        sqlite_books,
        Validation(blocks=(Rule.HIGH_USE,), months=1, high=Decimal(3)),
    )
    run_id = sqlite_books.create("2026-11")
    assert problems(sqlite_books, run_id) == [("HighUse", "E-201")]
    assert queued(sqlite_books, "E-201") == [("HighUse", True)]

    decide(sqlite_books, Decision.ACCEPT, "E-201", period="2026-11", finding="HighUse")
    sqlite_books.compute(run_id)

    assert queued(sqlite_books, "E-201") == []
    use, evidence = used(sqlite_books, "2026-11", "E-201")
    assert use == Decimal("202.71")
    assert kinds(evidence) == ["HighUse", "Reviewed"]

    decide(sqlite_books, Decision.WITHDRAW, "E-201", period="2026-11")
    assert problems(sqlite_books, run_id) == [("HighUse", "E-201")]


def test_what_only_stands_out_is_shown_and_billed(sqlite_books: Books) -> None:
    sqlite_books.bill()
    settle(sqlite_books, Validation(months=1, high=Decimal(3)))
    run_id = sqlite_books.create("2026-11")
    assert sqlite_books.compute(run_id).state == "computed"

    assert queued(sqlite_books, "E-201") == [("HighUse", False)]


def test_no_clerk_can_accept_what_nobody_can_tell(unread: Books) -> None:
    run_id = unread.create()
    decide(unread, Decision.ACCEPT, finding="MissingRegister")

    assert problems(unread, run_id) == [("MissingRegister", FLAT)]


def test_a_meter_whose_verification_expired_blocks_where_the_community_says_so(
    sqlite_books: Books,
) -> None:
    sqlite_books.execute("UPDATE installation SET verified_until = '2026-10-15'")
    run_id = sqlite_books.create()
    assert sqlite_books.compute(run_id).state == "computed"
    assert queued(sqlite_books) == [("VerificationExpired", False)]

    settle(sqlite_books, Validation(blocks=(Rule.VERIFICATION_EXPIRED,)))

    assert ("VerificationExpired", FLAT) in problems(sqlite_books, run_id)


def test_a_day_that_stands_out_is_flagged(sqlite_books: Books) -> None:
    shows = [1000]
    for day in range(1, 31):
        shows.append(shows[-1] + (100 if day == 12 else 3))
    sqlite_books.archive.append(
        [
            reading(FLAT, OCTOBER.interval.start + timedelta(days=day), str(value))
            for day, value in enumerate(shows)
            if day
        ]
    )
    run_id = sqlite_books.create()
    sqlite_books.compute(run_id)

    ((text,),) = sqlite_books.rows("SELECT text FROM review_item WHERE finding = 'Spike'")
    assert text.startswith("100 on 2026-10-12, ")


def test_decisions_are_kept_for_ever_and_logged(books: Books) -> None:
    review_id = decide(books, Decision.OVERRIDE, at=ENDS_OCTOBER, value=Decimal("1200.5"))

    for change in ("UPDATE review SET reason = 'none'", "DELETE FROM review"):
        with pytest.raises(DBAPIError, match="kept for ever"):
            books.execute(change)
    ((actor, action, detail),) = books.rows(
        "SELECT actor, action, detail FROM audit WHERE action LIKE 'review.%'"
    )
    assert (actor, action) == ("mei", "review.override")
    assert json.loads(detail)["review"] == review_id
    assert json.loads(detail)["value"] == "1200.5"


@pytest.mark.parametrize(
    "what",
    [
        {"decision": Decision.ACCEPT},
        {"decision": Decision.ESTIMATE},
        {"decision": Decision.OVERRIDE},
        {"decision": Decision.OVERRIDE, "value": Decimal(1)},
        {"decision": Decision.OVERRIDE, "use": Decimal(1), "method": Method.LIKE_DAY},
        {"decision": Decision.ACCEPT, "finding": "Spike", "reason": ""},
    ],
)
def test_the_database_refuses_a_decision_that_says_too_little(
    books: Books, what: dict[str, Any]
) -> None:
    with pytest.raises(DBAPIError, match=r"says_what_is_decided|has_a_reason"):
        decide(books, **what)


def review(number: int, decision: Decision, **what: Any) -> Review:
    return Review(
        id=number,
        point="p",
        register="r",
        period="2026-10",
        decision=decision,
        author="mei",
        made_at=MADE_AT,
        reason="why",
        **what,
    )


def test_of_decisions_about_the_same_the_last_one_counts() -> None:
    first = review(1, Decision.ESTIMATE, method=Method.LIKE_DAY)
    second = review(2, Decision.OVERRIDE, use=Decimal(5))
    at = review(3, Decision.OVERRIDE, at=MADE_AT, value=Decimal(7))
    spike = review(4, Decision.ACCEPT, finding="Spike")

    assert overlays([first, second, at, spike]) == {
        ("p", "r"): Overlay({"Spike": spike}, second, {MADE_AT: at})
    }
    assert overlays([first, at, replace(at, id=5, value=Decimal(8))])["p", "r"].registers == {
        MADE_AT: replace(at, id=5, value=Decimal(8))
    }
    assert overlays([first, at, spike, review(6, Decision.WITHDRAW)]) == {}


# --- the commands --------------------------------------------------------------------------------


def run(books: Books, *arguments: str) -> Result:
    url = books.database.engine.url.render_as_string(hide_password=False)
    return CliRunner().invoke(billing, ["review", *arguments], env={"TALLYGATE_DATABASE_URL": url})


WHICH = ("yard", "2026-10", FLAT, "import_energy")
WHY = ("--by", "mei", "--reason", "read off the display")


def test_the_queue_lists_what_blocks_and_what_to_do_about_it(unread: Books) -> None:
    assert run(unread, "list").stdout == "Nothing waits for a decision.\n"
    unread.compute(unread.create())

    listed = run(unread, "list", "--community", "yard", "--period", "2026-10")
    first, text = listed.stdout.splitlines()
    assert first == f"yard 2026-10 {FLAT} import_energy: MissingRegister (blocks)"
    assert "read it, or record the register" in text
    (document,) = json.loads(run(unread, "list", "--json").stdout)
    assert document["finding"] == "MissingRegister"
    assert document["blocks"] is True
    assert run(unread, "list", "--period", "2026-09").stdout == "Nothing waits for a decision.\n"


def test_a_clerk_decides_at_the_command_line(unread: Books) -> None:
    run_id = unread.create()
    at = "2026-11-01T00:00:00+08:00"
    for arguments in (
        ("estimate", *WHICH, *WHY, "--method", "like-day"),
        ("withdraw", *WHICH, *WHY),
        ("accept", *WHICH, "HighUse", *WHY),
        ("override", *WHICH, *WHY, "--value", "1250.5", "--at", at),
    ):
        result = run(unread, *arguments)
        assert result.exit_code == 0, result.output

    unread.bill_run(run_id)

    assert used(unread, "2026-10")[0] == Decimal("250.5")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("override", *WHICH, *WHY), "state --value and --at, or --use alone"),
        (("override", *WHICH, *WHY, "--use", "-1"), "cannot be"),
        (("override", *WHICH, *WHY, "--use", "many"), "is no number"),
        (
            ("override", *WHICH, *WHY, "--value", "1", "--at", "2026-11-01"),
            "is no time such as",
        ),
        (
            ("accept", "yard", "2026-10", "nowhere", "volume", "Spike", *WHY),
            "has no point 'nowhere'",
        ),
    ],
)
def test_what_a_clerk_can_mend_is_said(
    unread: Books, arguments: tuple[str, ...], says: str
) -> None:
    result = run(unread, *arguments)

    assert result.exit_code != 0
    assert says in result.output
