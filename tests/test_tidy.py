"""Rules of style that a machine can check. The rest is left to readers.

Each rule says where it is broken and what to do. An exception is listed here with its reason, and
a listed exception that is no longer needed fails too.
"""

from __future__ import annotations

import ast
import importlib
import io
import re
import tokenize
import tomllib
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest
from float_use import Declarations, Finding, find_floats
from source_tree import (
    CHECKOUT,
    FRONT_DOOR,
    PACKAGES,
    Source,
    module_name,
    product,
    product_files,
    sources_of_tests,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE_LINES = 400
FUNCTION_LINES = 50

EXACT = ("billing/*", "meters/*")
"""Where quantities and money are computed: no float."""

FLOATS_WITH_A_REASON: dict[tuple[str, str], str] = {}
"""(file, code) → why a float is right there."""

CLOCK_EDGES = {
    "*commands.py": "a command begins work, and says when",
    "billing/commands/*": "the same",
    "api/resources.py": "a request begins work, and says when",
    "deploy/demo/*": "the demo begins work, and says when",
    "gateway/run.py": "the gateway reads meters now",
}
"""Files that may read the clock. Everything else takes `now` as an argument."""

TERMINAL_EDGES = ("*commands.py", "billing/commands/*", "deploy/*", "tallygate.py")
"""Files that may write to the terminal. Everything else returns values, or logs."""

LONG_BY_NATURE = {"*/migrations/versions/*": "a migration is one flat list of columns"}
"""Which files and functions may be long, and why."""

LOOSE_FOLDERS = ("*/migrations/versions",)
"""Folders of Python that are no packages: Alembic reads the scripts as files."""

SHAPELESS = frozenset({"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"})
SHAPELESS_CLASS = re.compile(r"(Manager|Service|Helper|Utils?)$")

WRITERS = frozenset({"click.echo", "click.secho", "print", "rich.print", "sys.stdout.write"})

RUN_BY_OTHERS = ("*/migrations/env.py", "*/migrations/versions/*")
"""Files that are no modules: Alembic runs them inside a migration."""

REASON_WORDS = 2
README_WORDS = 40

ELSEWHERE = re.compile(
    r"(?<![\w.~-])/(work|root|home)/"  # folders of one machine
    r"|\b(pypi|pythonhosted)\.org\b|\bdebian\.org\b"  # registries: the installer knows its own
)


def report(broken: list[str], rule: str) -> None:
    assert not broken, f"{rule}\n" + "\n".join(broken)


def in_any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def words_of(comment: str) -> list[str]:
    """Return the words of `comment` that are not the switch of a tool."""
    prose = re.sub(
        r"noqa(:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*)?|type:\s*ignore(\[[\w, -]*\])?", "", comment
    )
    return re.findall(r"\w{2,}", prose)


def comments(source: Source) -> Iterator[tuple[int, str]]:
    """Yield line and text of each comment."""
    lines = io.StringIO("\n".join(source.lines) + "\n")
    for token in tokenize.generate_tokens(lines.readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines `function` has, its docstring apart: text for readers may be long."""
    first = function.body[0]
    has_docstring = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_quantities_and_money_are_never_floats() -> None:
    declared = Declarations.of(product())
    found = [
        finding
        for source in product()
        if in_any(source.name, EXACT)
        for finding in find_floats(source, declared)
    ]
    unexcused = [str(each) for each in found if code_of(each) not in FLOATS_WITH_A_REASON]
    report(unexcused, "floats where numbers must be exact:")
    stale = set(FLOATS_WITH_A_REASON) - {code_of(finding) for finding in found}
    report([str(each) for each in stale], "exceptions that nothing needs any more; remove them:")


def code_of(finding: Finding) -> tuple[str, str]:
    line = finding.source.lines[getattr(finding.node, "lineno", 1) - 1]
    return finding.source.name, line.partition("#")[0].strip()


def test_the_clock_is_read_at_the_edges_only() -> None:
    broken = [
        source.at(node)
        for source in product()
        if not in_any(source.name, CLOCK_EDGES)
        for node in ast.walk(source.tree)
        if reads_clock(node)
    ]
    report(broken, "the clock is read in the core; take `now` as an argument:")


def reads_clock(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(
            value=ast.Name(id="datetime" | "date") | ast.Attribute(attr="datetime" | "date"),
            attr="now" | "utcnow" | "today",
        ):
            return True
        case ast.Attribute(value=ast.Name(id="time"), attr="time" | "time_ns" | "localtime"):
            return True
    return False


def test_only_the_edges_write_to_the_terminal() -> None:
    broken = [
        source.at(node)
        for source in product()
        if not in_any(source.name, TERMINAL_EDGES)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in WRITERS
    ]
    report(broken, "output outside a command; return the value, or log it:")


def test_modules_and_classes_are_named_for_what_they_hold() -> None:
    modules = [
        source.name
        for source in product()
        if SHAPELESS & set(module_name(source.name).rpartition(".")[2].split("_"))
    ]
    classes = [
        source.at(node)
        for source in product()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and SHAPELESS_CLASS.search(node.name)
    ]
    report(modules + classes, "name it for a noun of the field (see the words in README.md):")


def test_files_stay_readable() -> None:
    broken = [
        f"{source.name}: {len(source.lines)} lines"
        for source in product()
        if len(source.lines) > FILE_LINES and not in_any(source.name, LONG_BY_NATURE)
    ]
    report(broken, f"over {FILE_LINES} lines; split along the field, not into parts 1 and 2:")


def test_functions_stay_readable() -> None:
    broken = [
        f"{source.at(function)} {length(function)} lines"
        for source in product()
        if not in_any(source.name, LONG_BY_NATURE)
        for function in functions(source)
        if length(function) > FUNCTION_LINES
    ]
    report(broken, f"over {FUNCTION_LINES} lines without the docstring; name its steps:")


def test_a_broad_except_states_its_reason() -> None:
    broken = []
    for source in (*product(), *sources_of_tests()):
        said = dict(comments(source))
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ExceptHandler) and is_broad(node) and not goes_on(node):
                reason = said.get(node.lineno, "") + said.get(node.lineno + 1, "")
                if len(words_of(reason)) < REASON_WORDS:
                    broken.append(source.at(node))
    report(broken, "catch named exceptions, or say there why everything is caught:")


def goes_on(handler: ast.ExceptHandler) -> bool:
    """Return whether `handler` only cleans up: what it caught goes on."""
    return ast.unparse(handler.body[-1]) == "raise"


def is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        each is None or (isinstance(each, ast.Name) and each.id in ("Exception", "BaseException"))
        for each in caught
    )


def test_a_silenced_check_states_its_reason() -> None:
    broken = [
        f"{source.name}:{line}: {comment}"
        for source in (*product(), *sources_of_tests())
        for line, comment in comments(source)
        if re.match(r"#\s*(noqa|type:\s*ignore)", comment)
        if len(words_of(comment)) < REASON_WORDS
    ]
    report(broken, "say beside it why the check is wrong here (`# noqa: X - because …`):")


@pytest.mark.parametrize("folder", [*PACKAGES, "tests"])
def test_each_folder_says_what_it_owns(folder: str) -> None:
    readme = CHECKOUT / folder / "README.md"
    assert readme.exists(), f"{folder}/README.md: say what is owned here, what is not, what holds"
    assert len(readme.read_text("utf-8").split()) >= README_WORDS, f"{readme.name} says too little"


def test_no_file_names_a_place_that_only_one_machine_has() -> None:
    broken = [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if ELSEWHERE.search(line)
    ]
    report(broken, "paths of one machine or addresses of package registries:")


def test_packages_are_what_the_wheel_holds() -> None:
    pyproject = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    wheel = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert sorted(wheel["only-include"]) == sorted((*PACKAGES, FRONT_DOOR))
    folders = {name.rpartition("/")[0] for name in product_files()} - {""}
    broken = [
        folder
        for folder in sorted(folders)
        if not in_any(folder, LOOSE_FOLDERS) and not (CHECKOUT / folder / "__init__.py").exists()
    ]
    report(broken, "folders of Python without __init__.py; add it, or list the folder:")


def test_tests_are_no_packages() -> None:
    broken = [source.name for source in sources_of_tests() if source.name.endswith("__init__.py")]
    report(broken, "a tests/billing package would shadow billing; remove:")


@pytest.mark.parametrize(
    "name", [name for name in product_files() if not in_any(name, RUN_BY_OTHERS)]
)
def test_every_module_can_be_imported(name: str) -> None:
    importlib.import_module(module_name(name))
