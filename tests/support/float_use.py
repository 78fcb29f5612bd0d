"""Finds floats in source that must be exact: where they enter, and where `/` makes them.

A duration is not a quantity: names that end in `_s` (seconds) may be floats.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from source_tree import Source

EXACT_DIVISION = frozenset({"Decimal", "Exact", "Fraction", "Path", "Traversable"})
"""Types whose `/` is no float division: exact numbers, and paths."""

FLOAT_TYPES = frozenset(
    {"float", "float16", "float32", "float64", "floating", "Float", "Double", "REAL"}
)
"""Names by which Python, numpy and SQLAlchemy call binary fractions."""

FLOAT_RESULTS = {
    "timestamp": "int(moment.timestamp()) is exact",
    "total_seconds": "`length // timedelta(seconds=1)` is exact",
    "true_divide": "divide integers with //",
}
"""Methods and functions that return floats, and what to write instead."""

EXACT_MATH = frozenset({"ceil", "comb", "floor", "gcd", "isqrt", "lcm", "prod"})


@dataclass(frozen=True)
class Finding:
    """A float in source: where, and what to write instead."""

    source: Source
    node: ast.AST
    advice: str

    def __str__(self) -> str:
        return f"{self.source.at(self.node)}\n    {self.advice}"


@dataclass
class Declarations:
    """What the product declares: the types of attributes and of functions' results, by name."""

    attributes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    results: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, sources: Iterable[Source]) -> Declarations:
        declared = cls()
        for source in sources:
            for node in ast.walk(source.tree):
                match node:
                    case ast.ClassDef():
                        declared._add_class(node)
                    case ast.FunctionDef(returns=ast.expr() as returns):
                        declared.results[node.name].update(_type_names(returns))
                    case ast.AnnAssign(target=ast.Name(id=name)) if name.isupper():
                        declared.attributes[name].update(_type_names(node.annotation))
        return declared

    def _add_class(self, node: ast.ClassDef) -> None:
        for member in node.body:
            match member:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                    self.attributes[name].update(_type_names(annotation))
                case ast.FunctionDef(
                    name=name,
                    returns=ast.expr() as returns,
                    decorator_list=[ast.Name("property" | "cached_property")],
                ):
                    self.attributes[name].update(_type_names(returns))


def find_floats(source: Source, declared: Declarations) -> Iterator[Finding]:
    """Yield every use of floats in `source`."""
    for scope, nodes in _scopes(source.tree):
        exact = _exact_names(scope, nodes, declared)
        for node in nodes:
            advice = _advice(node, exact, declared)
            if advice is not None:
                yield Finding(source, node, advice)


def _advice(node: ast.AST, exact: set[str], declared: Declarations) -> str | None:
    """Return what to write instead of `node`, None where it is no float."""
    match node:
        case ast.Constant(value=float()) if not _is_duration(node):
            return 'a float literal: write Decimal("…"), or a whole number'
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in FLOAT_TYPES:
            if not _is_duration(node):
                return f"{name}: quantities and money are Decimal or scaled integers"
        case ast.Attribute(value=ast.Name("math"), attr=name) if name not in EXACT_MATH:
            return f"math.{name} makes a float: Decimal has its own methods"
        case ast.Attribute(attr=name) if name in FLOAT_RESULTS and not _is_made_whole(node):
            return f"{name} makes a float: {FLOAT_RESULTS[name]}"
        case ast.Call(func=ast.Attribute(value=ast.Name("json"), attr="load" | "loads")):
            if all(keyword.arg != "parse_float" for keyword in node.keywords):
                return "JSON's decimals become floats: pass parse_float=Decimal"
        case ast.BinOp(op=ast.Div()) if not _is_exact(node, exact, declared):
            return (
                "`/` of unknown types may make a float: annotate a Decimal, or use // on integers"
            )
        case ast.AugAssign(op=ast.Div()) if not _is_exact(node.target, exact, declared):
            return "`/=` of unknown types may make a float: annotate a Decimal, or use //="
    return None


def _scopes(tree: ast.Module) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
    """Yield the module and each function with the nodes that are theirs and no inner one's."""
    _link_parents(tree)
    pending: list[ast.AST] = [tree]
    while pending:
        scope = pending.pop()
        nodes: list[ast.AST] = []
        inside = list(ast.iter_child_nodes(scope))
        while inside:
            node = inside.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                pending.append(node)
            else:
                nodes.append(node)
                inside.extend(ast.iter_child_nodes(node))
        yield scope, nodes


def _link_parents(tree: ast.Module) -> None:
    for parent in ast.walk(tree):
        for child in ast.iter_child_nodes(parent):
            child.parent = parent  # type: ignore[attr-defined] # ast nodes take attributes


def _ancestors(node: ast.AST) -> Iterator[ast.AST]:
    while (parent := getattr(node, "parent", None)) is not None:
        yield parent
        node = parent


def _is_duration(node: ast.AST) -> bool:
    """Return whether `node` is the type, default or value of a name that ends in `_s`."""
    for ancestor in _ancestors(node):
        match ancestor:
            case (
                ast.arg(arg=str(name))
                | ast.keyword(arg=str(name))
                | ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name))
                | ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)])
                | ast.FunctionDef(name=name)
            ):
                return name.lower().endswith("_s")
            case ast.arguments():
                return _is_duration_default(node, ancestor)
            case ast.stmt():
                return False
    return False


def _is_duration_default(node: ast.AST, arguments: ast.arguments) -> bool:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = arguments.defaults
    paired = [
        *zip(positional[len(positional) - len(defaults) :], defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return any(default is node and argument.arg.endswith("_s") for argument, default in paired)


def _is_made_whole(node: ast.Attribute) -> bool:
    """Return whether the call of `node` stands directly in `int(…)`."""
    ancestors = _ancestors(node)
    next(ancestors, None)
    match next(ancestors, None):
        case ast.Call(func=ast.Name("int")):
            return True
    return False


def _type_names(annotation: ast.expr) -> set[str]:
    """Return the types that `annotation` is a union of, by their last name; without None."""
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type_names(left) | _type_names(right)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return {name}
        case ast.Constant(value=None):
            return set()
        case ast.Constant(value=str(text)):
            return _type_names(ast.parse(text, mode="eval").body)
    return {ast.dump(annotation)}


def _is_exact_type(names: set[str]) -> bool:
    return bool(names) and names <= EXACT_DIVISION


def _exact_names(scope: ast.AST, nodes: list[ast.AST], declared: Declarations) -> set[str]:
    """Return the names that are evidently of an exact type in `scope`."""
    exact: set[str] = set()
    if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)):
        arguments = scope.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if argument.annotation and _is_exact_type(_type_names(argument.annotation)):
                exact.add(argument.arg)
    while True:
        found = {name for node in nodes for name in _assigned_exactly(node, exact, declared)}
        if found <= exact:
            return exact
        exact |= found


def _assigned_exactly(node: ast.AST, exact: set[str], declared: Declarations) -> Iterator[str]:
    match node:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
            if _is_exact_type(_type_names(annotation)):
                yield name
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=value)
            | ast.NamedExpr(target=ast.Name(id=name), value=value)
        ) if _is_exact(value, exact, declared):
            yield name


def _is_exact(node: ast.expr, exact: set[str], declared: Declarations) -> bool:
    """Return whether `node` is evidently exact. One exact operand makes its operation so."""
    match node:
        case ast.Name(id=name):
            return name in exact or _is_exact_type(declared.attributes.get(name, set()))
        case ast.Attribute(attr=name):
            return _is_exact_type(declared.attributes.get(name, set()))
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in EXACT_DIVISION or _is_exact_type(declared.results.get(name, set()))
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            is_path = isinstance(right, ast.JoinedStr) or (
                isinstance(right, ast.Constant) and isinstance(right.value, str)
            )
            return is_path or any(_is_exact(side, exact, declared) for side in (left, right))
        case ast.BinOp(left=left, right=right):
            return any(_is_exact(side, exact, declared) for side in (left, right))
        case ast.UnaryOp(operand=operand):
            return _is_exact(operand, exact, declared)
        case ast.IfExp(body=body, orelse=other):
            return _is_exact(body, exact, declared) and _is_exact(other, exact, declared)
    return False
