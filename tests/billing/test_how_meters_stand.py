"""How a meter stands is billed as recorded: ratios, exchanges, verification, what is settled."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from small_community import (
    INSTALLED,
    OCTOBER,
    SHOWN,
    STARTS,
    Books,
    boundary_readings,
    community_document,
    reading,
)

from billing.community import parse_community
from meters.definition import DefinitionError
from meters.reading import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.database import Database
    from meters.archive.sql import SqlArchive
    from meters.reading import Reading

CHANGED = STARTS[0] + timedelta(days=9, hours=2)


@pytest.fixture
def blank(sqlite_database: Database, empty_archive: SqlArchive) -> Books:
    """Books in which nothing is defined yet, over the empty archive."""
    return Books(sqlite_database, empty_archive)


def standing(**meters: dict[str, Any]) -> dict[str, Any]:
    """Return the community, with more said of how some of its meters stand."""
    document = community_document()
    for point in document["point"]:
        point["installation"][0].update(meters.get(point["code"], {}))
    return document


def usage_of(books: Books, point: str, period: str = "2026-10") -> tuple[Decimal, dict[str, Any]]:
    ((quantity, text),) = books.rows(
        "SELECT usage.quantity, evidence FROM usage JOIN point ON point.id = point_id"
        " JOIN community_run ON community_run.id = community_run_id"
        " WHERE code = :point AND period = :period",
        point=point,
        period=period,
    )
    return Decimal(quantity).scaleb(-4), json.loads(text)


def problems(books: Books) -> list[str]:
    run = books.compute(books.create())
    return [str(each) for part in run.communities for each in part.problems]


def test_a_ratio_that_changed_is_billed_from_the_reading_of_its_moment(
    blank: Books, empty_archive: SqlArchive
) -> None:
    ratio = {"since": CHANGED, "multiplier": "60"}
    blank.define(standing(lift={"ratio": [ratio]}))
    empty_archive.append([*boundary_readings(), reading("lift", CHANGED, "12")])

    run = blank.bill()

    quantity, evidence = usage_of(blank, "lift")
    assert quantity == (12 - 10) * 40 + (Decimal("17.35") - 12) * 60
    assert [each["multiplier"] for each in evidence["segments"]] == ["40", "60"]
    assert [each["kind"] for each in evidence["findings"]] == ["RatioChanged"]
    assert blank.verify(run.id).failures == []


def test_a_ratio_that_changed_is_billed_from_the_register_that_was_recorded(
    blank: Books, empty_archive: SqlArchive
) -> None:
    ratio = {
        "since": CHANGED,
        "multiplier": "60",
        "shown": {"import_energy": "11.5"},
        "photo": "lift-ct.jpg",
    }
    blank.define(standing(lift={"ratio": [ratio]}))
    empty_archive.append(boundary_readings())

    run = blank.bill()

    quantity, evidence = usage_of(blank, "lift")
    assert quantity == Decimal("1.5") * 40 + (Decimal("17.35") - Decimal("11.5")) * 60
    assert evidence["segments"][0]["closing"]["photo"] == "lift-ct.jpg"
    assert blank.verify(run.id).failures == []


def test_the_month_after_a_ratio_changed_is_multiplied_by_the_new_one(
    blank: Books, empty_archive: SqlArchive
) -> None:
    ratio = {"since": STARTS[1], "multiplier": "60"}
    blank.define(standing(lift={"ratio": [ratio]}))
    empty_archive.append(boundary_readings())

    blank.bill("2026-10")
    run = blank.bill("2026-11")

    opened, used = (Decimal(SHOWN["lift"][1]), Decimal(SHOWN["lift"][2]))
    assert usage_of(blank, "lift")[0] == (opened - 10) * 40
    assert usage_of(blank, "lift", "2026-11")[0] == (used - opened) * 60
    assert blank.verify(run.id).failures == []


def test_an_exchange_is_billed_with_both_registers_and_their_pictures(
    blank: Books, empty_archive: SqlArchive
) -> None:
    document = community_document()
    (point,) = (each for each in document["point"] if each["code"] == "E-101")
    [old] = point["installation"]
    new = {**old, "meter": "E-101b", "start": CHANGED, "first": {"import_energy": "3.5"}}
    new["first_photo"] = "new.jpg"
    old.update(end=CHANGED, last={"import_energy": "1100"}, last_photo="old.jpg")
    point["installation"].append(new)
    blank.define(document)
    closing = [reading("E-101b", start + timedelta(minutes=1), "53.5") for start in STARTS[1:]]
    empty_archive.append([*boundary_readings(without=["E-101"]), *closing])
    empty_archive.append([reading("E-101", STARTS[0], "1000")])

    run = blank.bill()

    quantity, evidence = usage_of(blank, "E-101")
    assert quantity == 100 + 50
    assert [
        (each["opening"].get("photo"), each["closing"].get("photo"))
        for each in evidence["segments"]
    ] == [(None, "old.jpg"), ("new.jpg", None)]
    assert blank.verify(run.id).failures == []


def test_an_expired_verification_is_told_from_the_day_after_its_last(
    blank: Books, empty_archive: SqlArchive
) -> None:
    blank.define(
        standing(
            **{
                "E-101": {"verified_until": date(2026, 10, 30)},
                "E-201": {"verified_until": date(2026, 10, 31)},
            }
        )
    )
    empty_archive.append(boundary_readings())

    blank.bill()

    told = {
        point: [each["kind"] for each in usage_of(blank, point)[1]["findings"]]
        for point in ("E-101", "E-201", "E-301")
    }
    assert told == {"E-101": ["VerificationExpired"], "E-201": [], "E-301": ["RolledOver"]}


# --- what only the readings in between can tell ---------------------------------------------------


def marked(readings: Sequence[Reading], *reasons: Reason) -> list[Reading]:
    return [each._replace(reasons=reasons) for each in readings]


def test_a_first_reading_at_the_end_of_a_month_counts_once_later_ones_confirm_it(
    blank: Books, empty_archive: SqlArchive
) -> None:
    blank.define()
    empty_archive.append(boundary_readings(without=["W-201"]))
    empty_archive.append([reading("W-201", OCTOBER.interval.start, "0")])
    closing = reading("W-201", OCTOBER.interval.end, "14.999")
    empty_archive.append(marked([closing], Reason.UNCONFIRMED))
    assert any("no later reading confirms it" in each for each in problems(blank))

    later = OCTOBER.interval.end + timedelta(hours=5)
    empty_archive.append([reading("W-201", later, "15.2")])
    (run_id,) = (each for (each,) in blank.rows("SELECT id FROM bill_run"))
    run = blank.bill_run(run_id)

    assert usage_of(blank, "W-201")[0] == Decimal("14.999")
    assert blank.verify(run.id).failures == []


def test_a_reading_that_a_restart_disproved_is_not_billed(
    blank: Books, empty_archive: SqlArchive
) -> None:
    blank.define()
    empty_archive.append(boundary_readings(without=["W-201"]))
    end = OCTOBER.interval.end
    empty_archive.append([reading("W-201", OCTOBER.interval.start, "0")])
    glitch = reading("W-201", end, "900")
    restarted = reading("W-201", end + timedelta(minutes=10), "14.999")
    empty_archive.append(
        [*marked([glitch], Reason.UNCONFIRMED), *marked([restarted], Reason.RESTARTED)]
    )

    blank.bill()

    assert usage_of(blank, "W-201")[0] == Decimal("14.999")


def test_a_reset_near_the_last_digit_is_not_billed_as_a_rollover(
    blank: Books, empty_archive: SqlArchive
) -> None:
    """By its registers alone E-301 passed its last digit; by its readings it fell in an hour."""
    blank.define()
    empty_archive.append(boundary_readings())
    middle = OCTOBER.interval.start + timedelta(days=12)
    empty_archive.append(
        [
            reading("E-301", middle, "999810"),
            reading("E-301", middle + timedelta(hours=1), "0.1"),
        ]
    )

    assert any("fell from 999800.25 to 250.3" in each for each in problems(blank))


# --- what a file may not say ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"ratio": [{"since": INSTALLED, "multiplier": "60"}]}, "one after another"),
        (
            {"ratio": [{"since": CHANGED, "multiplier": "60"}], "end": CHANGED},
            "one after another",
        ),
        (
            {
                "ratio": [
                    {"since": CHANGED, "multiplier": "60"},
                    {"since": CHANGED - timedelta(days=1), "multiplier": "80"},
                ]
            },
            "one after another",
        ),
        ({"ratio": [{"since": CHANGED, "multiplier": "0"}]}, "greater than 0"),
        ({"last": {"import_energy": "5"}}, "say with end when it went"),
        ({"first_photo": ""}, "at least 1 character"),
        ({"verified_until": "soon"}, "isoformat"),
    ],
)
def test_what_cannot_be_is_refused(more: dict[str, Any], what: str) -> None:
    with pytest.raises(DefinitionError, match=what):
        parse_community(standing(lift=more), "yard.toml")
