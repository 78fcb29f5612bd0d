"""The engineers' pages of meter types: all that are known, and one with its proofs."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from api import problems
from api.errors import DOMAIN_ERRORS, as_problem
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.security import FormRequires, PageRequires
from api.store import device_lists, meter_types

router = APIRouter(include_in_schema=False, prefix="/engineering")

MeterReader = Annotated[Principal, Depends(PageRequires(Permission.METERS_READ))]
Lister = Annotated[Principal, Depends(FormRequires(Permission.DEVICES_WRITE))]


@router.get("/types")
async def list_types(request: Request, caller: MeterReader, q: str = "") -> Response:
    """Every meter type, and the form for one that is not shipped."""
    return _list_page(request, caller, q=q)


@router.post("/types")
async def put_type(
    request: Request, caller: Lister, document: Annotated[str, Form(max_length=200_000)] = ""
) -> Response:
    """Keep a type that proves itself, and lead to it."""
    resources = of(request)

    def keep() -> str:
        with resources.database.transaction() as connection:
            text = document.replace("\r\n", "\n")
            first, *_ = meter_types.put(connection, text, actor=caller.name, now=resources.now())
            device_lists.renew_all(connection)
            return first

    try:
        name = await anyio.to_thread.run_sync(keep)
    except DOMAIN_ERRORS as error:
        return _list_page(request, caller, problem=as_problem(error), document=document)
    return RedirectResponse(f"/engineering/types/{name}", 303)


@router.get("/types/{name}")
async def show_type(request: Request, caller: MeterReader, name: str) -> Response:
    """A type's registers, checks and proofs."""
    catalogue = of(request).catalogue
    with of(request).database.snapshot() as connection:
        found = catalogue.known(connection).get(name)
        meters = sum(each.settings.get("type") == name for each in device_lists.ways(connection))
    if found is None:
        raise ProblemError(problems.NOT_FOUND)
    return page(
        request,
        "type.html",
        principal=caller,
        type=found,
        meters=meters,
        uploaded=name not in catalogue.fixed,
    )


def _list_page(
    request: Request,
    caller: Principal,
    *,
    q: str = "",
    problem: ProblemError | None = None,
    document: str = "",
) -> Response:
    catalogue = of(request).catalogue
    with of(request).database.snapshot() as connection:
        known = catalogue.known(connection)
        used = Counter(str(each.settings["type"]) for each in device_lists.ways(connection))
    wanted = q.casefold()
    return page(
        request,
        "types.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        document=document,
        q=q,
        total=len(known),
        types=[
            each
            for _, each in sorted(known.items())
            if wanted in " ".join((each.id, each.name, each.manufacturer, *each.aliases)).casefold()
        ],
        used=used,
        fixed=catalogue.fixed,
    )
