"""A formula over columns: exact fractions in, exact fractions out, row by row independent.

`if`, `and` and `or` read only what decides: a division by zero in a branch that a row does not take
does not concern the row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from billing.formula.problem import BlockedRow, FormulaProblem
from billing.formula.ratios import Integers, Mask, Ratio, chosen, column
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
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Evaluation:
    """Evaluates over `values`, a column of `count` rows a name.

    `blocked` collects the rows that have no result and why, the first reason of each.
    """

    count: int
    values: Mapping[str, Ratio]
    blocked: dict[int, BlockedRow] = field(default_factory=dict)

    def everywhere(self) -> Mask:
        return np.ones(self.count, dtype=np.bool_)

    def number(self, node: Node, active: Mask) -> Ratio:
        """Return the number that `node` gives; right in the `active` rows."""
        match node:
            case Literal(value=value):
                top, bottom = value.as_integer_ratio()
                return Ratio(top, bottom)
            case Name(name=name):
                return self.values[name]
            case Negative(operand=operand):
                return self.number(operand, active).negative()
            case Arithmetic():
                return self._arithmetic(node, active)
            case Call(function="if"):
                return self._choice(node, active)
            case Call():
                return self._call(node, active)
            case Comparison() | Logic() | Not():
                raise TypeError(f"a condition at {node.position} where a number must be")

    def truth(self, node: Node, active: Mask) -> Mask:
        """Return whether the condition `node` holds; right in the `active` rows."""
        match node:
            case Not(operand=operand):
                return ~self.truth(operand, active)
            case Logic(word=word, left=left, right=right):
                held = self.truth(left, active)
                if word == "and":
                    return held & self.truth(right, active & held)
                return held | self.truth(right, active & ~held)
            case Comparison(sign=sign, left=left, right=right):
                order = self.number(left, active).compared(self.number(right, active))
                return np.broadcast_to(np.asarray(_holds(sign, order)), self.count)
            case _:
                raise TypeError(f"a number at {node.position} where a condition must be")

    def _arithmetic(self, node: Arithmetic, active: Mask) -> Ratio:
        left, right = self.number(node.left, active), self.number(node.right, active)
        match node.sign:
            case "+":
                return left.plus(right)
            case "−":
                return left.minus(right)
            case "×":
                return left.times(right)
            case _:
                zero = column(right.top, self.count) == 0
                self._block(node, zero & active, "it divides by 0 here; guard it with if(…)")
                return left.per(right, zero)

    def _choice(self, node: Call, active: Mask) -> Ratio:
        condition, then, otherwise = node.arguments
        held = self.truth(condition, active)
        taken, left = active & held, active & ~held
        if not left.any():
            return self.number(then, taken)
        if not taken.any():
            return self.number(otherwise, left)
        return chosen(held, self.number(then, taken), self.number(otherwise, left))

    def _call(self, node: Call, active: Mask) -> Ratio:
        first, *others = [self.number(argument, active) for argument in node.arguments]
        match node.function:
            case "min":
                return self._extreme(first, others, below=True)
            case "max":
                return self._extreme(first, others, below=False)
            case "abs":
                return first.absolute()
            case "floor":
                return first.floor()
            case "ceil":
                return first.negative().floor().negative()
            case "clip":
                return self._clip(node, first, others, active)
            case "round" if node.direction is not None:
                return first.rounded(others[0], node.direction)
            case _:
                raise TypeError(f"no function {node.function!r}")

    def _extreme(self, first: Ratio, others: list[Ratio], *, below: bool) -> Ratio:
        wanted = -1 if below else 1
        for other in others:
            other_wins = column(other.compared(first), self.count) == wanted
            first = chosen(other_wins, other, first)
        return first

    def _clip(self, node: Call, value: Ratio, bounds: list[Ratio], active: Mask) -> Ratio:
        low, high = bounds
        crossed = column(low.compared(high), self.count) > 0
        self._block(node, crossed & active, "its lowest bound is above its highest here")
        raised = self._extreme(value, [low], below=False)
        return self._extreme(raised, [high], below=True)

    def _block(self, node: Node, rows: Mask, what: str) -> None:
        for row in np.flatnonzero(rows).tolist():
            problem = FormulaProblem(node.position, what)
            self.blocked.setdefault(row, BlockedRow(row, problem))


def _holds(sign: str, order: Integers) -> Mask | bool:
    match sign:
        case "<":
            return order < 0
        case "≤":
            return order <= 0
        case ">":
            return order > 0
        case "≥":
            return order >= 0
        case "=":
            return order == 0
        case _:
            return order != 0
