"""A formula's text cut into tokens. Full-width signs of Chinese input are read as well."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from billing.formula.problem import FormulaError
from billing.formula.units import parse_unit

if TYPE_CHECKING:
    from billing.formula.units import Dimension

LONGEST_TEXT = 500
"""Characters of a formula. Who needs more writes two charges."""

_FULL_WIDTH = str.maketrans(
    "（）［］【】，＋－＊／＜＞＝！．　０１２３４５６７８９",
    "()[][],+-*/<>=!. 0123456789",
)

_SPELLINGS = {
    "*": "×",
    "/": "÷",
    "-": "−",
    "<=": "≤",
    ">=": "≥",
    "!=": "≠",
    "<>": "≠",
    "==": "=",
}
"""Signs as they are typed → as formulas are kept and shown."""

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
    | (?P<unit>\[[^\[\]]*\])
    | (?P<number>[0-9]+(?:\.[0-9]+)?)
    | (?P<name>[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*(?:\.[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*)?)
    | (?P<sign><=|>=|!=|<>|==|[-+*/×÷−<>=≤≥≠(),])
    """,
    re.VERBOSE,
)


class Sort(Enum):
    """What a token is."""

    NUMBER = "number"
    NAME = "name"
    UNIT = "unit"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; `position` counts characters from 1; `unit` is set of a unit."""

    sort: Sort
    text: str
    position: int
    unit: Dimension | None = None

    def __str__(self) -> str:
        return "the end" if self.sort is Sort.END else repr(self.text)


def tokens(text: str) -> list[Token]:
    """Return the tokens of `text`, the last one its end; raise `FormulaError` where it has none."""
    if len(text) > LONGEST_TEXT:
        raise FormulaError.at(
            LONGEST_TEXT + 1,
            f"a formula has at most {LONGEST_TEXT} characters, this one {len(text)}; make it two "
            "charges",
        )
    plain = text.translate(_FULL_WIDTH)
    found: list[Token] = []
    at = 0
    while at < len(plain):
        match = _TOKEN.match(plain, at)
        if match is None:
            raise FormulaError.at(at + 1, _unreadable(plain[at:]))
        if match.lastgroup != "space":
            found.append(_token(match))
        at = match.end()
    found.append(Token(Sort.END, "", len(plain) + 1))
    return found


def _token(match: re.Match[str]) -> Token:
    text, position = match[0], match.start() + 1
    if match.lastgroup == "unit":
        try:
            return Token(Sort.UNIT, text, position, parse_unit(text[1:-1]))
        except ValueError as error:
            raise FormulaError.at(position + 1, str(error)) from None
    if match.lastgroup == "sign":
        return Token(Sort.SIGN, _SPELLINGS.get(text, text), position)
    return Token(Sort(match.lastgroup), text, position)


def _unreadable(rest: str) -> str:
    if rest[0] in "[]":
        return "write a unit in a pair of brackets, as in 0.35 [CNY/m2]"
    if rest[0] == ".":
        return "a point stands inside a number or once in a name; to subtract, put spaces around −"
    if rest[0] in "\"'":
        return "formulas hold no texts; write names without quotes"
    if rest[0].isascii() and rest[0].isupper():
        return f"{rest[0]!r}: names are written in small letters, and units in brackets: [kWh]"
    return f"{rest[0]!r} has no meaning in a formula"
