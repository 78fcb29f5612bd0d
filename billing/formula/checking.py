"""Whether a formula makes sense: each name known, each unit where it belongs.

Units multiply and divide; sums, comparisons and choices want the same unit on both sides. A bare 0
fits every unit, since nothing of anything is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from billing.formula.problem import FormulaProblem
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
)
from billing.formula.units import NUMBER, Dimension
from billing.formula.vocabulary import UnknownNameError

if TYPE_CHECKING:
    from decimal import Decimal

    from billing.formula.vocabulary import Vocabulary


class Special(Enum):
    """What has no unit of its own."""

    TRUTH = "a condition"
    ZERO = "0, in any unit"
    UNKNOWN = "unknown, since a problem was found inside"


Nature: TypeAlias = Dimension | Special
"""What a part of a formula gives: a number in a unit, or something special."""


def problems_of(tree: Node, vocabulary: Vocabulary, result: Dimension) -> list[FormulaProblem]:
    """Return everything that is wrong with `tree`, which is to give `result`; in text order."""
    checker = _Checker(vocabulary)
    nature = checker.nature(tree)
    if nature is Special.TRUTH:
        checker.report(tree, f"the result is a condition; write if(…, a, b) to get {result}")
    elif isinstance(nature, Dimension) and nature != result:
        checker.report(
            tree,
            f"the result is in {_said(nature)}, and {result} is wanted; give numbers their unit, "
            f"such as 0.35 [{result.per(nature)}]",
        )
    return sorted(checker.problems, key=lambda problem: problem.position)


def nature_of(node: Node, vocabulary: Vocabulary) -> Nature:
    """Return what `node` gives."""
    return _Checker(vocabulary).nature(node)


@dataclass(slots=True)
class _Checker:
    vocabulary: Vocabulary
    problems: list[FormulaProblem] = field(default_factory=list)

    def report(self, node: Node, what: str) -> Special:
        self.problems.append(FormulaProblem(node.position, what))
        return Special.UNKNOWN

    def nature(self, node: Node) -> Nature:
        match node:
            case Literal(value=value, unit=unit):
                return Special.ZERO if unit is None and value == 0 else unit or NUMBER
            case Name():
                return self._name(node)
            case Negative(operand=operand):
                return self._number(operand)
            case Not() | Logic():
                return self._conditions(*children(node))
            case Comparison(left=left, right=right):
                self._same(node, left, right)
                return Special.TRUTH
            case Arithmetic(sign="+" | "−", left=left, right=right):
                return self._same(node, left, right)
            case Arithmetic():
                return self._product(node)
            case Call():
                return self._call(node)

    def _name(self, node: Name) -> Nature:
        try:
            return self.vocabulary.variable(node.name).unit
        except UnknownNameError as error:
            return self.report(node, str(error))

    def _number(self, node: Node) -> Nature:
        nature = self.nature(node)
        if nature is Special.TRUTH:
            return self.report(node, "a number is wanted here, and this is a condition")
        return nature

    def _conditions(self, *nodes: Node) -> Nature:
        for node in nodes:
            if self.nature(node) not in (Special.TRUTH, Special.UNKNOWN):
                self.report(node, "a condition is wanted here, such as persons > 4")
        return Special.TRUTH

    def _same(self, node: Node, *operands: Node) -> Nature:
        """Return the unit that all `operands` have; report where there is more than one."""
        natures = [self._number(operand) for operand in operands]
        units = list(dict.fromkeys(each for each in natures if isinstance(each, Dimension)))
        if len(units) > 1:
            return self.report(
                node, f"{_said(units[0])} and {_said(units[1])} do not go together here"
            )
        if Special.UNKNOWN in natures:
            return Special.UNKNOWN
        return units[0] if units else Special.ZERO

    def _product(self, node: Arithmetic) -> Nature:
        left, right = self._number(node.left), self._number(node.right)
        if node.sign == "÷" and _is_zero(node.right):
            return self.report(node, "this divides by 0")
        if Special.UNKNOWN in (left, right):
            return Special.UNKNOWN
        left_unit, right_unit = (
            each if isinstance(each, Dimension) else NUMBER for each in (left, right)
        )
        return left_unit.times(right_unit) if node.sign == "×" else left_unit.per(right_unit)

    def _call(self, node: Call) -> Nature:
        match node.function:
            case "if":
                self._conditions(node.arguments[0])
                return self._same(node, *node.arguments[1:])
            case "round":
                amount, unit = node.arguments
                if not isinstance(unit, Literal) or unit.value == 0:
                    self._number(amount)
                    return self.report(unit, "round to a number above 0, such as 0.01 [CNY]")
            case "clip":
                self._clip_bounds(node)
        return self._same(node, *node.arguments)

    def _clip_bounds(self, node: Call) -> None:
        _, low, high = node.arguments
        lowest, highest = _constant(low), _constant(high)
        if lowest is not None and highest is not None and lowest > highest:
            self.report(low, f"clips between {lowest:f} and {highest:f}; write the lower one first")


def _constant(node: Node) -> Decimal | None:
    match node:
        case Literal(value=value):
            return value
        case Negative(operand=Literal(value=value)):
            return -value
    return None


def _is_zero(node: Node) -> bool:
    return _constant(node) == 0


def _said(unit: Dimension) -> str:
    return "a pure number" if unit == NUMBER else str(unit)
