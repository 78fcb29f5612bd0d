"""From cells to values: exact, and never by guessing. What was understood otherwise is remarked.

Spreadsheets change what people type: codes into numbers, numbers into dates, dates into numbers,
long codes into rounded ones. Where the original can be told, it is taken; else the cell is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING, Any

from billing.importing.cells import Cell, Sort
from billing.importing.kinds import CHOICES, Kind
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo


class CellError(ValueError):
    """A cell does not hold what its column wants; the message says what to do."""


DIGITS_KEPT = 15
"""Significant digits that spreadsheets keep of a number, and show."""
_SHOWN = Context(prec=DIGITS_KEPT, rounding=ROUND_HALF_EVEN, Emax=400, Emin=-400)
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_PLAIN = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_SCIENTIFIC = re.compile(r"[0-9](\.[0-9]+)?E\+?[0-9]+", re.IGNORECASE)
_DAY = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?")
_STAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))
_HALF_WIDTH = {0x3000: " "} | {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_SERIAL_DAYS = range(20_000, 80_000)
"""Numbers that spreadsheets show for days from 1954 to 2119 where a column is not a date's."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the cells of one community; `zone` is where its local times are."""

    zone: ZoneInfo

    def value(self, kind: Kind, cell: Cell, remark: Callable[[str], None]) -> Any:
        """Return what `cell` means in a column of `kind`, None of blanks; raise `CellError`."""
        if refusal := _UNUSABLE.get(cell.sort):
            raise CellError(refusal)
        written = cleaned(cell.text)
        text = written if kind is Kind.TEXT else half_width(written)
        if text != written and kind is not Kind.NAMES:
            remark("full-width digits, letters or signs were read as half-width")
        if not text:
            return None
        if kind is Kind.MOMENT:
            return self._moment(cell, text)
        return _READERS[kind](cell, text, remark)

    def _moment(self, cell: Cell, text: str) -> datetime:
        if cell.moment is not None:
            return self._placed(cell.moment)
        moment = _stamped(text) if _STAMP.fullmatch(text) else _local_moment(cell, text)
        return self._placed(moment) if moment.tzinfo is None else moment.astimezone(UTC)

    def _placed(self, local: datetime) -> datetime:
        """Return `local` in UTC; refuse what the clocks showed twice or skipped."""
        there = local.replace(tzinfo=self.zone)
        moment = there.astimezone(UTC)
        if there.utcoffset() != there.replace(fold=1).utcoffset() and local.time() != time.min:
            raise CellError(
                f"the clocks of {self.zone.key} change then; write the time with its offset, as "
                "2026-01-01T08:00:00+08:00"
            )
        return moment


_UNUSABLE = {
    Sort.ERROR: "the formula in this cell fails; correct it, or write the value",
    Sort.UNCOMPUTED: (
        "this formula was saved without a value; open and save the workbook in the spreadsheet "
        "program, or paste the values only"
    ),
}


def cleaned(text: str) -> str:
    """Return `text` without what cannot be seen."""
    if text.isascii():
        return text.strip()
    return text.translate(_INVISIBLE).replace("\u00a0", " ").strip()


def half_width(text: str) -> str:
    """Return `text` with full-width ASCII made plain; all other signs stay."""
    return text if text.isascii() else text.translate(_HALF_WIDTH).strip()


def _code(cell: Cell, text: str, remark: Callable[[str], None]) -> str:
    if cell.sort is Sort.TEXT and _SCIENTIFIC.fullmatch(text):
        raise CellError(
            "this was a long number, and a spreadsheet has rounded it; format the column as text, "
            "type the code anew, and save"
        )
    return _text(cell, text, remark)


def _text(cell: Cell, text: str, remark: Callable[[str], None]) -> str:
    if cell.sort is Sort.TEXT:
        return text
    if cell.sort is not Sort.NUMBER:
        raise CellError(
            "a spreadsheet has made something else of this code; format the column as text and "
            "type the code anew"
        )
    number = _shown(text)
    if number.adjusted() >= DIGITS_KEPT:
        raise CellError(
            f"spreadsheets keep {DIGITS_KEPT} digits of a number, so the last ones of this code "
            "are lost; format the column as text and type the code anew"
        )
    remark("a number was read as a code; if it began with zeros, format the column as text")
    return plain(number)


def _name(cell: Cell, text: str, _: Callable[[str], None]) -> str:
    return _word(cell, text).lower()


def _names(cell: Cell, text: str, _: Callable[[str], None]) -> list[str]:
    return [part for part in re.split(r"[,;，；、\s]+", _word(cell, text).lower()) if part]


def _word(cell: Cell, text: str) -> str:
    if cell.sort is not Sort.TEXT:
        raise CellError(f"must be text, and is a {cell.sort.value}")
    return text


def _number(cell: Cell, text: str, remark: Callable[[str], None]) -> Decimal:
    if cell.sort is Sort.NUMBER:
        return _shown(text)
    if cell.sort is not Sort.TEXT:
        raise CellError(
            f"must be a number, and is a {cell.sort.value}; format the cell as a number and type "
            "it anew"
        )
    if _GROUPED.fullmatch(text):
        remark("commas were read as separators of thousands")
        return Decimal(text.replace(",", ""))
    if not _PLAIN.fullmatch(text):
        raise CellError("is no number; write digits only, with a point before decimals: 1234.5")
    return Decimal(text)


def _shown(text: str) -> Decimal:
    """Return a number of a spreadsheet as it is shown: to 15 significant digits."""
    try:
        number = _SHOWN.create_decimal(text)
    except ArithmeticError:
        raise CellError("is no number that can be read") from None
    if not number.is_finite():
        raise CellError("is no number that can be read")
    return number


def _whole(cell: Cell, text: str, remark: Callable[[str], None]) -> int:
    number = _number(cell, text, remark)
    if number.adjusted() >= DIGITS_KEPT or number != number.to_integral_value():
        raise CellError(f"must be a whole number, and is {text}")
    return int(number)


def _day(cell: Cell, text: str, _: Callable[[str], None]) -> date:
    if cell.moment is not None:
        if cell.moment.time() != time.min:
            raise CellError(f"must be a day, and is a time of day too: {cell.moment}")
        return cell.moment.date()
    match = _DAY.fullmatch(text)
    if match is None:
        raise CellError(_no_day(cell, text))
    return _made(match)


def _stamped(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise CellError("is no time of the calendar") from None


def _local_moment(cell: Cell, text: str) -> datetime:
    day, _, clock = text.partition(" ")
    match, at = _DAY.fullmatch(day), _TIME.fullmatch(clock.strip() or "0:00")
    if match is None or at is None:
        raise CellError(_no_day(cell, text))
    hour, minute, second = (int(part or 0) for part in at.groups())
    try:
        return datetime.combine(_made(match), time(hour, minute, second))
    except ValueError:
        raise CellError(f"is no time of day: {clock.strip()}") from None


def _made(match: re.Match[str]) -> date:
    try:
        return date(*map(int, match.groups()))
    except ValueError:
        raise CellError("is no day of the calendar") from None


def _no_day(cell: Cell, text: str) -> str:
    if cell.sort is Sort.NUMBER and _PLAIN.fullmatch(text) and int(Decimal(text)) in _SERIAL_DAYS:
        return (
            "is a number; if it is a date, format the column as dates and check what is shown, or "
            "write 2026-01-01"
        )
    return "is no date; write year, month and day as 2026-01-01, 2026/1/1 or 2026年1月1日"


def _medium(_: Cell, text: str, __: Callable[[str], None]) -> str:
    return _choice(Kind.MEDIUM, text)


def _role(_: Cell, text: str, __: Callable[[str], None]) -> str:
    return _choice(Kind.ROLE, text)


def _corrections(_: Cell, text: str, __: Callable[[str], None]) -> str:
    return _choice(Kind.CORRECTIONS, text)


def _choice(kind: Kind, text: str) -> str:
    for choice, spellings in CHOICES[kind].items():
        if text.lower() == choice or text in spellings:
            return choice
    ways = ", ".join(f"{choice} ({each[0]})" for choice, each in CHOICES[kind].items())
    raise CellError(f"must be one of {ways}")


_READERS: dict[Kind, Callable[[Cell, str, Callable[[str], None]], Any]] = {
    Kind.CODE: _code,
    Kind.NAME: _name,
    Kind.NAMES: _names,
    Kind.TEXT: _text,
    Kind.WHOLE: _whole,
    Kind.NUMBER: _number,
    Kind.DAY: _day,
    Kind.MEDIUM: _medium,
    Kind.ROLE: _role,
    Kind.CORRECTIONS: _corrections,
}
"""What reads each kind but a moment, which needs to know where it is."""
