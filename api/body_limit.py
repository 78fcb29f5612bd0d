"""The largest request body: more is refused before it is read, or as soon as it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request

from api import errors, problems
from api.problems import ProblemError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Refuses bodies of more than `limit_bytes` as a problem."""

    def __init__(self, app: ASGIApp, *, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        stated = request.headers.get("content-length", "0")
        if stated.isdecimal() and int(stated) > self._limit_bytes:
            await errors.answer(request, ProblemError(problems.TOO_LARGE))(scope, receive, send)
            return
        received_bytes = 0

        async def counting() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._limit_bytes:
                raise HTTPException(problems.TOO_LARGE.status)
            return message

        await self._app(scope, counting, send)
