"""From a formula's text to its tree, by precedence climbing. Nothing is ever evaluated by Python.

formula    = or
or         = and { "or" and }
and        = not { "and" not }
not        = [ "not" ] comparison
comparison = sum [ ( "<" | "≤" | ">" | "≥" | "=" | "≠" ) sum ]
sum        = product { ( "+" | "−" ) product }
product    = signed { ( "×" | "÷" ) signed }
signed     = [ "−" ] ( number [ unit ] | name | function | "(" formula ")" )
function   = word "(" formula { "," formula } ")"
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from billing.formula.problem import FormulaError
from billing.formula.tokens import Sort, Token, tokens
from billing.formula.tree import (
    TIGHTNESS,
    Arithmetic,
    Call,
    Comparison,
    Literal,
    Logic,
    Name,
    Negative,
    Node,
    Not,
    children,
)
from billing.formula.units import NUMBER
from billing.money import Direction
from meters.definition import exact

if TYPE_CHECKING:
    from decimal import Decimal

DEEPEST = 32
"""How deep a formula may be nested, in its text and in its tree."""
MOST_ARGUMENTS = 16

ARGUMENTS = {
    "if": (3, 3),
    "min": (2, MOST_ARGUMENTS),
    "max": (2, MOST_ARGUMENTS),
    "round": (3, 3),
    "floor": (1, 1),
    "ceil": (1, 1),
    "abs": (1, 1),
    "clip": (3, 3),
}
"""Each function, with how few and how many arguments it takes."""

USAGE = {
    "if": "if(condition, then, else)",
    "min": "min(a, b, …)",
    "max": "max(a, b, …)",
    "round": "round(amount, 0.01 [CNY], half-up)",
    "floor": "floor(a)",
    "ceil": "ceil(a)",
    "abs": "abs(a)",
    "clip": "clip(a, lowest, highest)",
}
"""How each function is written."""

RESERVED = frozenset({"and", "or", "not", *ARGUMENTS})


def parse_tree(text: str) -> Node:
    """Return the tree of `text`; raise `FormulaError` at the first place that cannot be read."""
    parser = _Parser(tokens(text))
    tree = parser.expression(0, 0)
    parser.expect_end()
    _assert_shallow(tree)
    return tree


@dataclass(slots=True)
class _Parser:
    ahead: list[Token]
    at: int = 0

    @property
    def token(self) -> Token:
        return self.ahead[self.at]

    def expression(self, least: int, depth: int) -> Node:
        """Return what stands ahead, up to a sign that binds less tightly than `least`."""
        if depth > DEEPEST:
            raise FormulaError.at(
                self.token.position,
                f"nested more than {DEEPEST} deep; make it two charges",
            )
        left = self._prefix(least, depth)
        while (bound := self._infix()) >= max(least, 1):
            left = self._joined(left, self._take(), bound, depth)
        return left

    def expect_end(self) -> None:
        if self.token.sort is not Sort.END:
            raise FormulaError.at(self.token.position, f"{self.token} comes where {_WANTED}")

    def _infix(self) -> int:
        token = self.token
        infix = token.sort is Sort.SIGN or token.text in ("and", "or")
        return TIGHTNESS.get(token.text, 0) if infix else 0

    def _joined(self, left: Node, sign: Token, bound: int, depth: int) -> Node:
        right = self.expression(bound + 1, depth + 1)
        if sign.text in ("and", "or"):
            return Logic(sign.position, sign.text, left, right)
        if bound != TIGHTNESS["="]:
            return Arithmetic(sign.position, sign.text, left, right)
        if self._infix() == bound:
            raise FormulaError.at(
                self.token.position, "compare two at a time: write 1 < a and a < 5"
            )
        return Comparison(sign.position, sign.text, left, right)

    def _prefix(self, least: int, depth: int) -> Node:
        token = self._take()
        if token.text == "not":
            if least > TIGHTNESS["not"]:
                raise FormulaError.at(token.position, "put `not …` in parentheses here")
            return Not(token.position, self.expression(TIGHTNESS["not"], depth + 1))
        if token.text == "−":
            return Negative(token.position, self.expression(TIGHTNESS["negative"], depth + 1))
        if token.text == "(":
            inside = self.expression(0, depth + 1)
            self._close(token)
            return inside
        if token.sort is Sort.NUMBER:
            return self._literal(token)
        if token.sort is Sort.NAME and self.token.text == "(":
            return self._call(token, depth)
        if token.sort is Sort.NAME and token.text not in RESERVED:
            return self._name(token)
        if token.text in ARGUMENTS:
            raise FormulaError.at(
                token.position, f"{token.text} is a function: write {USAGE[token.text]}"
            )
        raise FormulaError.at(
            token.position, f"a number, a name or a function is missing before {token}"
        )

    def _literal(self, token: Token) -> Literal:
        value = _number(token)
        if self.token.sort is not Sort.UNIT:
            return Literal(token.position, value, None)
        unit = self._take().unit
        return Literal(token.position, value, None if unit == NUMBER else unit)

    def _name(self, token: Token) -> Name:
        if self.token.sort is Sort.UNIT:
            raise FormulaError.at(
                self.token.position,
                f"a unit follows a number, and {token} is a name; to subtract a number from a "
                "name, put spaces around the sign",
            )
        return Name(token.position, token.text)

    def _call(self, function: Token, depth: int) -> Call:
        if function.text not in ARGUMENTS:
            close = get_close_matches(function.text, ARGUMENTS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(ARGUMENTS)}"
            raise FormulaError.at(function.position, f"no function {function.text!r}; {hint}")
        opening = self._take()
        arguments: list[Node] = []
        direction: Direction | None = None
        while not arguments or self.token.text == ",":
            if arguments:
                self._take()
            if function.text == "round" and len(arguments) == ARGUMENTS["round"][0] - 1:
                direction = self._direction()
                break
            arguments.append(self.expression(0, depth + 1))
        self._close(opening)
        _assert_count(function, len(arguments) + (direction is not None))
        return Call(function.position, function.text, tuple(arguments), direction)

    def _direction(self) -> Direction:
        token = self._take()
        try:
            return Direction(token.text)
        except ValueError:
            raise FormulaError.at(
                token.position,
                f"round ends with a direction, {', '.join(Direction)}; got {token}",
            ) from None

    def _close(self, opening: Token) -> None:
        token = self._take()
        if token.text != ")":
            raise FormulaError.at(
                token.position,
                f"{token} comes where {_WANTED} or the ) of the ( at {opening.position}",
            )

    def _take(self) -> Token:
        token = self.token
        self.at = min(self.at + 1, len(self.ahead) - 1)
        return token


_WANTED = "a sign such as + or × was expected"


def _number(token: Token) -> Decimal:
    try:
        return exact(token.text)
    except ValueError as error:
        raise FormulaError.at(token.position, str(error)) from None


def _assert_count(function: Token, count: int) -> None:
    fewest, most = ARGUMENTS[function.text]
    if not fewest <= count <= most:
        raise FormulaError.at(
            function.position, f"{count} arguments of {function.text}: write {USAGE[function.text]}"
        )


def _assert_shallow(tree: Node) -> None:
    level, depth = [tree], 0
    while level:
        if depth > DEEPEST:
            raise FormulaError.at(
                level[0].position,
                f"more than {DEEPEST} steps in a row or nested; make it two charges",
            )
        level = [child for node in level for child in children(node)]
        depth += 1
