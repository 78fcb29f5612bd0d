"""What every archive does, whatever it is made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meters.archive.protocol import Appended, Boundary, Conflict
from meters.edges import NEVER_AGAIN_S, NEVER_S
from meters.interval import Interval
from meters.quantity import to_scaled
from meters.reading import Reading, Reason, Series, Verdict

if TYPE_CHECKING:
    from meters.archive.protocol import Archive

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
ENERGY = Series("sdm120-1", "import_energy")
WATER = Series("water-1", "volume")
ALWAYS = Interval(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))

# The archive is made once for a test; each example takes meters of its own.
many_examples = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_EXAMPLE = count()


def reading(
    offset_s: int = 0,
    value: str | None = "12.5",
    *,
    series: Series = ENERGY,
    raw: str = "462a 7521",
    verdict: Verdict = Verdict.GOOD,
    reasons: tuple[Reason, ...] = (),
) -> Reading:
    number = None if value is None else Decimal(value)
    time = NOON + timedelta(seconds=offset_s)
    return Reading(series, time, number, raw, verdict, reasons)


def last_read(archive: Archive, series: list[Series]) -> list[Reading | None]:
    """Return what `latest` says of each of `series`, after `last_read` has said the same."""
    newest = archive.latest(series)
    found = [newest.get(one) for one in series]
    told = archive.last_read(series)
    assert told.times_s.tolist() == [
        NEVER_S if each is None else int(each.time.timestamp()) for each in found
    ]
    assert told.verdicts.tolist() == [0 if each is None else each.verdict for each in found]
    return found


def test_what_was_appended_is_read_back_as_it_was(archive: Archive) -> None:
    readings = [
        reading(0, "123456.7891"),
        reading(1, "-0.0001", raw='{"a": "b\\\\c", "電": "{}, NULL"}'),
        reading(2, None, raw="", verdict=Verdict.INVALID, reasons=(Reason.SENTINEL,)),
        reading(3, "1", verdict=Verdict.SUSPECT, reasons=(Reason.FALLING, Reason.LATE)),
        reading(4, "922337203685477.5807", raw="NULL"),
        reading(5, "2", reasons=(Reason.ROLLOVER,)),
    ]
    assert archive.append(readings) == Appended(stored=6, duplicates=0)
    assert archive.readings(ENERGY, ALWAYS) == readings


def test_nothing_appended_is_nothing_stored(archive: Archive) -> None:
    assert archive.append([]) == Appended(stored=0, duplicates=0)
    assert archive.latest() == {}
    assert archive.readings(ENERGY, ALWAYS) == []


def test_the_same_readings_again_are_duplicates(archive: Archive) -> None:
    readings = [reading(second, str(second)) for second in range(5)]
    archive.append(readings[:3])
    assert archive.append(readings) == Appended(stored=2, duplicates=3)
    assert archive.append(readings) == Appended(stored=0, duplicates=5)
    assert archive.readings(ENERGY, ALWAYS) == readings


def test_a_reading_twice_in_one_batch_is_stored_once(archive: Archive) -> None:
    assert archive.append([reading(), reading(), reading()]) == Appended(stored=1, duplicates=2)


def test_a_reading_judged_differently_the_second_time_is_a_duplicate(archive: Archive) -> None:
    archive.append([reading()])
    again = reading(verdict=Verdict.SUSPECT, reasons=(Reason.LATE,))
    assert archive.append([again]) == Appended(stored=0, duplicates=1)
    assert archive.readings(ENERGY, ALWAYS) == [reading()]


@pytest.mark.parametrize(
    "other",
    [reading(value="12.6"), reading(raw="462a 7522"), reading(value=None)],
    ids=["another value", "other raw words", "no value"],
)
def test_another_reading_under_a_taken_identity_is_a_conflict(
    archive: Archive, other: Reading
) -> None:
    archive.append([reading()])
    assert archive.append([other, reading(), reading(60)]) == Appended(
        stored=1, duplicates=1, conflicts=(Conflict(offered=other, kept=reading()),)
    )
    assert archive.readings(ENERGY, ALWAYS) == [reading(), reading(60)]


def test_of_two_that_conflict_in_one_batch_the_first_is_kept(archive: Archive) -> None:
    first, second = reading(value="1"), reading(value="2")
    done = archive.append([first, second, second])
    conflict = Conflict(offered=second, kept=first)
    assert done == Appended(stored=1, duplicates=0, conflicts=(conflict, conflict))


@pytest.mark.parametrize(
    ("time", "says"),
    [
        (NOON.replace(tzinfo=None), "not in UTC"),
        (NOON.astimezone(timezone(timedelta(hours=8))), "not in UTC"),
        (NOON.replace(microsecond=1), "fraction of a second"),
    ],
)
def test_a_time_that_is_not_whole_seconds_of_utc_is_refused_and_keeps_nobody_back(
    archive: Archive, time: datetime, says: str
) -> None:
    bad = Reading(WATER, time, Decimal(1), "01", Verdict.GOOD)
    done = archive.append([reading(), bad, reading(60)])
    assert (done.stored, done.duplicates, done.conflicts) == (2, 0, ())
    (refused,) = done.refused
    assert refused.reading is bad
    assert says in refused.why
    assert archive.readings(ENERGY, ALWAYS) == [reading(), reading(60)]
    assert archive.latest([WATER]) == {}


@pytest.mark.parametrize("value", ["0.00001", "922337203685477.5808", "NaN", "sNaN", "Infinity"])
def test_a_value_that_no_column_holds_is_refused_and_keeps_nobody_back(
    archive: Archive, value: str
) -> None:
    bad = reading(1, value)
    done = archive.append([bad, reading()])
    assert done.stored == 1
    assert [refused.reading for refused in done.refused] == [bad]
    assert archive.append([bad]).stored == 0
    assert archive.readings(ENERGY, ALWAYS) == [reading()]


def test_readings_are_those_inside_the_half_open_interval_oldest_first(archive: Archive) -> None:
    seconds = [7200, -1, 0, 3599, 3600, 90 * 86400, 1]
    archive.append([reading(second, str(second)) for second in seconds])
    archive.append([reading(0, "5", series=WATER)])
    hour = Interval(NOON, NOON + timedelta(hours=1))
    assert [found.time for found in archive.readings(ENERGY, hour)] == [
        NOON + timedelta(seconds=second) for second in (0, 1, 3599)
    ]
    half = timedelta(milliseconds=500)
    assert [
        found.time for found in archive.readings(ENERGY, Interval(NOON - half, NOON + half))
    ] == [NOON]
    assert len(archive.readings(ENERGY, ALWAYS)) == len(seconds)


def test_boundaries_name_every_series_that_was_asked_for(archive: Archive) -> None:
    archive.append([reading(-60, "1"), reading(0, "2"), reading(1, "3")])
    assert archive.boundaries([ENERGY, WATER], NOON) == {
        ENERGY: Boundary(NOON, before=reading(0, "2"), after=reading(1, "3")),
        WATER: Boundary(NOON, before=None, after=None),
    }


def test_boundaries_are_good_readings_at_most_a_window_away(archive: Archive) -> None:
    archive.append(
        [
            reading(-601, "1"),
            reading(-600, "2"),
            reading(-5, "9", verdict=Verdict.SUSPECT),
            reading(0, None, verdict=Verdict.INVALID),
            reading(5, "9", verdict=Verdict.SUSPECT),
            reading(600, "3"),
        ]
    )
    for seconds, before, after in [(600, "2", "3"), (599, None, None), (6000, "2", "3")]:
        boundary = archive.boundaries([ENERGY], NOON, window=timedelta(seconds=seconds))[ENERGY]
        assert boundary.before == (before and reading(-600, before))
        assert boundary.after == (after and reading(600, after))


def test_a_wide_window_finds_what_a_narrow_one_misses(archive: Archive) -> None:
    days = 86400
    archive.append([reading(-200 * days, "1"), reading(300 * days, "2")])
    archive.append([reading(-1, "3", series=WATER), reading(1, "4", series=WATER)])
    found = archive.boundaries([ENERGY, WATER], NOON, window=timedelta(days=400))
    assert found[ENERGY] == Boundary(NOON, reading(-200 * days, "1"), reading(300 * days, "2"))
    assert found[WATER] == Boundary(
        NOON, reading(-1, "3", series=WATER), reading(1, "4", series=WATER)
    )


def test_the_latest_reading_counts_whatever_its_verdict_and_age(archive: Archive) -> None:
    old = reading(-400 * 86400, "1", series=WATER)
    newest = reading(0, None, verdict=Verdict.INVALID, reasons=(Reason.NOT_A_NUMBER,))
    archive.append([old, reading(-60, "7"), newest])
    assert archive.latest() == {ENERGY: newest, WATER: old}
    assert archive.latest([WATER]) == {WATER: old}
    assert archive.latest([ENERGY, Series("nobody", "volume")]) == {ENERGY: newest}
    assert archive.latest([]) == {}
    nobody = Series("nobody", "volume")
    assert last_read(archive, [WATER, nobody, ENERGY, WATER]) == [old, None, newest, old]
    assert last_read(archive, []) == []


def test_a_reading_from_a_wrong_clock_does_not_hide_the_others(archive: Archive) -> None:
    far = reading(60 * 365 * 86400, "1", series=WATER)
    archive.append([far, reading(0, "7")])
    assert archive.latest() == {WATER: far, ENERGY: reading(0, "7")}
    assert last_read(archive, [ENERGY, WATER]) == [reading(0, "7"), far]


def test_many_series_that_were_read_last_on_other_days_are_all_told(archive: Archive) -> None:
    series = [Series(f"m-{number:03}", "volume") for number in range(700)]
    newest = [
        reading(-7200 * (number % 90), series=one, verdict=Verdict(number % 3))
        for number, one in enumerate(series)
    ]
    archive.append([reading(-91 * 7200, series=one) for one in series])
    archive.append(newest)
    assert last_read(archive, series) == newest


Drawn: TypeAlias = tuple[int, int, int | None, str, Verdict, tuple[Reason, ...]]

# Gaps from a second to years, so that hours, windows and their widening all matter.
offsets = st.one_of(
    st.integers(-7300, 7300), st.integers(-40 * 86400, 40 * 86400), st.integers(-(10**7), 10**7)
)
plain_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
entries = st.lists(
    st.tuples(
        st.integers(0, 3),
        offsets,
        st.one_of(st.none(), st.integers(-(2**63) + 1, 2**63 - 1)),
        plain_text,
        st.sampled_from(Verdict),
        st.lists(st.sampled_from(Reason), unique=True, max_size=3).map(tuple),
    ),
    max_size=30,
    unique_by=lambda entry: entry[:2],
)


def of_new_meters(
    drawn: list[Drawn],
) -> tuple[list[Series], list[Reading]]:
    example = next(_EXAMPLE)
    series = [Series(f"m{example}-{number}", "volume") for number in range(4)]
    return series, [
        Reading(
            series[number],
            NOON + timedelta(seconds=offset),
            None if scaled is None else Decimal(scaled).scaleb(-4),
            raw,
            verdict,
            reasons,
        )
        for number, offset, scaled, raw, verdict, reasons in drawn
    ]


@many_examples
@given(drawn=entries, data=st.data())
def test_any_order_repetition_and_batches_end_in_the_same_readings(
    archive: Archive,
    drawn: list[Drawn],
    data: st.DataObject,
) -> None:
    series, readings = of_new_meters(drawn)
    again = data.draw(st.lists(st.sampled_from(readings), max_size=30)) if readings else []
    sent = data.draw(st.permutations(readings + again))
    stored = duplicates = 0
    while sent:
        size = data.draw(st.integers(1, len(sent)))
        done = archive.append(sent[:size])
        assert done.conflicts == ()
        assert done.stored + done.duplicates == size
        stored, duplicates, sent = stored + done.stored, duplicates + done.duplicates, sent[size:]
    assert (stored, duplicates) == (len(readings), len(again))
    for one in series:
        expected = sorted((r for r in readings if r.series == one), key=lambda r: r.time)
        assert archive.readings(one, ALWAYS) == expected


@many_examples
@given(drawn=entries, offset=offsets, window_s=st.one_of(st.just(7200), st.integers(0, 10**7)))
def test_boundaries_and_latest_agree_with_a_naive_search(
    archive: Archive,
    drawn: list[Drawn],
    offset: int,
    window_s: int,
) -> None:
    series, readings = of_new_meters(drawn)
    archive.append(readings)
    at, window = NOON + timedelta(seconds=offset), timedelta(seconds=window_s)
    found = archive.boundaries(series, at, window=window)
    newest = archive.latest(series)
    for one in series:
        own = sorted((r for r in readings if r.series == one), key=lambda r: r.time)
        near = [r for r in own if r.verdict is Verdict.GOOD and abs(r.time - at) <= window]
        before = [r for r in near if r.time <= at]
        after = [r for r in near if r.time > at]
        assert found[one] == Boundary(
            at, before[-1] if before else None, after[0] if after else None
        )
        assert newest.get(one) == (own[-1] if own else None)
    last_read(archive, series)


def test_edges_tell_in_columns_what_boundaries_tell_one_by_one(archive: Archive) -> None:
    day = 86400
    archive.append(
        [
            reading(-7200, "1"),
            reading(-600, "2"),
            reading(0, "3"),
            reading(5, "90", verdict=Verdict.SUSPECT),
            reading(899, "4", reasons=(Reason.ROLLOVER,)),
            reading(6000, None, verdict=Verdict.INVALID, reasons=(Reason.SENTINEL,)),
            reading(2 * day + 7200, "5"),
            reading(-3, "7", series=WATER, reasons=(Reason.UNCONFIRMED,)),
        ]
    )
    archive.append([reading(day + 7201, "6"), reading(day - 1, "8", series=WATER)])
    seconds = [0, -1, 900, day, day + 1, 2 * day, -7200]
    instants = [NOON + timedelta(seconds=second) for second in seconds]
    nobody = Series("nobody", "volume")

    edges = archive.edges([WATER, nobody, ENERGY], instants)

    assert edges.instants_s.tolist() == sorted(int(each.timestamp()) for each in instants)
    for place, instant in enumerate(sorted(instants)):
        for one, boundary in archive.boundaries([WATER, nobody, ENERGY], instant).items():
            row = edges.rows()[one]
            before, after = boundary.before, boundary.after
            assert _told(edges.before_s[row, place], edges.before[row, place]) == _shown(before)
            assert _told(edges.after_s[row, place], edges.after[row, place]) == _shown(after)
    assert edges.unconfirmed.any(axis=1).tolist() == [one == WATER for one in edges.series]


def test_a_reading_that_no_edge_rests_on_leaves_its_series_confirmed(archive: Archive) -> None:
    archive.append([reading(-900, "1", reasons=(Reason.UNCONFIRMED,)), reading(-1, "2")])
    assert not archive.edges([ENERGY], [NOON], window=timedelta(hours=1)).unconfirmed.any()


def test_a_reading_beside_one_edge_does_not_hide_one_that_is_nearer_to_the_next(
    archive: Archive,
) -> None:
    archive.append([reading(at, str(at)) for at in (-60, 600, 1800, 2600, 3700)])
    edges = archive.edges([ENERGY], [NOON, NOON + timedelta(hours=1)])
    noon = int(NOON.timestamp())
    assert edges.before_s[0].tolist() == [noon - 60, noon + 2600]
    assert edges.after_s[0].tolist() == [noon + 600, noon + 3700]


@many_examples
@given(
    times=st.lists(st.integers(-200_000, 200_000), unique=True, max_size=30),
    instants=st.lists(st.integers(-200_000, 200_000), min_size=1, max_size=12),
    window_s=st.sampled_from([60, 900, 7200, 90_000]),
)
def test_edges_of_any_readings_are_their_boundaries(
    archive: Archive, times: list[int], instants: list[int], window_s: int
) -> None:
    one = Series(f"edges-{next(_EXAMPLE)}", "import_energy")
    archive.append([reading(time, str(n), series=one) for n, time in enumerate(times)])
    window = timedelta(seconds=window_s)
    moments = sorted({NOON + timedelta(seconds=second) for second in instants})

    edges = archive.edges([one], moments, window=window)

    for place, moment in enumerate(moments):
        boundary = archive.boundaries([one], moment, window=window)[one]
        assert _told(edges.before_s[0, place], edges.before[0, place]) == _shown(boundary.before)
        assert _told(edges.after_s[0, place], edges.after[0, place]) == _shown(boundary.after)


def _told(seconds: int, value: int) -> tuple[int, int] | None:
    return None if seconds in (NEVER_S, NEVER_AGAIN_S) else (int(seconds), int(value))


def _shown(found: Reading | None) -> tuple[int, int] | None:
    if found is None or found.value is None:
        return None
    return int(found.time.timestamp()), to_scaled(found.value)
