"""The page on which people set up a second factor, and turn it off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import anyio.to_thread
import segno
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from api import attempts, second_factor, totp
from api.pages.rendering import page
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of, whole
from api.security import FormRequires, PageRequires
from api.store import second_factors
from api.store.logins import Login, find_login

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

ADDRESS = "/settings/second-factor"

router = APIRouter(prefix=ADDRESS, include_in_schema=False)

Person = Annotated[Principal, Depends(PageRequires(enrolling=True))]
Stating = Annotated[Principal, Depends(FormRequires(enrolling=True))]
Code = Annotated[str, Form(max_length=100)]


@router.get("")
async def show_second_factor(request: Request, caller: Person) -> Response:
    """Whether there is one, and the form for the next step."""
    return _page(request, caller)


@router.post("")
async def begin(request: Request, caller: Stating) -> Response:
    """Make a secret, which the page shows until a first code confirms it."""
    resources = of(request)

    def work() -> None:
        with resources.database.transaction() as connection:
            login = _login(connection, caller)
            second_factor.begin(connection, resources.seal, login, now=resources.now())

    try:
        await anyio.to_thread.run_sync(work)
    except ProblemError as error:
        return _page(request, caller, error)
    return RedirectResponse(ADDRESS, 303)


@router.post("/confirm")
async def confirm(request: Request, caller: Stating, code: Code = "") -> Response:
    """Take the first code, and show the recovery codes this once."""
    resources = of(request)
    session = "" if caller.session is None else caller.session.token_digest

    def work() -> list[str]:
        with resources.database.transaction() as connection:
            login = _login(connection, caller)
            return second_factor.confirm(
                connection, resources.seal, login, code, session=session, now=resources.now()
            )

    try:
        codes = await anyio.to_thread.run_sync(work)
    except ProblemError as error:
        return _page(request, caller, error)
    return _page(request, caller, codes=codes)


@router.post("/off")
async def turn_off(request: Request, caller: Stating, code: Code = "") -> Response:
    """Sign in by the password alone again; a code proves that it is not just an open browser."""
    resources = whole(request)  # failures are counted for the whole installation
    with of(request).database.snapshot() as connection:
        login = _login(connection, caller)

    def work(connection: Connection) -> None:
        second_factor.turn_off(connection, login, now=resources.now())

    try:
        host = request.client.host if request.client else ""
        await attempts.with_code(resources, login, code, host, work)
    except ProblemError as error:
        return _page(request, caller, error)
    return RedirectResponse(ADDRESS, 303)


def _page(
    request: Request,
    caller: Principal,
    problem: ProblemError | None = None,
    codes: Sequence[str] = (),
) -> Response:
    resources = of(request)
    with resources.database.snapshot() as connection:
        login = _login(connection, caller)
        factor = second_factors.find(connection, login.id)
        left = second_factors.codes_left(connection, login.id)
    secret = None
    if factor is not None and factor.confirmed_at is None:
        try:
            secret = second_factor.opened(resources.seal, login, factor)
        except ProblemError as error:
            problem = problem or error
    answer = page(
        request,
        "second_factor.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        is_on=factor is not None and factor.confirmed_at is not None,
        is_needed=caller.role in resources.settings.second_factor_required_for,
        can_begin=resources.seal.is_there,
        picture=None if secret is None else _picture(totp.address(secret, login.name)),
        secret=None if secret is None else totp.as_text(secret),
        codes=codes,
        left=left,
        problem=problem,
    )
    if problem is not None:
        answer.headers.update(problem.headers)
    return answer


def _login(connection: Connection, caller: Principal) -> Login:
    found = find_login(connection, caller.name)
    assert found is not None  # noqa: S101  a session has found the caller
    return found


def _picture(said: str) -> Markup:
    drawn = segno.make_qr(said, error="m").svg_inline(
        scale=6, border=4, light="#fff", omitsize=True
    )
    return Markup(drawn)  # noqa: S704  the text is encoded as squares, and stands nowhere in it
