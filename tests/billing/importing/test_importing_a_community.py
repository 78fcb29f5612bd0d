"""From sheets to a community and back: the same community, or every problem with its cell."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from small_community import INSTALLED, changed, community_document

from billing.community import Community, parse_community
from billing.importing.assembling import Imported, assemble
from billing.importing.csv_files import parse_csv
from billing.importing.layout import LAYOUTS
from billing.importing.report import ImportRefusedError, Report
from billing.importing.workbook import parse_workbook
from billing.importing.writing import write_community, write_template

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

SHEETS = {layout.key: layout.title for layout in LAYOUTS}


def exported(community: Community) -> Workbook:
    """Return the workbook of `community`, as a person opens it."""
    file = io.BytesIO()
    write_community(file, community)
    file.seek(0)
    return load_workbook(file)


def imported(book: Workbook) -> Imported:
    file = io.BytesIO()
    book.save(file)
    file.seek(0)
    return assemble(parse_workbook(file, "yard.xlsx"))


@cache
def yard_file() -> bytes:
    file = io.BytesIO()
    write_community(file, parse_community(community_document(), "yard"))
    return file.getvalue()


def yard() -> Workbook:
    return load_workbook(io.BytesIO(yard_file()))


def sheet(book: Workbook, key: str) -> Worksheet:
    found: Worksheet = book[SHEETS[key]]
    return found


def column(book: Workbook, key: str, heading: str) -> int:
    """Return the column of the sheet `key` whose English heading is `heading`."""
    headings = [str(cell.value).rpartition("/")[2].strip() for cell in sheet(book, key)[1]]
    return headings.index(heading) + 1


def put(book: Workbook, key: str, row: int, heading: str, value: Any) -> None:
    cell = sheet(book, key).cell(row, column(book, key, heading))
    cell.value = value
    if isinstance(value, int):
        cell.number_format = "General"


def refused(book: Workbook) -> Report:
    with pytest.raises(ImportRefusedError) as caught:
        imported(book)
    return caught.value.report


def full_document() -> dict[str, Any]:
    """Return a community with one of everything that a definition can say."""
    then = INSTALLED + timedelta(days=3)
    document = changed(
        community_document(),
        unit={
            "101": {
                "persons": "3.5",
                "entrance": "2",
                "attributes": {"pets": "2"},
                "tariffs": ["power"],
                "since": [
                    {"day": date(2026, 3, 1), "area": "90.1234", "tariffs": "class"},
                    {"day": date(2026, 5, 1), "attributes": {"pets": "0"}},
                ],
            }
        },
        account={
            "A-101": {
                "holder": "=1+1",
                "after_day": date(2026, 10, 1),
                "opening_balance": "1234.50",
            },
            "A-201": {"opening_balance": "-0.05"},
        },
    )
    document["corrections"] = "next bill"
    lift = next(each for each in document["point"] if each["code"] == "lift")
    first = lift["installation"][0]
    first |= {
        "end": then + timedelta(days=1),
        "last": {"import_energy": "12.5"},
        "first_photo": "a.jpg",
        "last_photo": "b.jpg",
        "ratio": [
            {"since": then, "multiplier": "60", "shown": {"import_energy": "11"}, "photo": "c"}
        ],
    }
    lift["installation"].append(
        {
            **first,
            "meter": "20260101000100023",
            "start": first["end"],
            "end": None,
            "ratio": [],
            "last": {},
            "last_photo": None,
            "verified_until": date(2030, 1, 1),
            "first": {"import_energy": "99999999999999.1234"},
        }
    )
    return document


def test_a_community_with_everything_comes_back_the_same() -> None:
    community = parse_community(full_document(), "yard")

    back = imported(exported(community))

    assert back.community == community
    assert back.report.remarks == ()


def test_a_template_has_every_sheet_and_no_community() -> None:
    file = io.BytesIO()
    write_template(file)
    file.seek(0)
    sheets = parse_workbook(file, "t.xlsx")

    assert [each.name for each in sheets] == ["说明 Notes", *SHEETS.values()]
    with pytest.raises(ImportRefusedError) as caught:
        assemble(sheets)
    (problem,) = caught.value.report.problems
    assert str(problem) == (
        "t.xlsx: sheet 小区 Community: has no row below its heading; fill in the community"
    )


def test_a_template_that_is_filled_in_by_hand_is_imported() -> None:
    file = io.BytesIO()
    write_template(file)
    file.seek(0)
    book = load_workbook(file)
    for key, values in {
        "community": {"Code": "gui", "Title zh": "桂苑", "Zone": "Asia/Shanghai"},
        "classes": {"Class": "residential", "Tariffs": "power、water"},
        "buildings": {"Code": "b1", "Title zh": "1 号楼"},
        "units": {"Code": 101, "Building": "b1", "Floor": 1, "Area (m2)": "８８．５"},
        "accounts": {
            "Code": "A1",
            "Unit": 101,
            "Holder": "王（伟）",
            "First day": "2026/1/1",
            "Opening balance": "1,234.5",
        },
        "points": {"Code": "E1", "Medium": "电", "Role": "户表", "Unit": "101"},
        "meters": {
            "Point": "E1",
            "Meter": "20260101000100023",
            "Type": "eastron-sdm120",
            "Start": datetime(2026, 1, 1),
            "First import_energy": "1,000.5",
        },
    }.items():
        for heading, value in values.items():
            put(book, key, 2, heading, value)
    put(book, "meters", 2, "Start", datetime(2026, 1, 1))
    sheet(book, "meters").cell(2, column(book, "meters", "Start")).number_format = "yyyy-mm-dd"

    done = imported(book)

    unit, account = done.community.unit[0], done.community.account[0]
    assert (unit.code, unit.area) == ("101", Decimal("88.5"))
    assert (account.unit, account.holder) == ("101", "王（伟）")
    assert account.opening_balance == Decimal("1234.5")
    meter = done.community.point[0].installation[0]
    assert meter.start == datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert meter.first == {"import_energy": Decimal("1000.5")}
    assert [
        (each.first.sheet, each.first.cell, each.what[:24]) for each in done.report.remarks
    ] == [
        ("房屋 Units", "A2", "a number was read as a c"),
        ("房屋 Units", "E2", "full-width digits, lette"),
        ("业主 Accounts", "B2", "a number was read as a c"),
        ("业主 Accounts", "F2", "commas were read as sepa"),
        ("表计 Meters", "G2", "commas were read as sepa"),
    ]


Spoiling = Callable[[Workbook], None]
WRONG: dict[str, tuple[Spoiling, str, str]] = {
    "an unknown building": (
        lambda book: put(book, "units", 3, "Building", "b9"),
        "房屋 Units: B3 (楼栋 / Building): 'b9'",
        "is not in the sheet 楼栋 Buildings",
    ),
    "an unknown class": (
        lambda book: put(book, "units", 3, "Class", "shop"),
        "房屋 Units: J3 (收费类别 / Class): 'shop'",
        "is not in the sheet 收费类别 Classes",
    ),
    "a doubled unit": (
        lambda book: sheet(book, "units").append(["101", "b1", None, 1]),
        "房屋 Units: A6 (编号 / Code): '101'",
        "is listed in row 2 already",
    ),
    "a missing area of text": (
        lambda book: put(book, "units", 2, "Area (m2)", "unknown"),
        "房屋 Units: E2 (面积（m2） / Area (m2)): 'unknown'",
        "is no number",
    ),
    "a negative area": (
        lambda book: put(book, "units", 2, "Area (m2)", -1),
        "房屋 Units: E2 (面积（m2） / Area (m2)): '-1'",
        "must not be negative",
    ),
    "an area that is too fine": (
        lambda book: put(book, "units", 2, "Area (m2)", "88.50001"),
        "房屋 Units: E2 (面积（m2） / Area (m2)): '88.50001'",
        "more than 4 decimals",
    ),
    "a missing floor": (
        lambda book: put(book, "units", 5, "Floor", None),
        "房屋 Units: D5 (楼层 / Floor)",
        "is empty; it must be given",
    ),
    "a code with a space": (
        lambda book: put(book, "accounts", 2, "Code", "A 101"),
        "业主 Accounts: A2 (户号 / Code): 'A 101'",
        "pattern",
    ),
    "a code that became a date": (
        lambda book: put(book, "units", 2, "Code", date(2026, 3, 1)),
        "房屋 Units: A2 (编号 / Code): '46082'",
        "made something else of this code",
    ),
    "a meter number that was rounded": (
        lambda book: put(book, "meters", 2, "Meter", 202601010001000234),
        "表计 Meters: B2 (表号 / Meter): '2.026010100010002e+17'",
        "format the column as text",
    ),
    "a day that is a number": (
        lambda book: put(book, "accounts", 2, "First day", 46023),
        "业主 Accounts: D2 (起始日 / First day): '46023'",
        "if it is a date, format the column as dates",
    ),
    "an opening balance of part of a cent": (
        lambda book: put(book, "accounts", 3, "Opening balance", "12.345"),
        "业主 Accounts: F3 (期初欠费（元） / Opening balance): '12.345'",
        "more than 2 decimals",
    ),
    "an opening balance in words": (
        lambda book: put(book, "accounts", 3, "Opening balance", "none"),
        "业主 Accounts: F3 (期初欠费（元） / Opening balance): 'none'",
        "is no number",
    ),
    "a formula without a value": (
        lambda book: put(book, "units", 2, "Area (m2)", "=80+8.5"),
        "房屋 Units: E2 (面积（m2） / Area (m2))",
        "saved without a value",
    ),
    "merged cells": (
        lambda book: sheet(book, "units").merge_cells("B2:B5"),
        "房屋 Units: B2",
        "the cells B2:B5 are merged into one",
    ),
    "a heading that is unknown": (
        lambda book: put(book, "units", 1, "Entrance", "Staircase"),
        "房屋 Units: C1: 'Staircase'",
        "is no column of this sheet",
    ),
    "a title in no language": (
        lambda book: put(book, "buildings", 1, "Title zh", "名称"),
        "楼栋 Buildings: B1: '名称'",
        "columns are 编号 / Code, 名称 zh / Title zh, 名称 en / Title en",
    ),
    "a heading that stands twice": (
        lambda book: put(book, "units", 1, "Entrance", "area (m2)"),
        "房屋 Units: E1: '面积（m2） / Area (m2)'",
        "heads a second column",
    ),
    "a column that is missing": (
        lambda book: sheet(book, "accounts").delete_cols(3),
        "业主 Accounts: row 1",
        "the column 姓名 / Holder is missing",
    ),
    "a value beside the table": (
        lambda book: put_at(book, "units", "Z3", "note"),
        "房屋 Units: Z3: 'note'",
        "stands below no heading",
    ),
    "a sheet that is unknown": (
        lambda book: put_at_new(book, "Rooms"),
        "yard.xlsx: sheet Rooms",
        "is no sheet of a community",
    ),
    "a sheet that is there twice": (
        lambda book: put_at_new(book, "units"),
        "yard.xlsx: sheet units",
        "is the sheet 房屋 Units again",
    ),
    "a sheet that is missing": (
        lambda book: book.remove(sheet(book, "buildings")),
        "yard.xlsx",
        "the sheet 楼栋 Buildings is missing",
    ),
    "a second community": (
        lambda book: sheet(book, "community").append(["two", "二", "two", "Asia/Shanghai", 15]),
        "小区 Community: A3 (编号 / Code): 'two'",
        "is a second community",
    ),
    "a zone that does not exist": (
        lambda book: put(book, "community", 2, "Zone", "Asia/Peking"),
        "小区 Community: E2 (时区 / Zone): 'Asia/Peking'",
        "is no time zone",
    ),
    "too many due days": (
        lambda book: put(book, "community", 2, "Due days", 500),
        "小区 Community: F2 (付款期限（天） / Due days): '500'",
        "less than or equal to 90",
    ),
    "a way to correct that there is not": (
        lambda book: put(book, "community", 2, "Corrections", "never"),
        "小区 Community: G2 (更正方式 / Corrections): 'never'",
        "must be one of correction bill (更正账单), next bill (下期账单)",
    ),
    "a tariff's name that is none": (
        lambda book: put(book, "classes", 2, "Tariffs", "power, Ω"),
        "收费类别 Classes: B2 (费率 / Tariffs): 'power, Ω'",
        "pattern",
    ),
    "two points of a medium": (
        lambda book: put(book, "points", 3, "Unit", "101"),
        "计量点 Points: D3 (房屋 / Unit): '101'",
        "unit 101 has 2 electricity points",
    ),
    "a unit's point without its unit": (
        lambda book: put(book, "points", 2, "Unit", None),
        "计量点 Points: row 2",
        'a point of role "unit" names its unit',
    ),
    "two holders at a time": (
        lambda book: sheet(book, "accounts").append(["T", "101", "李", "2026-10-01"]),
        "业主 Accounts: D6 (起始日 / First day): '2026-10-01'",
        "accounts A-101 and T both hold unit 101",
    ),
    "an end before the beginning": (
        lambda book: put(book, "accounts", 2, "After day", "2025-01-01"),
        "业主 Accounts: row 2",
        "after_day 2025-01-01 is not after first_day",
    ),
    "a meter at two places": (
        lambda book: put(book, "meters", 3, "Meter", "E-101"),
        "表计 Meters: B3 (表号 / Meter): 'E-101'",
        "meter E-101 stands at E-101 and at E-201 at the same time",
    ),
    "a meter without an opening register": (
        lambda book: put(book, "meters", 2, "First import_energy", None),
        "表计 Meters: G2 (起度 import_energy / First import_energy)",
        "is empty; give at least one 起度 / First",
    ),
    "a multiplier of zero": (
        lambda book: put(book, "meters", 2, "Multiplier", 0),
        "表计 Meters: F2 (倍率 / Multiplier): '0'",
        "greater than 0",
    ),
    "a ratio of a meter that is elsewhere": (
        lambda book: sheet(book, "ratios").append(["lift", "E-101", "2026-10-01", 60]),
        "倍率变更 Ratios: B2 (表号 / Meter): 'E-101'",
        "does not stand at this point then",
    ),
    "a change that changes nothing": (
        lambda book: sheet(book, "changes").append(["101", "2026-10-01"]),
        "房屋变更 Changes: row 2",
        "nothing changes on 2026-10-01",
    ),
}


def put_at(book: Workbook, key: str, address: str, value: Any) -> None:
    sheet(book, key)[address] = value


def put_at_new(book: Workbook, name: str) -> None:
    book.create_sheet(name).append(["Code"])


def test_a_heading_may_leave_its_unit_out() -> None:
    book = yard()
    put(book, "units", 1, "Area (m2)", "面积")
    put(book, "accounts", 1, "Opening balance", "期初欠费")

    assert imported(book).community == imported(yard()).community


@pytest.mark.parametrize("wrong", WRONG)
def test_a_problem_names_its_cell_and_what_to_do(wrong: str) -> None:
    spoil, where, what = WRONG[wrong]
    book = yard()
    spoil(book)

    (problem,) = refused(book).problems

    assert where in str(problem)
    assert what in problem.what


def test_problems_of_cells_and_between_rows_are_said_in_one_report() -> None:
    book = yard()
    put(book, "units", 2, "Area (m2)", "?")
    put(book, "units", 4, "Building", "b7")
    put(book, "points", 3, "Medium", "gas")
    put(book, "community", 2, "Zone", "Nowhere")
    sheet(book, "accounts").append(["T", "301", "李", "2026-10-01"])
    put(book, "meters", 10, "Multiplier", -1)

    found = {(each.place.sheet, each.place.cell) for each in refused(book).problems}

    assert found == {
        ("房屋 Units", "E2"),
        ("房屋 Units", "B4"),
        ("计量点 Points", "B3"),
        ("小区 Community", "E2"),
        ("业主 Accounts", "D6"),
        ("表计 Meters", "F10"),
    }


@pytest.mark.parametrize(
    ("spoil", "cell"),
    [
        (lambda book: put(book, "buildings", 2, "Title zh", None), "B2"),
        (lambda book: put(book, "buildings", 2, "Code", None), "A2"),
        (lambda book: put(book, "buildings", 2, "Code", date(2026, 3, 1)), "A2"),
        (lambda book: put(book, "points", 2, "Code", "E 101"), "A2"),
        (lambda book: put(book, "classes", 2, "Class", None), "A2"),
    ],
)
def test_what_rests_on_a_wrong_row_is_no_problem_of_its_own(spoil: Spoiling, cell: str) -> None:
    book = yard()
    put(book, "buildings", 2, "Title en", None)
    put(book, "buildings", 2, "Title zh", "楼")
    spoil(book)

    problems = refused(book).problems

    assert problems[-1].place.cell == cell
    assert len(problems) == 1 or "E-101" in str(problems[0])


def test_a_report_is_a_document_for_programs() -> None:
    book = yard()
    put(book, "units", 2, "Area (m2)", "88,5")
    put(book, "units", 3, "Code", 201)

    document = refused(book).document

    assert document["problems"][0] == {
        "source": "yard.xlsx",
        "sheet": "房屋 Units",
        "row": 2,
        "column": "E",
        "heading": "面积（m2） / Area (m2)",
        "value": "88,5",
        "what": "is no number; write digits only, with a point before decimals: 1234.5",
    }
    assert document["remarks"][0]["cell"] == "A3"


def test_remarks_of_a_column_are_counted_not_repeated() -> None:
    book = yard()
    for row, code in ((2, 101), (3, 201), (4, 202), (5, 301)):
        put(book, "units", row, "Code", code)

    (remark,) = imported(book).report.remarks

    assert remark.count == 4
    assert "A2" in str(remark)
    assert "(and 3 more cells of this column)" in str(remark)


def test_sheets_of_csv_in_chinese_make_the_same_community() -> None:
    files = {
        "小区": "编号,名称 zh,时区\ngui,桂苑,Asia/Shanghai\n",
        "收费类别": "类别,费率\nresidential,power\n",
        "楼栋": "编号,名称 zh\nb1,一号楼\n",
        "房屋": "编号,楼栋,楼层\n1-101,b1,1\n",
    }

    done = assemble(
        [
            parse_csv(text.encode("gbk"), source=f"{name}.csv", name=name)
            for name, text in files.items()
        ]
    )

    assert done.community.title == {"zh": "桂苑"}
    assert done.community.unit[0].code == "1-101"


CODES = st.text("ABab01-_./楼单元", min_size=1, max_size=8)
DECIMALS = st.decimals(0, 10**9, places=4)
DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12
)


@st.composite
def communities(draw: st.DrawFn) -> dict[str, Any]:
    """A community of a few units with accounts and meters, in any legal spelling."""
    codes = draw(st.lists(CODES, min_size=1, max_size=4, unique=True))
    zone = draw(st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York"]))
    moments = st.datetimes(
        datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(ZoneInfo(zone))
    ).map(lambda each: each.replace(microsecond=0))
    return {
        "kind": "community",
        "code": "c",
        "title": draw(st.dictionaries(st.sampled_from(["zh", "en", "de"]), TEXTS, min_size=1)),
        "zone": zone,
        "tariffs": {"residential": ("power", "water")},
        "building": [{"code": "b", "title": {"zh": "b"}}],
        "unit": [
            {
                "code": code,
                "building": "b",
                "floor": draw(st.integers(-3, 99)),
                **draw(st.fixed_dictionaries({}, optional={"area": DECIMALS, "persons": DECIMALS})),
            }
            for code in codes
        ],
        "point": [
            {
                "code": f"P{code}",
                "medium": draw(st.sampled_from(["electricity", "water"])),
                "role": "unit",
                "unit": code,
                "installation": [
                    {
                        "meter": f"M{code}",
                        "type": "eastron-sdm120",
                        "start": draw(moments),
                        "first": {"import_energy": draw(DECIMALS)},
                    }
                ],
            }
            for code in codes
        ],
        "account": [
            {"code": code, "unit": code, "holder": draw(TEXTS), "first_day": draw(DAYS)}
            for code in codes
        ],
    }


@settings(max_examples=60, deadline=None)
@given(document=communities())
def test_any_community_comes_back_the_same(document: dict[str, Any]) -> None:
    community = parse_community(document, "any")
    file = io.BytesIO()
    write_community(file, community)
    file.seek(0)

    assert assemble(parse_workbook(file, "any.xlsx")).community == community
