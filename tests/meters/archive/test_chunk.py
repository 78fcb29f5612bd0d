"""A day of one series in one block, and back, to the last character."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.archive.chunk import Chunks, CorruptChunkError, pack
from meters.archive.rows import HOUR_S, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DAY = 20_000 * 86_400
SERIES = 7


def row(
    time: int, value: int | None = 0, raw: str = "", *, verdict: int = 0, reasons: str = ""
) -> Row:
    return Row(time // HOUR_S, SERIES, time, value, verdict, reasons, raw)


def day_of(raw: Callable[[int], str], *, quarters: int = 96) -> list[Row]:
    """A counter of 0.01 kWh that household use moves, as one kind of meter shows it."""
    values = [109_092_800 + 100 * (7 * n + n * n % 13) for n in range(quarters)]
    return [row(DAY + 900 * n + 17, value, raw(value)) for n, value in enumerate(values)]


def body_of(rows: list[Row]) -> bytes:
    (packed,) = pack(rows)
    assert packed[:2] == (rows[0].series, len(rows))
    return packed.body


def words(packed: bytes) -> str:
    return packed.hex(" ", 2)


def swapped(packed: bytes) -> bytes:
    return packed[2:] + packed[:2]


int64s = st.integers(-(2**63), 2**63 - 1)
raws = st.one_of(
    st.text(max_size=12),
    st.binary(min_size=1, max_size=8).map(
        lambda part: (part * 2)[: len(part) // 2 * 2].hex(" ", 2)
    ),
    st.integers(0, 10**9).map(str),
    st.sampled_from(["462a 7521", "462A 7521", "462a7521", " 462a", "462a ", "-1.25", "0.0", ""]),
)


@given(
    held=st.lists(
        st.tuples(
            st.integers(0, 86_399),
            st.one_of(st.none(), int64s),
            raws,
            st.integers(0, 2),
            st.sampled_from(["", "late", "falling,late"]),
        ),
        min_size=1,
        max_size=40,
        unique_by=lambda entry: entry[0],
    )
)
def test_whatever_is_packed_comes_out_as_it_went_in(
    held: list[tuple[int, int | None, str, int, str]],
) -> None:
    rows = [
        row(DAY + second, value, raw, verdict=verdict, reasons=reasons)
        for second, value, raw, verdict, reasons in sorted(held)
    ]
    assert Chunks([SERIES], [body_of(rows)]).rows() == rows


@pytest.mark.parametrize(
    ("name", "raw", "bytes_a_reading"),
    [
        ("float32", lambda value: words(struct.pack(">f", value / 10_000)), 1.5),
        ("float32, low word first", lambda v: words(swapped(struct.pack(">f", v / 10_000))), 1.5),
        ("float32 of Wh", lambda value: words(struct.pack(">f", value / 10)), 1.5),
        ("float64", lambda value: words(struct.pack(">d", value / 10_000)), 1.5),
        ("uint32", lambda value: words(struct.pack(">I", value // 100)), 1.5),
        ("uint32, low word first", lambda v: words(swapped(struct.pack(">I", v // 100))), 1.5),
        ("uint16", lambda value: words(struct.pack(">H", value // 100 % 65536)), 1.5),
        ("text of the value", lambda value: f"{value // 10_000}.{value % 10_000 // 100:02}", 1.5),
        ("the same words all day", lambda _: "462a 7521", 1.5),
    ],
)
def test_what_meters_show_in_a_day_takes_hardly_more_than_a_byte_a_reading(
    name: str, raw: Callable[[int], str], bytes_a_reading: float
) -> None:
    rows = day_of(raw)
    body = body_of(rows)
    assert Chunks([SERIES], [body]).rows() == rows
    assert len(body) <= bytes_a_reading * len(rows), name


def test_a_part_of_a_chunk_is_what_the_whole_holds_there() -> None:
    rows = day_of(lambda value: words(struct.pack(">f", value / 10_000)))
    chunks = Chunks([SERIES], [body_of(rows)])
    for first in (0, 1, 17, 95):
        for after in (0, 17, 95, 96):
            assert chunks.rows(np.arange(first, after)) == rows[first:after]


def test_days_of_many_series_and_shapes_are_unpacked_together() -> None:
    shown: list[Callable[[int], str]] = [
        lambda value: words(struct.pack(">f", value / 10_000)),
        lambda value: words(swapped(struct.pack(">f", value / 10))),
        lambda value: words(struct.pack(">H", value // 100 % 65536)),
        lambda value: f"{value / 10_000:.2f}",
        lambda _: "462a 7521",
        lambda value: f"about {value}",
        lambda value: "ffff" if value % 3 else "ffff ffff",
    ]
    days = [
        [one._replace(series=n) for one in day_of(raw, quarters=96 - n % 2)]
        for n, raw in enumerate(shown)
    ]
    days.append([row(DAY, 5, "0005", verdict=2, reasons="late")._replace(series=len(days))])
    days[2][0] = days[2][0]._replace(value=None, verdict=1, reasons="sentinel")
    whole = [one for day in days for one in day]
    packed = pack(whole)
    assert [(one.series, one.readings) for one in packed] == [
        (n, len(day)) for n, day in enumerate(days)
    ]
    chunks = Chunks([one.series for one in packed], [one.body for one in packed])
    assert chunks.rows() == whole
    assert chunks.rows(np.arange(0, len(whole), 7)) == whole[::7]
    only_even = [(n, days[n]) for n in range(0, len(days), 2)]
    some = Chunks([n for n, _ in only_even], [packed[n].body for n, _ in only_even])
    assert some.rows() == [one for _, day in only_even for one in day]


def test_the_nearest_good_reading_is_found_in_each_chunk() -> None:
    one = [row(DAY + n, n, f"{n}", verdict=n % 3) for n in range(20)]
    two = [row(DAY + n, n, f"{n}")._replace(series=8) for n in range(5, 9)]
    chunks = Chunks([SERIES, 8], [body_of(one), body_of(two)])

    def seconds(positions: NDArray[np.int64]) -> list[tuple[int, int]]:
        return [(found.series, found.time - DAY) for found in chunks.rows(positions)]

    early = chunks.times <= DAY + 11
    assert seconds(chunks.last_in_each(early & chunks.good)) == [(7, 9), (8, 8)]
    assert seconds(chunks.last_in_each(early)) == [(7, 11), (8, 8)]
    assert seconds(chunks.first_in_each(~early & chunks.good)) == [(7, 12)]
    assert seconds(chunks.first_in_each(chunks.times > DAY + 30)) == []


def test_rows_that_make_no_chunk_are_refused() -> None:
    for rows in ([], [row(DAY), row(DAY)], [row(DAY), row(DAY + 1), row(DAY, 1)]):
        with pytest.raises(ValueError, match="a chunk holds"):
            pack(rows)


def test_rows_may_come_in_any_order() -> None:
    rows = day_of(str)
    (packed,) = pack(rows[::-1])
    assert Chunks([SERIES], [packed.body]).rows() == rows


def test_a_damaged_chunk_is_said_and_never_guessed_at() -> None:
    body = body_of(day_of(str))
    with pytest.raises(CorruptChunkError, match="series 7 is damaged"):
        Chunks([SERIES], [b"\xff" + body[1:]])
    with pytest.raises(CorruptChunkError, match="damaged"):
        Chunks([SERIES], [body[: len(body) // 2]])
