"""Evidence: what is frozen with a bill reads back as it was, down to the raw words."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_community import (
    LIFT_MULTIPLIER,
    STARTS,
    Books,
    boundary_readings,
    community_document,
    reading,
)

from billing.canonical import canonical_json, evidence_json, read_json
from billing.evidence import (
    quantity_text,
    read_register,
    register_document,
    register_text,
    usage_evidence,
    usage_text,
)
from meters.demand import Peak
from meters.finding import (
    AmbiguousRollover,
    CoarseRegister,
    Estimated,
    Exchanged,
    FallingRegister,
    Finding,
    ImplausibleGrowth,
    Interpolated,
    MissingRegister,
    NegativeTrueUp,
    NotABillingRegister,
    NotInstalled,
    Overlapping,
    RatioChanged,
    Rescaled,
    RolledOver,
    TruedUp,
    Unconfirmed,
    VerificationExpired,
)
from meters.interval import Interval
from meters.quantity import from_scaled, plain
from meters.reading import Reading, Reason, Series, Verdict
from meters.register_at import RegisterAt, Source
from meters.stepwise import BRIDGED, INTERPOLATED, READ, Shown, Steps
from meters.usage import Segment, Usage

if TYPE_CHECKING:
    from meters.archive.sql import SqlArchive

MOMENTS = st.datetimes(
    min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)
)
VALUES = st.integers(-(2**63), 2**63 - 1).map(lambda scaled: Decimal(scaled).scaleb(-4))
NAMES = st.text(min_size=1, max_size=20)


@st.composite
def registers(draw: st.DrawFn) -> RegisterAt:
    meter = draw(NAMES)
    readings = st.builds(
        Reading,
        st.builds(Series, st.just(meter), NAMES),
        MOMENTS,
        st.none() | VALUES,
        st.text(max_size=30),
        st.sampled_from(Verdict),
        st.lists(st.sampled_from(Reason), max_size=3).map(tuple),
    )
    return RegisterAt(
        meter,
        draw(MOMENTS),
        draw(VALUES),
        draw(st.sampled_from(Source)),
        tuple(draw(st.lists(readings, max_size=3))),
        draw(st.none() | st.text(min_size=1, max_size=20)),
    )


@given(registers())
def test_a_register_reads_back_as_it_was(register: RegisterAt) -> None:
    text = canonical_json(register_document(register))

    assert read_register(read_json(text)) == register
    assert canonical_json(register_document(read_register(read_json(text)))) == text


@given(registers(), registers())
def test_equal_registers_give_equal_text(one: RegisterAt, other: RegisterAt) -> None:
    texts = [canonical_json(register_document(each)) for each in (one, other)]

    assert (texts[0] == texts[1]) == (one == other)


def test_trailing_zeros_do_not_change_the_text() -> None:
    short, long = (
        RegisterAt("m", STARTS[0], Decimal(value), Source.RECORDED) for value in ("12.5", "12.500")
    )

    assert canonical_json(register_document(short)) == canonical_json(register_document(long))


@given(registers())
def test_a_register_is_written_as_canonical_json(register: RegisterAt) -> None:
    text = register_text(register)

    assert canonical_json(read_json(text)) == text
    assert evidence_json(register_document(register)) == text


EDGES = st.lists(st.integers(0, 2**40), max_size=4)
KNOWN = st.lists(st.sampled_from([READ, INTERPOLATED, BRIDGED]), max_size=4)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    segments = draw(
        st.lists(
            st.builds(Segment, registers(), registers(), VALUES, st.none() | VALUES, VALUES),
            max_size=2,
        )
    )
    pieces = [
        Shown(*(np.array(draw(each), np.int64) for each in (EDGES, EDGES, KNOWN))) for _ in segments
    ]
    steps = Steps(*(np.array(draw(EDGES), np.int64) for _ in range(2)), tuple(pieces))
    finding = st.sampled_from([finding for finding, _ in FINDINGS.values()])
    peak = st.just(Peak(15, AT, "电", Decimal(1), Decimal(3), None, Decimal(40), 95, 96))
    return Usage(
        point="p",
        register="import_energy",
        unit="kWh",
        interval=Interval(AT, UNTIL),
        quantity=None,
        segments=tuple(segments),
        findings=tuple(draw(st.lists(finding, max_size=2))),
        steps=draw(st.none() | st.just(steps)),
        peaks=tuple(draw(st.lists(peak, max_size=1))),
    )


@given(usages())
def test_a_usage_is_written_as_canonical_json(usage: Usage) -> None:
    text = usage_text(usage)

    assert canonical_json(read_json(text)) == text
    assert len(read_json(text)["segments"]) == len(usage.segments)
    assert ("steps" in read_json(text)) == (usage.steps is not None)


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_scaled_quantity_is_written_as_its_decimal_is(scaled: int) -> None:
    assert quantity_text(scaled) == plain(from_scaled(scaled))


AT, UNTIL = STARTS[:2]
FINDINGS: dict[type[Finding], tuple[Finding, dict[str, Any]]] = {
    type(finding): (finding, says)
    for finding, says in (
        (
            NotInstalled(Interval(AT, UNTIL)),
            {"interval": {"start": "2026-09-30T16:00:00Z", "end": "2026-10-31T16:00:00Z"}},
        ),
        (
            Overlapping("old", "new", Interval(AT, UNTIL)),
            {
                "earlier": "old",
                "later": "new",
                "interval": {"start": "2026-09-30T16:00:00Z", "end": "2026-10-31T16:00:00Z"},
            },
        ),
        (MissingRegister("m", AT), {"meter": "m", "at": "2026-09-30T16:00:00Z"}),
        (
            FallingRegister("m", Decimal("5.0"), Decimal(4)),
            {"meter": "m", "opening": "5", "closing": "4"},
        ),
        (
            ImplausibleGrowth("m", Decimal(4), Decimal("1E+3")),
            {"meter": "m", "opening": "4", "closing": "1000"},
        ),
        (
            Interpolated("m", AT, AT - timedelta(hours=1), AT + timedelta(hours=1)),
            {
                "meter": "m",
                "at": "2026-09-30T16:00:00Z",
                "before": "2026-09-30T15:00:00Z",
                "after": "2026-09-30T17:00:00Z",
            },
        ),
        (RolledOver("m"), {"meter": "m"}),
        (
            AmbiguousRollover("m", Decimal(5), Decimal(4)),
            {"meter": "m", "opening": "5", "closing": "4"},
        ),
        (
            Unconfirmed("m", AT, Decimal(4), AT + timedelta(minutes=1)),
            {
                "meter": "m",
                "at": "2026-09-30T16:00:00Z",
                "value": "4",
                "read_at": "2026-09-30T16:01:00Z",
            },
        ),
        (
            NotABillingRegister("m", "trip", "partial"),
            {"meter": "m", "register": "trip", "kind": "partial"},
        ),
        (
            RatioChanged(AT, "m", Decimal(40), Decimal("60.0")),
            {"at": "2026-09-30T16:00:00Z", "meter": "m", "before": "40", "after": "60"},
        ),
        (
            Rescaled("m", Decimal(5), Decimal("50.0")),
            {"meter": "m", "opening": "5", "closing": "50"},
        ),
        (VerificationExpired("m", AT), {"meter": "m", "expired": "2026-09-30T16:00:00Z"}),
        (
            CoarseRegister("m", Decimal(1), Decimal(3)),
            {"meter": "m", "step": "1", "quantity": "3"},
        ),
        (
            Estimated("m", AT, Decimal("12.0"), "average"),
            {"meter": "m", "at": "2026-09-30T16:00:00Z", "value": "12", "method": "average"},
        ),
        (TruedUp("m", Decimal("5.0")), {"meter": "m", "opening": "5"}),
        (
            NegativeTrueUp("m", Decimal(5), Decimal(4)),
            {"meter": "m", "opening": "5", "closing": "4"},
        ),
        (
            Exchanged(AT, "old", "new"),
            {"at": "2026-09-30T16:00:00Z", "removed": "old", "installed": "new"},
        ),
    )
}


def test_every_finding_of_a_measured_use_is_covered_here() -> None:
    assert {each.__name__ for each in FINDINGS} == {
        each.__name__ for each in Finding.__subclasses__() if each.__module__ == Finding.__module__
    }


@pytest.mark.parametrize("kind", FINDINGS)
def test_a_finding_is_kept_in_words_and_in_values(kind: type[Finding]) -> None:
    finding, says = FINDINGS[kind]
    usage = Usage("p", "volume", "m3", Interval(AT, UNTIL), None, (), (finding,))

    document = read_json(canonical_json(usage_evidence(usage)))

    assert document == {
        "segments": [],
        "findings": [{"kind": kind.__name__, "text": str(finding), **says}],
    }


def test_a_segment_is_kept_with_how_it_was_counted() -> None:
    opening = RegisterAt("m", AT, Decimal(99990), Source.RECORDED)
    closing = RegisterAt("m", UNTIL, Decimal(15), Source.RECORDED)
    segment = Segment(opening, closing, Decimal(25), Decimal(100000), Decimal(40))
    usage = Usage("p", "e", "kWh", Interval(AT, UNTIL), segment.quantity, (segment,), ())

    (kept,) = usage_evidence(usage)["segments"]

    assert {key: kept[key] for key in ("growth", "modulus", "multiplier", "quantity")} == {
        "growth": "25",
        "modulus": "100000",
        "multiplier": "40",
        "quantity": "1000",
    }


def evidence_of(books: Books, point: str) -> tuple[int, dict[str, Any]]:
    ((quantity, text),) = books.rows(
        "SELECT quantity, evidence FROM usage JOIN point ON point.id = point_id"
        " WHERE code = :point",
        point=point,
    )
    return quantity, json.loads(text)


def test_readings_are_kept_with_raw_words_and_reasons(
    sqlite_books: Books, empty_archive: SqlArchive
) -> None:
    *rest, last = boundary_readings()
    wrapped = Reading(
        last.series, STARTS[1], Decimal("77.8"), "42 9b 99 9a", Verdict.GOOD, (Reason.ROLLOVER,)
    )
    empty_archive.append([*rest, wrapped])

    run = sqlite_books.compute(sqlite_books.create(), archive=empty_archive)

    assert run.state == "computed"
    _, evidence = evidence_of(sqlite_books, "pump")
    assert evidence["segments"][0]["closing"]["readings"] == [
        {
            "register": "import_energy",
            "time": "2026-10-31T16:00:00Z",
            "value": "77.8",
            "raw": "42 9b 99 9a",
            "verdict": "good",
            "reasons": ["rollover"],
        }
    ]


def exchanged() -> dict[str, Any]:
    """Return the community whose lift's meter is exchanged on 12 October."""
    document = community_document()
    (point,) = (each for each in document["point"] if each["code"] == "lift")
    (old,) = point["installation"]
    then = datetime(2026, 10, 12, 3, 30, tzinfo=UTC)
    new = {**old, "meter": "lift-2", "start": then, "first": {"import_energy": "0.02"}}
    old = {**old, "end": then, "last": {"import_energy": "14.6"}}
    point["installation"] = [new, old]
    return document


def test_an_exchange_inside_the_month_shows_both_meters_and_bills_their_sum(
    blank_books: Books,
) -> None:
    blank_books.archive.append(
        [reading("lift-2", STARTS[1], "3"), reading("lift-2", STARTS[2], "10")]
    )
    blank_books.define(exchanged())

    run = blank_books.bill("2026-10")

    quantity, evidence = evidence_of(blank_books, "lift")
    counted = ((Decimal("14.6") - 10) + (3 - Decimal("0.02"))) * Decimal(LIFT_MULTIPLIER)
    assert Decimal(quantity).scaleb(-4) == counted == Decimal("303.2")
    assert [
        (each["opening"]["meter"], each["opening"]["source"], each["closing"]["source"])
        for each in evidence["segments"]
    ] == [("lift", "read", "recorded"), ("lift-2", "recorded", "read")]
    assert [each["multiplier"] for each in evidence["segments"]] == ["40", "40"]
    assert [(each["kind"], each["removed"]) for each in evidence["findings"]] == [
        ("Exchanged", "lift")
    ]
    assert blank_books.rows("SELECT quantity FROM statement WHERE id = 1000001") == [(3_032_000,)]
    assert blank_books.verify(run.id).failures == []
    assert not blank_books.verify(blank_books.bill("2026-11").id).failures


def test_an_exchange_without_the_registers_of_both_meters_parks(blank_books: Books) -> None:
    document = exchanged()
    (point,) = (each for each in document["point"] if each["code"] == "lift")
    point["installation"][1]["last"] = {}
    blank_books.define(document)

    run = blank_books.compute(blank_books.create())

    assert {each.kind for each in run.communities[0].problems} == {"MissingRegister"}
    assert {each.subject for each in run.communities[0].problems} == {"lift"}
    assert any("meter lift near 2026-10-12" in p.text for p in run.communities[0].problems)


def test_a_shared_line_rests_on_everybody_in_its_statement(sqlite_books: Books) -> None:
    sqlite_books.bill()

    ((text,),) = sqlite_books.rows("SELECT evidence FROM statement WHERE id = 1000001")
    evidence = json.loads(text)
    assert [each["unit"] for each in evidence["participants"]] == ["101", "201", "202", "301"]
    assert [each["point"] for each in evidence["sources"]] == ["lift"]
    (rated,) = evidence["rated"]
    assert rated["charges"] == [
        {
            "charge": "energy",
            "amount": "164.14",
            "parts": [{"quantity": "294", "price": "0.5583"}],
        }
    ]
