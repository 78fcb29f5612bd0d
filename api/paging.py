"""Pages of a list: a cursor says where the page before ended, so that nothing shifts in between."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

from api import problems
from api.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Item = TypeVar("Item")
Row = TypeVar("Row")

DEFAULT_LIMIT = 50
MAX_LIMIT = 500

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="The most items that one page holds.")]
Cursor = Annotated[
    str | None,
    Query(max_length=200, description="`next_cursor` of the page before; leave it out to begin."),
]


class Page(BaseModel, Generic[Item]):
    """One page of a list, and where the next one begins: null after the last."""

    items: list[Item]
    next_cursor: str | None = None


def read_cursor(cursor: str | None, parts: int) -> tuple[str, ...] | None:
    """Return the `parts` texts that a cursor holds; raise `ProblemError` for a foreign one."""
    if cursor is None:
        return None
    try:
        held = json.loads(base64.urlsafe_b64decode(cursor.encode() + b"=="))
    except (binascii.Error, ValueError) as error:
        raise ProblemError(problems.INVALID_CURSOR) from error
    if (
        not isinstance(held, list)
        or len(held) != parts
        or not all(isinstance(part, str) for part in held)
    ):
        raise ProblemError(problems.INVALID_CURSOR)
    return tuple(held)


def read_number_cursor(cursor: str | None) -> int | None:
    """Return the number that a cursor of one part holds."""
    held = read_cursor(cursor, 1)
    if held is None:
        return None
    if not held[0].isdecimal() or len(held[0]) > 18:
        raise ProblemError(problems.INVALID_CURSOR)
    return int(held[0])


def write_cursor(parts: Sequence[str]) -> str:
    """Return the cursor that holds `parts`."""
    text = json.dumps(list(parts), separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def paged(
    rows: Sequence[Row],
    limit: int,
    *,
    key: Callable[[Row], Sequence[str]],
    shown: Callable[[Row], Item],
) -> Page[Item]:
    """Return a page of at most `limit` of `rows`, which were asked for with `limit + 1`."""
    page = rows[:limit]
    more = len(rows) > limit
    return Page(
        items=[shown(row) for row in page],
        next_cursor=write_cursor(key(page[-1])) if more else None,
    )
