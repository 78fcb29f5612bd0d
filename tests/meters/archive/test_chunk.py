"""A day of one series in one block, and back, to the last character."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.archive.chunk import Chunk, CorruptChunkError, pack
from meters.archive.rows import HOUR_S, Row

if TYPE_CHECKING:
    from collections.abc import Callable

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
    assert Chunk(SERIES, pack(rows)).rows() == rows


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
    body = pack(rows)
    assert Chunk(SERIES, body).rows() == rows
    assert len(body) <= bytes_a_reading * len(rows), name


def test_a_part_of_a_chunk_is_what_the_whole_holds_there() -> None:
    rows = day_of(lambda value: words(struct.pack(">f", value / 10_000)))
    chunk = Chunk(SERIES, pack(rows))
    for first in (0, 1, 17, 95):
        for last in (0, 17, 94, 95):
            found = chunk.rows(rows[first].time, rows[last].time)
            assert found == rows[first : last + 1]
    assert chunk.rows(rows[3].time + 1, rows[4].time - 1) == []
    assert chunk.rows(rows[-1].time + 1, rows[-1].time + 9999) == []


def test_the_nearest_good_reading_is_found_on_either_side() -> None:
    rows = [row(DAY + n, n, f"{n}", verdict=n % 3) for n in range(20)]
    chunk = Chunk(SERIES, pack(rows))

    def nearest(first: int, last: int, *, newest: bool, only_good: bool = True) -> int | None:
        found = chunk.nearest(DAY + first, DAY + last, newest=newest, only_good=only_good)
        return None if found is None else found.time - DAY

    assert nearest(0, 11, newest=True) == 9
    assert nearest(0, 11, newest=True, only_good=False) == 11
    assert nearest(10, 19, newest=False) == 12
    assert nearest(10, 11, newest=False) is None
    assert nearest(30, 40, newest=False, only_good=False) is None


def test_rows_that_make_no_chunk_are_refused() -> None:
    for rows in ([], [row(DAY), row(DAY)], [row(DAY + 1), row(DAY)]):
        with pytest.raises(ValueError, match="in the order of their times"):
            pack(rows)


def test_a_damaged_chunk_is_said_and_never_guessed_at() -> None:
    body = pack(day_of(str))
    with pytest.raises(CorruptChunkError, match="series 7 is damaged"):
        Chunk(SERIES, b"\xff" + body[1:])
    with pytest.raises(CorruptChunkError, match="damaged"):
        Chunk(SERIES, body[: len(body) // 2])
