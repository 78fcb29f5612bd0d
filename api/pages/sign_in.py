"""Signing in and out, and where each role's work is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from api import attempts
from api.attempts import PENDING_LASTS, Pending
from api.credentials import digest
from api.pages.rendering import page
from api.permission import Role
from api.principal import Principal
from api.problems import TYPES, ProblemError
from api.resources import of, whole
from api.security import ANYONE, FormRequires, cookie_name, page_principal
from api.store.second_factors import find_pending
from api.store.sessions import close_session

if TYPE_CHECKING:
    from api.attempts import Opened
    from api.resources import Resources

router = APIRouter(include_in_schema=False)

HOME = {
    Role.OWNER: "/",
    Role.TENANT: "/",
    Role.COMMITTEE: "/statements",
    Role.CLERK: "/staff/runs",
    Role.APPROVER: "/staff/runs",
    Role.ENGINEER: "/engineering/meters",
    Role.AUDITOR: "/audit",
    Role.ADMIN: "/access",
}
"""Where the work of a role is."""
PENDING = "-pending"
"""What the session cookie's name ends in where a sign-in waits for a code."""


def local(target: str) -> str:
    """Return `target` if it leads to a page of this site, else the start page."""
    is_path = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_path and target.isprintable() else "/"


@router.get("/login", dependencies=[ANYONE])
async def show_login(request: Request, next: str = "/") -> Response:  # noqa: A002  the address's own word
    """The form, or straight on for who is signed in."""
    if page_principal(request) is not None:
        return RedirectResponse(local(next), 303)
    return page(request, "login.html", target=local(next), problem=None, name="")


@router.post("/login", dependencies=[ANYONE])
async def log_in(
    request: Request,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=500)] = "/",  # noqa: A002  the address's own word
) -> Response:
    """Open a session and lead on to where the reader wanted to go, or the role's work is."""
    resources = whole(request)
    try:
        opened = await attempts.sign_in_on_pages(
            resources, name=name.strip(), password=password, address=_address(request)
        )
    except ProblemError as error:
        answer = page(
            request,
            "login.html",
            status=error.kind.status,
            target=local(next),
            problem=error.kind,
            name=name,
        )
        answer.headers.update(error.headers)
        return answer
    if isinstance(opened, Pending):
        response = RedirectResponse(f"/login/code?next={quote(local(next))}", 303)
        _set_cookie(
            response, resources, PENDING, opened.token, lasts_s=int(PENDING_LASTS.total_seconds())
        )
        return response
    return _signed_in(resources, opened, local(next))


@router.get("/login/code", dependencies=[ANYONE])
async def show_code(request: Request, next: str = "/") -> Response:  # noqa: A002  the address's own word
    """The form for the code, for whoever has just given a password."""
    resources = whole(request)
    with resources.database.snapshot() as connection:
        waiting = find_pending(connection, digest(_pending(request)), now=resources.now())
    if waiting is None:
        return RedirectResponse(f"/login?next={quote(local(next))}", 303)
    return page(request, "login_code.html", target=local(next), problem=None)


@router.post("/login/code", dependencies=[ANYONE])
async def prove_code(
    request: Request,
    code: Annotated[str, Form(max_length=100)] = "",
    next: Annotated[str, Form(max_length=500)] = "/",  # noqa: A002  the address's own word
) -> Response:
    """Open the session that waits for the code, and lead on as a sign-in without one does."""
    resources = whole(request)
    try:
        opened = await attempts.finish(
            resources, token=_pending(request), code=code, address=_address(request)
        )
    except ProblemError as error:
        answer = page(
            request,
            "login_code.html",
            status=error.kind.status,
            target=local(next),
            problem=error.kind,
        )
        answer.headers.update(error.headers)
        return answer
    if opened is None:
        return RedirectResponse(f"/login?next={quote(local(next))}", 303)
    response = _signed_in(resources, opened, local(next))
    _drop_cookie(response, resources, PENDING)
    return response


def _signed_in(resources: Resources, opened: Opened, target: str) -> Response:
    response = RedirectResponse(HOME[opened.login.role] if target == "/" else target, 303)
    lasts_s = resources.settings.session_hours * 3600
    _set_cookie(response, resources, "", opened.token, lasts_s=lasts_s)
    return response


def _set_cookie(
    response: Response, resources: Resources, what: str, value: str, *, lasts_s: int
) -> None:
    secure = resources.settings.secure_cookies
    response.set_cookie(
        cookie_name(secure=secure) + what,
        value,
        max_age=lasts_s,
        httponly=True,
        samesite="lax",
        secure=secure,
        path="/",
    )


def _drop_cookie(response: Response, resources: Resources, what: str) -> None:
    secure = resources.settings.secure_cookies
    response.delete_cookie(
        cookie_name(secure=secure) + what, path="/", secure=secure, httponly=True, samesite="lax"
    )


def _pending(request: Request) -> str:
    secure = whole(request).settings.secure_cookies
    return request.cookies.get(cookie_name(secure=secure) + PENDING, "")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


@router.post("/logout")
async def log_out(
    request: Request, caller: Annotated[Principal, Depends(FormRequires(enrolling=True))]
) -> Response:
    """End the session on this browser."""
    resources, session = of(request), caller.session

    def close() -> None:
        if session is not None:
            with resources.database.transaction() as connection:
                close_session(connection, session.token_digest)

    await anyio.to_thread.run_sync(close)
    response = RedirectResponse("/login", 303)
    _drop_cookie(response, resources, "")
    return response


@router.get("/problems/{name}", dependencies=[ANYONE])
async def show_problem(request: Request, name: str) -> Response:
    """What a problem's `type` leads to: what it means and what to do."""
    kind = TYPES.get(name)
    return page(
        request,
        "problem.html",
        status=200 if kind is not None else 404,
        problem=kind or TYPES["not-found"],
        principal=page_principal(request),
    )
