"""Opening and closing sessions of programs that act for a person."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Request, Response

from api import attempts, problems, tokens
from api.principal import Principal
from api.resources import of, whole
from api.routes.answers import failing
from api.schemas.sessions import SessionOpened, SignIn, TokenGiven
from api.security import ANYONE, Requires
from api.store.sessions import close_session

router = APIRouter(prefix="/v1", tags=["sessions"])

SIGNING_IN = failing(
    problems.WRONG_PASSWORD,
    problems.SECOND_FACTOR_NEEDED,
    problems.WRONG_CODE,
    problems.SECOND_FACTOR_MISSING,
    problems.TOO_MANY_ATTEMPTS,
    problems.NO_SECOND_FACTORS,
)

AnyCaller = Annotated[Principal, Depends(Requires())]


@router.post(
    "/sessions",
    operation_id="openSession",
    summary="Sign in",
    status_code=201,
    dependencies=[ANYONE],
    responses=SIGNING_IN,
)
async def open_session(request: Request, body: SignIn) -> SessionOpened:
    """Get a token for a name and password, and a code where there is a second factor.

    Each call opens a session of its own, so it needs no `Idempotency-Key`.
    """
    opened = await attempts.sign_in(
        whole(request),
        name=body.name,
        password=body.password,
        code=body.code,
        address=request.client.host if request.client else "",
    )
    return SessionOpened(
        token=opened.token,
        name=opened.login.name,
        role=opened.login.role.value,
        expires_at=opened.expires_at,
    )


@router.post(
    "/tokens",
    operation_id="getToken",
    summary="Get a short token",
    status_code=201,
    dependencies=[ANYONE],
    responses=SIGNING_IN,
)
async def give_token(request: Request, body: SignIn) -> TokenGiven:
    """A signed token (JWT) for ten minutes, for a name and password, and a code as for a session.

    `DELETE /v1/sessions/current` ends it before. Each call gives one of its own, so it needs no
    `Idempotency-Key`.
    """
    resources = whole(request)
    opened = await attempts.sign_in(
        resources,
        name=body.name,
        password=body.password,
        code=body.code,
        address=request.client.host if request.client else "",
        lasts=tokens.LASTS,
        kept_as=tokens.session_digest,
    )
    return TokenGiven(
        token=resources.tokens.sign(
            opened.login.name, opened.token, now=opened.expires_at - tokens.LASTS
        ),
        name=opened.login.name,
        role=opened.login.role.value,
        expires_at=opened.expires_at.replace(microsecond=0),
    )


@router.delete(
    "/sessions/current",
    operation_id="closeSession",
    summary="Sign out",
    status_code=204,
    responses=failing(),
)
async def end_session(request: Request, caller: AnyCaller) -> Response:
    """End the session of the token that is sent. An API key has no session to end."""
    resources, session = of(request), caller.session

    def close() -> None:
        if session is not None:
            with resources.database.transaction() as connection:
                close_session(connection, session.token_digest)

    await anyio.to_thread.run_sync(close)
    return Response(status_code=204)
