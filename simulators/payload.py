"""JSON payloads built from the pointers of a meter type, so that any JSON type can be simulated.

Values come as JSON texts: an exact decimal must not pass through a binary float on its way.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Node = dict[str, "Node | str"]


def document(texts: Mapping[str, str]) -> str:
    """Return the JSON document that holds each JSON text at its pointer (RFC 6901).

    Keys that count up from 0 make a list, others an object. Raises `ValueError` where one pointer
    leads through the value of another, or to the whole document.
    """
    root: Node = {}
    for pointer, text in texts.items():
        *path, last = [_unescape(token) for token in pointer.split("/")[1:]] or [""]
        node = root
        for token in path:
            below = node.setdefault(token, {})
            if isinstance(below, str):
                raise ValueError(f"{pointer} leads through a value")
            node = below
        if not pointer.startswith("/") or isinstance(node.get(last), dict):
            raise ValueError(f"{pointer!r} leads to no single value")
        node[last] = text
    return _render(root)


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _render(node: Node | str) -> str:
    if isinstance(node, str):
        return node
    indices = [str(index) for index in range(len(node))]
    if node and set(node) == set(indices):
        return "[" + ",".join(_render(node[index]) for index in indices) + "]"
    entries = (f"{json.dumps(key)}:{_render(below)}" for key, below in node.items())
    return "{" + ",".join(entries) + "}"
