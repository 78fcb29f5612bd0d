"""The tree of a formula, and its canonical text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from billing.formula.units import Dimension
    from billing.money import Direction


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, not negative, with its unit; `unit` None for a pure number."""

    position: int
    value: Decimal
    unit: Dimension | None


@dataclass(frozen=True, slots=True)
class Name:
    """A number of the unit that is billed, such as `area` or `use.volume`."""

    position: int
    name: str


@dataclass(frozen=True, slots=True)
class Negative:
    """`−operand`."""

    position: int
    operand: Node


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left sign right` with one of `+ − × ÷`."""

    position: int
    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left sign right` with one of `< ≤ > ≥ = ≠`; a truth."""

    position: int
    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic:
    """`left and right` or `left or right`; the right is read only where the left leaves it open."""

    position: int
    word: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Not:
    """`not operand`."""

    position: int
    operand: Node


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`; `direction` is that of `round`."""

    position: int
    function: str
    arguments: tuple[Node, ...]
    direction: Direction | None = None


Node: TypeAlias = Literal | Name | Negative | Arithmetic | Comparison | Logic | Not | Call

TIGHTNESS = {
    "or": 1,
    "and": 2,
    "not": 3,
    **dict.fromkeys("<≤>≥=≠", 4),
    **dict.fromkeys("+−", 5),
    **dict.fromkeys("×÷", 6),
    "negative": 7,
    "atom": 8,
}
"""How tightly a sign binds; the parser and the canonical text both follow it."""


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes that `node` is made of, in the order of the text."""
    match node:
        case Literal() | Name():
            return ()
        case Negative(operand=operand) | Not(operand=operand):
            return (operand,)
        case Call(arguments=arguments):
            return arguments
        case Arithmetic() | Comparison() | Logic():
            return (node.left, node.right)


def walk(node: Node) -> Iterator[Node]:
    """Yield `node` and everything inside it."""
    yield node
    for child in children(node):
        yield from walk(child)


def canonical_text(node: Node) -> str:
    """Return the one way to write `node`; read again it gives the same tree."""
    return joined(node, tuple(_operand(node, at) for at in range(len(children(node)))))


def joined(node: Node, operands: tuple[str, ...]) -> str:
    """Return the text of `node` with `operands` in the places of its children."""
    match node:
        case Literal(value=value, unit=unit):
            return plain(value) if unit is None else f"{plain(value)} [{unit}]"
        case Name(name=name):
            return name
        case Negative():
            return f"−{operands[0]}"
        case Not():
            return f"not {operands[0]}"
        case Call(function=function, direction=direction):
            ending = () if direction is None else (str(direction),)
            return f"{function}({', '.join((*operands, *ending))})"
        case Logic(word=word):
            return f"{operands[0]} {word} {operands[1]}"
        case Arithmetic(sign=sign) | Comparison(sign=sign):
            return f"{operands[0]} {sign} {operands[1]}"


def _operand(node: Node, at: int) -> str:
    child = children(node)[at]
    text = canonical_text(child)
    if isinstance(node, Call):
        return text
    own, inner = tightness(node), tightness(child)
    loose = inner < own or (inner == own and (at == 1 or isinstance(node, Comparison)))
    return f"({text})" if loose else text


def tightness(node: Node) -> int:
    """Return how tightly the outermost sign of `node` binds."""
    match node:
        case Arithmetic(sign=sign) | Comparison(sign=sign):
            return TIGHTNESS[sign]
        case Logic(word=word):
            return TIGHTNESS[word]
        case Not():
            return TIGHTNESS["not"]
        case Negative():
            return TIGHTNESS["negative"]
        case Literal() | Name() | Call():
            return TIGHTNESS["atom"]
