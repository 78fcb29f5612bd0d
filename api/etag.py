"""Which version of a resource somebody holds: strong entity tags of what is answered (RFC 9110).

`If-None-Match` saves the answer that is held already. `If-Match` makes a change only where the
resource still is what its caller saw, so that nobody overwrites what another has just changed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Header
from fastapi.responses import Response

from api import problems
from api.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel
    from starlette.requests import Request

TAG_LETTERS = 32
ANY = "*"
TAGS_LENGTH = 1000

HELD: dict[int | str, dict[str, Any]] = {
    304: {"description": "It still is what `If-None-Match` names."}
}
"""The OpenAPI response of a resource that is held already."""


async def _known(
    known: Annotated[
        str | None,
        Header(
            alias="If-None-Match",
            max_length=TAGS_LENGTH,
            description="The `ETag` of what you hold; 304 while it is the same.",
        ),
    ] = None,
) -> str | None:
    return known


async def _expected(
    expected: Annotated[
        str | None,
        Header(
            alias="If-Match",
            max_length=TAGS_LENGTH,
            description="The `ETag` of what you saw; 412 and no change where it has changed since.",
        ),
    ] = None,
) -> None:
    del expected  # `demand` reads it where the resource is locked


Known = Annotated[str | None, Depends(_known)]
EXPECTING = Depends(_expected)
"""What a route declares whose work calls `demand`."""


def tag_of(model: BaseModel) -> str:
    """Return the tag of a resource as it is answered."""
    return _tag(_body(model))


def answer(model: BaseModel, known: str | None, *, tag: str | None = None) -> Response:
    """Answer with `model` under its tag, or with 304 where `known` names that."""
    body = _body(model)
    tag = tag or _tag(body)
    headers = {"ETag": f'"{tag}"'}
    if known is not None and _names(known, tag, weak=True):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def answer_with_file(
    make: Callable[[], bytes],
    known: str | None,
    *,
    tag: str,
    media_type: str,
    name: str,
    language: str,
    saved: bool = False,
) -> Response:
    """Answer with the file that `make` makes, or with 304 and without making it.

    A file that is to be `saved` opens in no browser.
    """
    headers = {"ETag": f'"{tag}"'}
    if known is not None and _names(known, tag, weak=True):
        return Response(status_code=304, headers=headers)
    headers["Content-Language"] = language
    shown = "attachment" if saved else "inline"
    headers["Content-Disposition"] = f"{shown}; filename*=UTF-8''{quote(name, safe='')}"
    return Response(make(), headers=headers, media_type=media_type)


def demand(request: Request, tag: Callable[[], str | None]) -> None:
    """Raise `ProblemError` where `If-Match` was sent and names another than `tag()`.

    Call it in the transaction of the change. `tag` gives None for what does not exist.
    """
    expected = request.headers.get("if-match")
    if expected is None:
        return
    found = tag()
    if found is None or not _names(expected, found, weak=False):
        raise ProblemError(problems.CHANGED_SINCE)


def _names(header: str, tag: str, *, weak: bool) -> bool:
    """Return whether a list of tags holds `tag`. `weak`: also where it is marked as weak."""
    for entry in header.split(","):
        text = entry.strip()
        if weak:
            text = text.removeprefix("W/")
        if text in {ANY, f'"{tag}"'}:
            return True
    return False


def _tag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:TAG_LETTERS]


def _body(model: BaseModel) -> bytes:
    return model.model_dump_json(by_alias=True).encode()
