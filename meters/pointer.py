"""JSON pointers (RFC 6901): `/rx/0/total_m3`."""

from __future__ import annotations

from typing import Any


class PointerError(LookupError):
    """A pointer leads nowhere in this document."""


def resolve(document: Any, pointer: str) -> Any:
    """Return what `pointer` points to in `document`; raise `PointerError` where nothing is."""
    if pointer and not pointer.startswith("/"):
        raise PointerError(f"{pointer!r} is not a JSON pointer; it must start with '/'")
    found = document
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise PointerError(f"{pointer} is not in the payload")
    return found
