"""How a formula came to its result for one unit: the numbers put in, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from billing.formula.checking import nature_of
from billing.formula.ratios import column
from billing.formula.tree import (
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
    joined,
)
from billing.formula.units import NUMBER, Dimension

if TYPE_CHECKING:
    from billing.formula.evaluating import Evaluation
    from billing.formula.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Step:
    """One computation: what was computed, of numbers alone, and what it gave."""

    text: str
    result: str

    def __str__(self) -> str:
        return f"{self.text} = {self.result}"


def fraction_text(value: Fraction) -> str:
    """Return `value` as a decimal where it ends, else as `numerator/denominator`."""
    rest = value.denominator
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    whole, decimals = divmod(abs(value.numerator) * 10**places // value.denominator, 10**places)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{decimals:0{places}}" if places else f"{sign}{whole}"


@dataclass(slots=True)
class Walk:
    """Goes through a tree for one row, and writes down each step that counts."""

    evaluation: Evaluation
    vocabulary: Vocabulary
    steps: list[Step] = field(default_factory=list)

    def shown(self, node: Node) -> str:
        """Return what `node` gives, as text, after the steps that lead to it."""
        match node:
            case Literal() | Name():
                return self._result(node)
            case Call(function="if", arguments=(condition, then, otherwise)):
                return self.shown(then if self.shown(condition) == "true" else otherwise)
            case Logic(word=word, left=left, right=right):
                held = self.shown(left)
                open_still = held == ("true" if word == "and" else "false")
                return self.shown(right) if open_still else held
            case Negative() | Not() | Arithmetic() | Comparison() | Call():
                operands = tuple(self._operand(child) for child in children(node))
                result = self._result(node)
                if not isinstance(node, (Negative, Not)):
                    self.steps.append(Step(joined(node, operands), result))
                return result

    def _operand(self, node: Node) -> str:
        text = self.shown(node)
        return f"({text})" if text.startswith("-") else text

    def _result(self, node: Node) -> str:
        if isinstance(node, (Comparison, Logic, Not)):
            held = self.evaluation.truth(node, self.evaluation.everywhere())
            return "true" if held[0] else "false"
        ratio = self.evaluation.number(node, self.evaluation.everywhere())
        value = Fraction(int(column(ratio.top, 1)[0]), int(column(ratio.bottom, 1)[0]))
        unit = nature_of(node, self.vocabulary)
        stated = f" {unit}" if isinstance(unit, Dimension) and unit != NUMBER else ""
        return f"{fraction_text(value)}{stated}"
