"""The sheets that a community is written in: which columns each has, and what a column holds.

Everything else follows from this: what is read and refused, the template, the export and the help.
A sheet or column is found by its key, Chinese or English name, or both; its unit may be left out.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.importing.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

_DECISIVE = (Kind.CODE, Kind.DAY, Kind.MOMENT)
"""Kinds that say what a row is, or when."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `refers` names the sheet whose `code` it must be found in.

    A `family` stands for any number of columns that add a name to it: `first import_energy`.
    """

    key: str
    zh: str
    en: str
    kind: Kind
    required: bool = False
    refers: str | None = None
    family: tuple[str, ...] = ()
    """The names that the template offers, one of them "" where it offers none; else no family."""
    example: str = ""
    zh_help: str = ""
    en_help: str = ""

    @property
    def can_be_left_out(self) -> bool:
        """Whether a row still makes sense to other rows without what the column holds."""
        return not self.required and self.refers is None and self.kind not in _DECISIVE

    def names(self, member: str = "") -> tuple[str, str, str]:
        """Return key, Chinese and English name, of the family's `member` if it is one."""
        if not member:
            return self.key, self.zh, self.en
        return f"{self.key}.{member}", f"{self.zh} {member}", f"{self.en} {member}"

    def heading(self, member: str = "") -> str:
        """Return how the template heads the column."""
        _, zh, en = self.names(member)
        return f"{zh} / {en}"


@dataclass(frozen=True, slots=True)
class Layout:
    """A sheet: its columns, and by which of them a row is known; no two rows may share them."""

    key: str
    zh: str
    en: str
    columns: tuple[Column, ...]
    identity: tuple[str, ...]
    required: bool = False

    @property
    def title(self) -> str:
        """What the template calls the sheet."""
        return f"{self.zh} {self.en}"

    def is_called(self, name: str) -> bool:
        spelt = spelling(name)
        return spelt in {spelling(each) for each in (self.key, self.zh, self.en, self.title)}

    def column_called(self, heading: str) -> tuple[Column, str] | None:
        """Return the column that `heading` names, and which member of a family; None if none."""
        pieces = [spelling(piece) for piece in heading.split("/")]
        found = {_column(self.columns, piece) for piece in pieces}
        return found.pop() if len(found) == 1 else None

    def headings(self) -> Iterator[tuple[Column, str]]:
        """Yield each column of the template, families once for each name that is offered."""
        for column in self.columns:
            for member in column.family or ("",):
                if member or not column.family:
                    yield column, member


def spelling(name: str) -> str:
    """Return `name` as it is compared: half-width, small letters, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().replace("*", " ").split())


def _unitless(column: Column) -> set[str]:
    """Return how the column is spelt without its unit: `area` for `Area (m2)`."""
    return {spelling(name).partition("(")[0].strip() for name in column.names()}


def _column(columns: tuple[Column, ...], spelt: str) -> tuple[Column, str] | None:
    for column in columns:
        if not column.family and spelt in {*map(spelling, column.names()), *_unitless(column)}:
            return column, ""
    for column in columns:
        for name in map(spelling, column.names() if column.family else ()):
            if spelt.startswith((f"{name} ", f"{name}.")):
                return column, spelt[len(name) + 1 :].strip()
    return None


_LANGUAGES = ("zh", "en")
_REGISTERS = ("import_energy", "volume")


def _title(example: str) -> Column:
    return Column(
        "title",
        "名称",
        "Title",
        Kind.TEXT,
        required=True,
        family=_LANGUAGES,
        example=example,
        zh_help="在账单上显示的名称，至少填一种语言",
        en_help="what people read on bills; at least one language",
    )


_STATED = (
    Column("area", "面积（m2）", "Area (m2)", Kind.NUMBER, example="88.5"),
    Column("persons", "人口", "Persons", Kind.NUMBER, example="3"),
    Column("dwellings", "套数", "Dwellings", Kind.NUMBER),
    Column("car_spaces", "车位数", "Car spaces", Kind.NUMBER),
    Column("subscribed_kva", "报装容量（kVA）", "Subscribed kVA", Kind.NUMBER),
    Column(
        "attributes",
        "属性",
        "Attribute",
        Kind.NUMBER,
        family=("",),
        zh_help="其他属性，列名后加英文名，例如：属性 pets",
        en_help="any other attribute, its name after the heading: Attribute pets",
    ),
    Column(
        "customer_class",
        "收费类别",
        "Class",
        Kind.NAME,
        refers="classes",
        example="residential",
        zh_help="默认 residential",
        en_help="residential if empty",
    ),
    Column(
        "tariffs",
        "单独费率",
        "Own tariffs",
        Kind.NAMES,
        zh_help="代替收费类别的费率；一般留空",
        en_help="in place of those of the class; mostly empty",
    ),
)
"""What a unit is billed by, at first and after a change."""

COMMUNITY = Layout(
    "community",
    "小区",
    "Community",
    (
        Column("code", "编号", "Code", Kind.CODE, required=True, example="osmanthus"),
        Column(
            "project",
            "项目",
            "Project",
            Kind.NAME,
            zh_help="物业公司的代码，默认 default",
            en_help="the code of the property company; default if empty",
        ),
        _title("桂苑"),
        Column("zone", "时区", "Zone", Kind.TEXT, required=True, example="Asia/Shanghai"),
        Column(
            "due_days",
            "付款期限（天）",
            "Due days",
            Kind.WHOLE,
            example="15",
            zh_help="账单开具后多少天到期，默认 15",
            en_help="days from a bill's issue until it is due; 15 if empty",
        ),
        Column(
            "corrections",
            "更正方式",
            "Corrections",
            Kind.CORRECTIONS,
            example="correction bill",
            zh_help="更正出在单独的账单还是下期账单上，默认单独出账",
            en_help="where what is corrected is billed; on a correction bill if empty",
        ),
    ),
    identity=("code",),
    required=True,
)
CLASSES = Layout(
    "classes",
    "收费类别",
    "Classes",
    (
        Column("code", "类别", "Class", Kind.NAME, required=True, example="residential"),
        Column(
            "tariffs",
            "费率",
            "Tariffs",
            Kind.NAMES,
            example="power, water, property-fee",
            zh_help="费率编号，逗号分隔，按账单上的顺序",
            en_help="tariffs with commas between, in the order of the bill",
        ),
    ),
    identity=("code",),
    required=True,
)
BUILDINGS = Layout(
    "buildings",
    "楼栋",
    "Buildings",
    (Column("code", "编号", "Code", Kind.CODE, required=True, example="b1"), _title("1 号楼")),
    identity=("code",),
    required=True,
)
UNITS = Layout(
    "units",
    "房屋",
    "Units",
    (
        Column("code", "编号", "Code", Kind.CODE, required=True, example="1-101"),
        Column(
            "building",
            "楼栋",
            "Building",
            Kind.CODE,
            required=True,
            refers="buildings",
            example="b1",
        ),
        Column("entrance", "单元", "Entrance", Kind.CODE, example="1"),
        Column("floor", "楼层", "Floor", Kind.WHOLE, required=True, example="1"),
        *_STATED,
        Column("vacant_from", "空置自", "Vacant from", Kind.DAY),
        Column(
            "vacant_until",
            "空置至",
            "Vacant until",
            Kind.DAY,
            zh_help="重新入住的第一天",
            en_help="the first day that it is lived in again",
        ),
    ),
    identity=("code",),
    required=True,
)
CHANGES = Layout(
    "changes",
    "房屋变更",
    "Changes",
    (
        Column("unit", "房屋", "Unit", Kind.CODE, required=True, refers="units"),
        Column(
            "day",
            "自",
            "Since",
            Kind.DAY,
            required=True,
            zh_help="自该日起，只填写有变化的列；单独费率填 class 恢复为收费类别的费率",
            en_help="what changes from that day on; own tariffs: class goes back to the class",
        ),
        *_STATED,
    ),
    identity=("unit", "day"),
)
ACCOUNTS = Layout(
    "accounts",
    "业主",
    "Accounts",
    (
        Column("code", "户号", "Code", Kind.CODE, required=True, example="A-101"),
        Column("unit", "房屋", "Unit", Kind.CODE, required=True, refers="units", example="1-101"),
        Column("holder", "姓名", "Holder", Kind.TEXT, required=True, example="王伟"),
        Column("first_day", "起始日", "First day", Kind.DAY, required=True, example="2026-01-01"),
        Column(
            "after_day",
            "结束日",
            "After day",
            Kind.DAY,
            zh_help="不再持有的第一天；仍持有则留空",
            en_help="the first day that is no longer theirs; empty while it is",
        ),
        Column(
            "opening_balance",
            "期初欠费（元）",
            "Opening balance",
            Kind.NUMBER,
            example="123.45",
            zh_help="第一张账单之前所欠的金额；多缴填负数，不欠留空",
            en_help="owed before the first bill; below zero if paid too much, empty if nothing",
        ),
    ),
    identity=("code",),
)
POINTS = Layout(
    "points",
    "计量点",
    "Points",
    (
        Column("code", "编号", "Code", Kind.CODE, required=True, example="E-101"),
        Column("medium", "介质", "Medium", Kind.MEDIUM, required=True, example="electricity"),
        Column(
            "role",
            "用途",
            "Role",
            Kind.ROLE,
            required=True,
            example="unit",
            zh_help="户表、公摊或总表",
            en_help="unit, shared or master",
        ),
        Column(
            "unit",
            "房屋",
            "Unit",
            Kind.CODE,
            refers="units",
            example="1-101",
            zh_help="仅户表填写",
            en_help="only of a unit's own point",
        ),
        Column("building", "楼栋", "Building", Kind.CODE, refers="buildings"),
    ),
    identity=("code",),
)
METERS = Layout(
    "meters",
    "表计",
    "Meters",
    (
        Column(
            "point", "计量点", "Point", Kind.CODE, required=True, refers="points", example="E-101"
        ),
        Column(
            "meter",
            "表号",
            "Meter",
            Kind.CODE,
            required=True,
            example="202601010001",
            zh_help="请把该列设为文本格式，否则超过 15 位的表号会被改变",
            en_help="format the column as text: numbers beyond 15 digits are changed",
        ),
        Column("type", "型号", "Type", Kind.TEXT, required=True, example="eastron-sdm120"),
        Column("start", "安装时间", "Start", Kind.MOMENT, required=True, example="2026-01-01"),
        Column("end", "拆除时间", "End", Kind.MOMENT),
        Column("multiplier", "倍率", "Multiplier", Kind.NUMBER, example="1"),
        Column(
            "first",
            "起度",
            "First",
            Kind.NUMBER,
            required=True,
            family=_REGISTERS,
            example="1000.5",
            zh_help="安装时的读数，每个寄存器一列",
            en_help="what each register showed when the meter came, a column a register",
        ),
        Column("last", "止度", "Last", Kind.NUMBER, family=_REGISTERS),
        Column("first_photo", "安装照片", "First photo", Kind.TEXT),
        Column("last_photo", "拆除照片", "Last photo", Kind.TEXT),
        Column("verified_until", "检定有效期至", "Verified until", Kind.DAY),
    ),
    identity=("point", "meter", "start"),
)
RATIOS = Layout(
    "ratios",
    "倍率变更",
    "Ratios",
    (
        Column("point", "计量点", "Point", Kind.CODE, required=True, refers="points"),
        Column("meter", "表号", "Meter", Kind.CODE, required=True),
        Column("since", "自", "Since", Kind.MOMENT, required=True),
        Column("multiplier", "倍率", "Multiplier", Kind.NUMBER, required=True),
        Column("shown", "当时读数", "Shown", Kind.NUMBER, family=_REGISTERS),
        Column("photo", "照片", "Photo", Kind.TEXT),
    ),
    identity=("point", "meter", "since"),
)

LAYOUTS = (COMMUNITY, CLASSES, BUILDINGS, UNITS, CHANGES, ACCOUNTS, POINTS, METERS, RATIOS)
"""Every sheet, in the order of the template."""
NOTES = ("说明 Notes", "notes", "说明")
"""Names of a sheet that is not read: the template's words to people."""
