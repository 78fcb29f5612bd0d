"""JSON payloads built from the pointers of a meter type, so that any JSON type can be simulated.

Values come as JSON texts: an exact decimal must not pass through a binary float on its way.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Node = dict[str, "Node | str"]

_MARK = "\0"
"""Stands around a pointer in a form; JSON text never holds it, since NUL is escaped there."""


class PayloadForm:
    """The form of a JSON document that holds a value at each of `pointers` (RFC 6901).

    Keys that count up from 0 make a list, others an object. Raises `ValueError` where a pointer
    leads through the place of another, or to the whole document.
    """

    def __init__(self, pointers: Iterable[str]) -> None:
        root: Node = {}
        for pointer in pointers:
            _place(root, pointer)
        # literal text and pointers take turns, literal text first and last
        pieces = "".join(_render(root)).split(_MARK)
        self._literals, self._pointers = pieces[::2], pieces[1::2]

    def fill(self, texts: Mapping[str, str]) -> str:
        """Return the document with the JSON text of each pointer in its place."""
        filled = [self._literals[0]]
        for pointer, literal in zip(self._pointers, self._literals[1:], strict=True):
            filled += texts[pointer], literal
        return "".join(filled)


def _place(root: Node, pointer: str) -> None:
    *path, last = [_unescape(token) for token in pointer.split("/")[1:]] or [""]
    node = root
    for token in path:
        below = node.setdefault(token, {})
        if isinstance(below, str):
            raise ValueError(f"{pointer} leads through a value")
        node = below
    if not pointer.startswith("/") or last in node:
        raise ValueError(f"{pointer!r} has no place of its own")
    node[last] = f"{_MARK}{pointer}{_MARK}"


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _render(node: Node | str) -> Iterator[str]:
    if isinstance(node, str):
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
