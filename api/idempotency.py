"""Calls that happen once: the same `Idempotency-Key` gets the same answer, however often it comes.

The answer is kept in the transaction of its effect, so there is no moment at which one exists
without the other. A call that fails changes nothing and keeps nothing; it may be repeated.

A call that comes while the first of its key is worked on is told so (409). Where another process
works on it, SQLite has the second wait, as for every writer, and then it gets the first's answer.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import anyio.to_thread
from fastapi import Header
from fastapi.responses import JSONResponse, Response

from api import problems
from api.problems import ProblemError
from api.resources import of
from api.store import answers
from billing.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel
    from sqlalchemy import Connection
    from starlette.requests import Request

    from api.principal import Principal

KEPT = timedelta(days=30)
CUT_OFF = timedelta(minutes=10)
"""So long a call that works in several transactions is waited for."""
AT_ONCE_S, LONG_S = 1, 5
"""After how long a call in progress may be asked for again: in one transaction, or in several."""
REPLAYED = "Idempotency-Replayed"

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=200,
        description="Your own unique text for this call, such as a UUID. Send the same one when "
        "you repeat the call; the first answer is kept for 30 days.",
        examples=["5a1f1c5e-6b0e-4d3f-9b55-0f6c2f1d9e10"],
    ),
]


class JoinedDatabase(Database):
    """The database inside a transaction that is open: what works on it joins that transaction."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self.url = database.url
        self.engine = database.engine
        self._connection = connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._connection.begin_nested():
            yield self._connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        yield self._connection


async def once(
    request: Request,
    principal: Principal,
    key: str | None,
    work: Callable[[Database], tuple[int, BaseModel]],
) -> Response:
    """Do `work` once and answer with its status and model; a repeated call gets the kept answer."""
    call = await _Call.of(request, principal, key)
    with call.alone():
        return await anyio.to_thread.run_sync(call.joined, work)


async def repeatable(
    request: Request,
    principal: Principal,
    key: str | None,
    work: Callable[[Database], tuple[int, BaseModel]],
) -> Response:
    """As `once`, for work in several transactions that comes to the same when it is done again.

    While it is worked on, the same call is told so; one that was cut off may be repeated after
    `CUT_OFF`.
    """
    call = await _Call.of(request, principal, key)
    return await anyio.to_thread.run_sync(call.apart, work)


class _Call:
    """One call under its key."""

    def __init__(self, request: Request, principal: Principal, key: str, fingerprint: str) -> None:
        self._resources = of(request)
        self._principal = principal.caller
        self._key = key
        self._fingerprint = fingerprint

    @classmethod
    async def of(cls, request: Request, principal: Principal, key: str | None) -> _Call:
        if key is None:
            raise ProblemError(problems.KEY_MISSING)
        text = f"{request.method}\n{request.url.path}\n".encode() + await request.body()
        return cls(request, principal, key, hashlib.sha256(text).hexdigest())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Refuse a call of this key that comes to this process within the block.

        Raises `ProblemError`: `still-working`, or `key-reused` for another request.
        """
        under_way, named = self._resources.under_way, (self._principal, self._key)
        if named in under_way:
            raise self._busy(under_way[named], AT_ONCE_S)
        under_way[named] = self._fingerprint
        try:
            yield
        finally:
            del under_way[named]

    def joined(self, work: Callable[[Database], tuple[int, BaseModel]]) -> Response:
        database = self._resources.database
        with database.transaction() as connection:
            if not answers.is_mine(connection, principal=self._principal, key=self._key):
                raise ProblemError(problems.STILL_WORKING, headers=_again_after(AT_ONCE_S))
            kept = self._claim(connection)
            if kept is not None:
                return self._replay(kept)
            return self._keep(connection, *work(JoinedDatabase(database, connection)))

    def apart(self, work: Callable[[Database], tuple[int, BaseModel]]) -> Response:
        database = self._resources.database
        long_ago = self._resources.now() - CUT_OFF
        with database.transaction() as connection:
            answers.drop(connection, principal=self._principal, key=self._key, before=long_ago)
            kept = self._claim(connection)
        if kept is not None:
            return self._replay(kept)
        try:
            status, model = work(database)
        except BaseException:
            with database.transaction() as connection:
                answers.drop(connection, principal=self._principal, key=self._key)
            raise
        with database.transaction() as connection:
            return self._keep(connection, status, model)

    def _claim(self, connection: Connection) -> answers.Kept | None:
        now = self._resources.now()
        answers.forget(connection, before=now - KEPT)
        return answers.claim(
            connection,
            principal=self._principal,
            key=self._key,
            fingerprint=self._fingerprint,
            now=now,
        )

    def _keep(self, connection: Connection, status: int, model: BaseModel) -> Response:
        document: dict[str, Any] = model.model_dump(mode="json")
        body = json.dumps(document, ensure_ascii=False)
        seal = self._resources.seal
        if seal.is_there:  # an answer may hold a secret that is told once
            body = seal.close(body.encode(), self._whose)
        answers.keep(connection, principal=self._principal, key=self._key, status=status, body=body)
        return JSONResponse(document, status)

    def _replay(self, kept: answers.Kept) -> Response:
        if kept.status == 0 or kept.fingerprint != self._fingerprint:
            raise self._busy(kept.fingerprint, LONG_S)
        return JSONResponse(
            json.loads(self._opened(kept.body)), kept.status, headers={REPLAYED: "true"}
        )

    @property
    def _whose(self) -> str:
        return answers.whose(self._principal, self._key)

    def _opened(self, body: str) -> str | bytes:
        """Return a kept body as JSON; raise `SealError` where its key is gone."""
        is_clear = body.startswith("{")
        return body if is_clear else self._resources.seal.open(body, self._whose)

    def _busy(self, fingerprint: str, retry_s: int) -> ProblemError:
        """Return why this call is not made while, or after, that of `fingerprint` is."""
        if fingerprint != self._fingerprint:
            return ProblemError(problems.KEY_REUSED)
        return ProblemError(problems.STILL_WORKING, headers=_again_after(retry_s))


def _again_after(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}
