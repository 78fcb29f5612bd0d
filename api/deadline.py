"""How long a call may take: its body has to come in time, and so has its answer."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request

from api import errors, problems
from api.problems import ProblemError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger(__name__)

RETRY_S = 30


class Deadline:
    """Gives up a body after `request_s` (408) and an answer after `answer_s` seconds (503).

    Work that waits in a thread is not stopped by that: it ends or fails as a whole, and a call that
    is repeated under its `Idempotency-Key` gets its answer.
    """

    def __init__(self, app: ASGIApp, *, request_s: float, answer_s: float) -> None:
        self._app = app
        self._request_s = request_s
        self._answer_s = answer_s
        self._left: set[asyncio.Future[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        until = asyncio.get_running_loop().time() + self._request_s
        started = late = False
        whole = False

        async def in_time() -> Message:
            nonlocal whole
            if whole:
                return await receive()  # waits for nothing but the end of the connection
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(
                    problems.TOO_SLOW.status, headers={"Connection": "close"}
                ) from error
            whole = not message.get("more_body", False)
            return message

        async def unless_late(message: Message) -> None:
            nonlocal started
            if not late:
                started = True
                await send(message)

        answering = asyncio.ensure_future(self._app(scope, in_time, unless_late))
        try:
            await asyncio.wait({answering}, timeout=self._answer_s)
        finally:
            if not answering.done():
                late = True
                self._leave(answering)
        if not late:
            answering.result()
        elif not started:
            error = ProblemError(
                problems.TOO_LONG, headers={"Connection": "close", "Retry-After": str(RETRY_S)}
            )
            request = Request(scope)
            await errors.answer(request, error)(scope, receive, send)

    def _leave(self, answering: asyncio.Future[None]) -> None:
        """Stop what can be stopped, and look after the rest until it ends."""
        answering.cancel()
        self._left.add(answering)
        answering.add_done_callback(self._ended)

    def _ended(self, answering: asyncio.Future[None]) -> None:
        self._left.discard(answering)
        if not answering.cancelled() and answering.exception() is not None:
            LOG.error("a call that nobody waited for failed", exc_info=answering.exception())
