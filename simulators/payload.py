"""JSON payloads built from the pointers of a meter type, so that any JSON type can be simulated.

Values come as JSON texts: an exact decimal must not pass through a binary float on its way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class _Blank:
    """Where the value of `pointer` is to stand."""

    pointer: str


Node = dict[str, "Node | _Blank"]


class PayloadForm:
    """The form of a JSON document that holds a value at each of `pointers` (RFC 6901).

    Keys that count up from 0 make a list, others an object. Raises `ValueError` where a pointer
    leads through the place of another, or to the whole document.
    """

    def __init__(self, pointers: Iterable[str]) -> None:
        root: Node = {}
        for pointer in pointers:
            _place(root, pointer)
        # each blank with the literal text before it, then the text after the last
        self._blanks: list[tuple[str, str]] = []
        literal = ""
        for piece in _render(root):
            if isinstance(piece, _Blank):
                self._blanks.append((literal, piece.pointer))
                literal = ""
            else:
                literal += piece
        self._end = literal

    def fill(self, texts: Mapping[str, str]) -> str:
        """Return the document with the JSON text of each pointer in its place."""
        filled = [literal + texts[pointer] for literal, pointer in self._blanks]
        return "".join(filled) + self._end


def _place(root: Node, pointer: str) -> None:
    *path, last = [_unescape(token) for token in pointer.split("/")[1:]] or [""]
    node = root
    for token in path:
        below = node.setdefault(token, {})
        if isinstance(below, _Blank):
            raise ValueError(f"{pointer} leads through a value")
        node = below
    if not pointer.startswith("/") or last in node:
        raise ValueError(f"{pointer!r} has no place of its own")
    node[last] = _Blank(pointer)


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _render(node: Node | _Blank) -> Iterator[str | _Blank]:
    if isinstance(node, _Blank):
        yield node
        return
    indices = [str(index) for index in range(len(node))]
    is_list = set(node) == set(indices)
    yield "[" if is_list else "{"
    for place, key in enumerate(indices if is_list else node):
        yield "," if place else ""
        yield "" if is_list else f"{json.dumps(key)}:"
        yield from _render(node[key])
    yield "]" if is_list else "}"
