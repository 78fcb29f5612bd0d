"""The product's own source, parsed: what the tests on tidiness read."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PACKAGES = ("meters", "gateway", "billing", "api", "simulators", "deploy")
FRONT_DOOR = "tallygate.py"


@dataclass(frozen=True)
class Source:
    """A file of Python: its path from the checkout's root, its lines, and its syntax tree."""

    name: str
    lines: tuple[str, ...]
    tree: ast.Module

    @classmethod
    def of(cls, name: str, text: str) -> Source:
        return cls(name, tuple(text.splitlines()), ast.parse(text, name))

    def at(self, node: ast.AST) -> str:
        """Return where `node` stands, and its first line, for a message."""
        line: int = getattr(node, "lineno", 1)
        return f"{self.name}:{line}: {self.lines[line - 1].strip()}"


def module_name(name: str) -> str:
    """Return what the file `name` is imported by."""
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def product_files() -> list[str]:
    """Return the name of every Python file of the product, in order."""
    paths = [path for package in PACKAGES for path in (CHECKOUT / package).rglob("*.py")]
    paths.extend(CHECKOUT.glob(FRONT_DOOR))
    return sorted(path.relative_to(CHECKOUT).as_posix() for path in paths)


@cache
def product() -> tuple[Source, ...]:
    """Return every Python file of the product, in order."""
    return tuple(_read(name) for name in product_files())


@cache
def sources_of_tests() -> tuple[Source, ...]:
    """Return every Python file of the tests, in order."""
    paths = sorted((CHECKOUT / "tests").rglob("*.py"))
    return tuple(_read(path.relative_to(CHECKOUT).as_posix()) for path in paths)


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Return name and text of every file of the checkout that is text and under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    found = []
    for name in sorted(filter(None, listed.stdout.split("\0"))):
        path = CHECKOUT / name
        if not path.is_file():
            continue
        content = path.read_bytes()
        if b"\0" not in content:
            found.append((name, content.decode("utf-8")))
    return tuple(found)


def _read(name: str) -> Source:
    return Source.of(name, (CHECKOUT / name).read_text("utf-8"))
