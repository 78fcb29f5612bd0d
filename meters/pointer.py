"""JSON pointers (RFC 6901): `/rx/0/total_m3`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_INDEX = re.compile("0|[1-9][0-9]{0,8}")


class PointerError(LookupError):
    """A pointer leads nowhere in this document."""


def resolve(document: Any, pointer: str) -> Any:
    """Return what `pointer` points to in `document`; raise `PointerError` where nothing is."""
    found = document
    for key in _keys(pointer):
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and _INDEX.fullmatch(key) and int(key) < len(found):
            found = found[int(key)]
        else:
            raise PointerError(f"{pointer} is not in the payload")
    return found


@lru_cache(maxsize=4096)  # a type's pointers are resolved in every payload
def _keys(pointer: str) -> tuple[str, ...]:
    if pointer and not pointer.startswith("/"):
        raise PointerError(f"{pointer!r} is not a JSON pointer; it must start with '/'")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
