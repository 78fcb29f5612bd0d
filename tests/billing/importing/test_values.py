"""What a cell means in a column, what is remarked of it, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from billing.importing.cells import Cell, Sort
from billing.importing.kinds import Kind
from billing.importing.values import CellError, Reader

SHANGHAI = Reader(ZoneInfo("Asia/Shanghai"))
BERLIN = Reader(ZoneInfo("Europe/Berlin"))
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def text(value: str) -> Cell:
    return Cell(Sort.TEXT, value)


def number(value: str) -> Cell:
    return Cell(Sort.NUMBER, value)


def shown_as_date(value: datetime) -> Cell:
    return Cell(Sort.MOMENT, "46023", value)


def read(kind: Kind, cell: Cell, reader: Reader = SHANGHAI) -> tuple[Any, list[str]]:
    """Return what `cell` means, and the remarks."""
    remarks: list[str] = []
    return reader.value(kind, cell, remarks.append), remarks


UNDERSTOOD: list[tuple[Kind, Cell, Any]] = [
    (Kind.CODE, text(" 1-101\u00a0"), "1-101"),
    (Kind.CODE, text("\ufeff1-\u200b101"), "1-101"),
    (Kind.CODE, text("123456789012345678"), "123456789012345678"),
    (Kind.TEXT, text("王伟（新）"), "王伟（新）"),
    (Kind.TEXT, text("  "), None),
    (Kind.NAME, text("Residential "), "residential"),
    (Kind.NAMES, text("Power，water、fee; lift  x"), ["power", "water", "fee", "lift", "x"]),
    (Kind.NUMBER, text("88.50"), Decimal("88.50")),
    (Kind.NUMBER, text("-0.5"), Decimal("-0.5")),
    (Kind.NUMBER, number("88.349999999999994"), Decimal("88.35")),
    (Kind.NUMBER, number("1E3"), Decimal(1000)),
    (Kind.NUMBER, number("1.0000000000000001E-2"), Decimal("0.01")),
    (Kind.NUMBER, text("123456789012345678.1234"), Decimal("123456789012345678.1234")),
    (Kind.WHOLE, number("-2"), -2),
    (Kind.WHOLE, text("15"), 15),
    (Kind.WHOLE, number("3.0"), 3),
    (Kind.DAY, text("2026-01-01"), date(2026, 1, 1)),
    (Kind.DAY, text("2026/1/1"), date(2026, 1, 1)),
    (Kind.DAY, text("2026.01.01"), date(2026, 1, 1)),
    (Kind.DAY, text("2026年1月1日"), date(2026, 1, 1)),
    (Kind.DAY, shown_as_date(datetime(2026, 1, 1)), date(2026, 1, 1)),
    (Kind.MOMENT, text("2026-01-01T08:00:00+08:00"), NEW_YEAR),
    (Kind.MOMENT, text("2026-01-01T00:00Z"), NEW_YEAR),
    (Kind.MOMENT, text("2026-01-01 08:00"), NEW_YEAR),
    (Kind.MOMENT, text("2026/1/1 8:00:00"), NEW_YEAR),
    (Kind.MOMENT, text("2026年1月1日"), datetime(2025, 12, 31, 16, tzinfo=UTC)),
    (Kind.MOMENT, shown_as_date(datetime(2026, 1, 1, 8)), NEW_YEAR),
    (Kind.MEDIUM, text("水表"), "water"),
    (Kind.MEDIUM, text("Electricity"), "electricity"),
    (Kind.ROLE, text("公摊"), "shared"),
    (Kind.CORRECTIONS, text("下期账单"), "next bill"),
    (Kind.CORRECTIONS, text("Correction bill"), "correction bill"),
]


@pytest.mark.parametrize(("kind", "cell", "meant"), UNDERSTOOD, ids=lambda each: str(each)[:40])
def test_is_understood_without_a_word(kind: Kind, cell: Cell, meant: Any) -> None:
    value, remarks = read(kind, cell)

    assert value == meant
    assert type(value) is type(meant)
    assert not remarks


REMARKED: list[tuple[Kind, Cell, Any, str]] = [
    (Kind.CODE, number("101"), "101", "a number was read as a code; if it began with zeros"),
    (Kind.CODE, number("2026010100010"), "2026010100010", "a number was read as a code"),
    (Kind.CODE, text("１－１０１"), "1-101", "full-width digits"),
    (Kind.NUMBER, text("８８．５"), Decimal("88.5"), "full-width digits"),
    (Kind.NUMBER, text("1,234,567.8"), Decimal("1234567.8"), "separators of thousands"),
    (Kind.DAY, text("２０２６－０１－０１"), date(2026, 1, 1), "full-width digits"),
]


@pytest.mark.parametrize(("kind", "cell", "meant", "words"), REMARKED)
def test_is_understood_and_remarked(kind: Kind, cell: Cell, meant: Any, words: str) -> None:
    value, remarks = read(kind, cell)

    assert value == meant
    assert words in remarks[0]


REFUSED: list[tuple[Kind, Cell, str]] = [
    (Kind.CODE, number("1.23456789012346E+17"), "keep 15 digits of a number"),
    (Kind.CODE, number("123456789012345678"), "keep 15 digits of a number"),
    (Kind.CODE, number("1000000000000000"), "keep 15 digits of a number"),
    (Kind.CODE, text("1.23457E+17"), "a spreadsheet has rounded it"),
    (Kind.CODE, shown_as_date(datetime(2026, 3, 1)), "made something else of this code"),
    (Kind.CODE, Cell(Sort.TRUTH, "TRUE"), "made something else of this code"),
    (Kind.CODE, Cell(Sort.UNCOMPUTED, ""), "saved without a value"),
    (Kind.NUMBER, Cell(Sort.UNCOMPUTED, ""), "saved without a value"),
    (Kind.NUMBER, Cell(Sort.ERROR, "#N/A"), "the formula in this cell fails"),
    (Kind.NUMBER, text("88,5"), "is no number"),
    (Kind.NUMBER, text("1,23"), "is no number"),
    (Kind.NUMBER, text("1.234,5"), "is no number"),
    (Kind.NUMBER, text("88.5 m2"), "is no number"),
    (Kind.NUMBER, text("1e5"), "is no number"),
    (Kind.NUMBER, text("NaN"), "is no number"),
    (Kind.NUMBER, text("٣"), "is no number"),
    (Kind.NUMBER, text("="), "is no number"),
    (Kind.NUMBER, number("NaN"), "is no number"),
    (Kind.NUMBER, number("1e999"), "is no number"),
    (Kind.NUMBER, shown_as_date(datetime(2026, 1, 1)), "must be a number, and is a date"),
    (Kind.NUMBER, Cell(Sort.TRUTH, "TRUE"), "must be a number, and is a true or false"),
    (Kind.WHOLE, number("2.5"), "must be a whole number, and is 2.5"),
    (Kind.WHOLE, text("1000000000000000"), "must be a whole number"),
    (Kind.DAY, number("46023"), "if it is a date, format the column as dates"),
    (Kind.DAY, number("20260101"), "is no date; write year, month and day"),
    (Kind.DAY, text("46023"), "is no date"),
    (Kind.DAY, text("20260101"), "is no date"),
    (Kind.DAY, text("01/02/2026"), "is no date"),
    (Kind.DAY, text("26-1-1"), "is no date"),
    (Kind.DAY, text("2026-02-30"), "is no day of the calendar"),
    (Kind.DAY, shown_as_date(datetime(2026, 1, 1, 8)), "is a time of day too"),
    (Kind.DAY, text("2026-01-01 08:00"), "is no date"),
    (Kind.MOMENT, number("46023.5"), "if it is a date"),
    (Kind.MOMENT, text("20260101"), "is no date"),
    (Kind.MOMENT, text("2026-W01-1"), "is no date"),
    (Kind.MOMENT, text("2026-01-01 25:00"), "is no time of the calendar"),
    (Kind.MOMENT, text("2026/1/1 25:00"), "is no time of day: 25:00"),
    (Kind.MOMENT, text("2026-01-01T25:00:00"), "is no time of the calendar"),
    (Kind.MOMENT, text("tomorrow"), "is no date"),
    (Kind.MEDIUM, text("gas"), "must be one of electricity (电), water (水)"),
    (Kind.ROLE, text("own"), "must be one of unit (户), shared (公摊), master (总表)"),
    (Kind.NAME, number("5"), "must be text, and is a number"),
    (Kind.TEXT, Cell(Sort.ERROR, "#REF!"), "the formula in this cell fails"),
]


@pytest.mark.parametrize(("kind", "cell", "words"), REFUSED, ids=lambda each: str(each)[:40])
def test_is_refused(kind: Kind, cell: Cell, words: str) -> None:
    with pytest.raises(CellError) as caught:
        read(kind, cell)

    assert words in str(caught.value)


@pytest.mark.parametrize("wall", ["2026-03-29 02:30", "2026-10-25 02:30"])
def test_a_time_that_the_clocks_skip_or_show_twice_wants_its_offset(wall: str) -> None:
    with pytest.raises(CellError, match="write the time with its offset"):
        read(Kind.MOMENT, text(wall), BERLIN)

    assert read(Kind.MOMENT, text("2026-10-25T02:30:00+01:00"), BERLIN)[0] == datetime(
        2026, 10, 25, 1, 30, tzinfo=UTC
    )
