"""How pages are shown on this browser: in large type, and without a network as an offline page."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from api.pages.rendering import (
    LARGE,
    STATIC,
    TYPE_COOKIE,
    page,
    remember,
    static_address,
)
from api.pages.sign_in import local
from api.resources import of
from api.security import ANYONE

router = APIRouter(include_in_schema=False)

OFFLINE = "/offline"
KEPT = ("style.css", "mark.svg", "install.js", "look-again.js")
"""The static files that a browser keeps with the offline page."""
WORKER = STATIC / "service-worker.js"


@router.post("/display", dependencies=[ANYONE])
async def choose_type(
    request: Request,
    type: Annotated[Literal["large", "normal"], Form()],  # noqa: A002  the form's own word
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002  the address's own word
) -> Response:
    """Remember large type, or forget it, and lead back. It needs no secret: it shows nothing."""
    secure = of(request).settings.secure_cookies
    response = RedirectResponse(local(next), 303)
    if type == LARGE:
        remember(response, TYPE_COOKIE, LARGE, secure=secure)
    else:
        response.delete_cookie(TYPE_COOKIE, secure=secure, httponly=True, samesite="lax")
    return response


@router.get(OFFLINE, dependencies=[ANYONE])
async def show_offline(request: Request) -> Response:
    """What a browser shows without a network. It is kept, so it says nothing of anybody."""
    return page(request, "offline.html")


@router.get("/service-worker.js", dependencies=[ANYONE])
async def service_worker() -> Response:
    """The worker of all pages: it keeps static files and the offline page, never a bill."""
    return Response(_worker(), media_type="text/javascript")


@cache
def _worker() -> str:
    kept = json.dumps([OFFLINE, *(static_address(name) for name in KEPT)])
    text = WORKER.read_text("utf-8")
    name = hashlib.sha256((text + kept).encode()).hexdigest()[:12]
    said = f"const NAME = {json.dumps(f'tallygate-{name}')};\nconst KEPT = {kept};\n"
    return said + text
