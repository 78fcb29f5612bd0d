"""Signing in and out, and where each role's work is."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from api import attempts
from api.pages.rendering import page
from api.permission import Role
from api.principal import Principal
from api.problems import TYPES, ProblemError
from api.resources import of, whole
from api.security import ANYONE, FormRequires, cookie_name, page_principal
from api.store.sessions import Kind, close_session

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
        opened = await attempts.sign_in(
            resources,
            name=name.strip(),
            password=password,
            address=request.client.host if request.client else "",
            kind=Kind.PAGE,
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
    target = local(next)
    response = RedirectResponse(HOME[opened.login.role] if target == "/" else target, 303)
    response.set_cookie(
        cookie_name(secure=resources.settings.secure_cookies),
        opened.token,
        max_age=resources.settings.session_hours * 3600,
        httponly=True,
        samesite="lax",
        secure=resources.settings.secure_cookies,
        path="/",
    )
    return response


@router.post("/logout")
async def log_out(
    request: Request, caller: Annotated[Principal, Depends(FormRequires())]
) -> Response:
    """End the session on this browser."""
    resources, session = of(request), caller.session

    def close() -> None:
        if session is not None:
            with resources.database.transaction() as connection:
                close_session(connection, session.token_digest)

    await anyio.to_thread.run_sync(close)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(
        cookie_name(secure=resources.settings.secure_cookies),
        path="/",
        secure=resources.settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
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
