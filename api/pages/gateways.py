"""The engineers' pages of gateways: how each does, what it is to read, and who nobody knows yet."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from api import problems
from api.credentials import new_token
from api.errors import DOMAIN_ERRORS, as_problem
from api.guesses import guesses
from api.pages.engineering import readable
from api.pages.rendering import page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.schemas.devices import GATEWAY_NAME
from api.security import FormRequires, PageRequires
from api.store import device_lists, enrolments, gateways, unknown_meters
from api.store.device_lists import Way
from billing.store.views import runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

router = APIRouter(include_in_schema=False, prefix="/engineering")

MeterReader = Annotated[Principal, Depends(PageRequires(Permission.METERS_READ))]
QuarantineReader = Annotated[Principal, Depends(PageRequires(Permission.QUARANTINE_READ))]
Lister = Annotated[Principal, Depends(FormRequires(Permission.DEVICES_WRITE))]
Field = Annotated[str, Form(max_length=200)]

METERS_SHOWN = 500


@router.get("/gateways")
async def list_gateways(request: Request, caller: MeterReader) -> Response:
    """Every gateway by its last report, and the form for the next one."""
    return _list_page(request, caller)


@router.post("/gateways")
async def add_gateway(request: Request, caller: Lister, gateway: Field = "") -> Response:
    """Add a gateway and lead to it."""
    name = gateway.strip()
    now = of(request).now()
    if not GATEWAY_NAME.fullmatch(name):
        return _list_page(request, caller, ProblemError(problems.INVALID_NAME))
    try:
        await _changed(
            request,
            partial(device_lists.add_gateway, name=name, actor=caller.name, now=now),
        )
    except DOMAIN_ERRORS as error:
        return _list_page(request, caller, as_problem(error))
    return RedirectResponse(f"/engineering/gateways/{name}", 303)


@router.get("/gateways/{gateway}")
async def show_gateway(request: Request, caller: MeterReader, gateway: str) -> Response:
    """How a gateway does, what it is to read, and the forms to change that."""
    return _gateway_page(request, caller, gateway)


@router.post("/gateways/{gateway}/enrolment")
async def offer_enrolment(request: Request, caller: Lister, gateway: str) -> Response:
    """Make a token and show it, this once."""
    token, now = new_token("enrol"), of(request).now()
    expires_at = await _changed(
        request, partial(enrolments.offer, gateway=gateway, token=token, actor=caller.name, now=now)
    )
    return _gateway_page(request, caller, gateway, token=token, expires_at=expires_at)


@router.post("/gateways/{gateway}/buses")
async def put_bus(  # noqa: PLR0913, PLR0917 - the fields of the form
    request: Request,
    caller: Lister,
    gateway: str,
    name: Field = "",
    host: Field = "",
    port: Field = "",
    framing: Field = "",
    serial: Field = "",
    line: Field = "",
    timeout_s: Field = "",
) -> Response:
    """Add or change a bus."""
    stated = {
        "host": host,
        "port": _number(port),
        "framing": framing,
        "serial": serial,
        "line": line,
        "timeout_s": timeout_s,
    }
    settings = {key: value for key, value in stated.items() if value not in ("", None)}
    change = partial(device_lists.put_bus, gateway=gateway, name=name.strip(), settings=settings)
    return await _listed(request, caller, gateway, change)


@router.post("/gateways/{gateway}/buses/drop")
async def drop_bus(request: Request, caller: Lister, gateway: str, name: Field = "") -> Response:
    """Remove a bus and the meters on it."""
    change = partial(device_lists.drop_bus, gateway=gateway, name=name)
    return await _listed(request, caller, gateway, change)


@router.post("/gateways/{gateway}/meters")
async def put_meter(  # noqa: PLR0913, PLR0917 - the fields of the form
    request: Request,
    caller: Lister,
    gateway: str,
    meter: Field = "",
    type: Field = "",  # noqa: A002 - the form's name for it
    bus: Field = "",
    unit: Field = "",
    topic: Field = "",
    identity: Field = "",
) -> Response:
    """Add a meter on a bus, or one that reports through the broker."""
    stated = {"type": type, "unit": _number(unit), "topic": topic.strip(), "identity": identity}
    settings = {key: value for key, value in stated.items() if value not in ("", None)}
    if not meter.strip():
        return _gateway_page(request, caller, gateway, problem=ProblemError(problems.INVALID_NAME))
    way = Way(meter=meter.strip(), gateway=gateway, bus=bus or None, settings=settings)
    return await _listed(request, caller, gateway, partial(device_lists.put_meter, way=way))


@router.post("/gateways/{gateway}/meters/drop")
async def drop_meter(request: Request, caller: Lister, gateway: str, meter: Field = "") -> Response:
    """Remove a meter from the list."""
    change = partial(device_lists.drop_meter, gateway=gateway, meter=meter)
    return await _listed(request, caller, gateway, change)


@router.get("/unknown")
async def list_unknown(request: Request, caller: QuarantineReader) -> Response:
    """Who reports and is on no list, and what understands it."""
    return _unknown_page(request, caller)


@router.post("/unknown")
async def adopt(  # noqa: PLR0917 - the fields of the form
    request: Request,
    caller: Lister,
    gateway: Field = "",
    topic: Field = "",
    meter: Field = "",
    type: Field = "",  # noqa: A002 - the form's name for it
    identity: Field = "",
) -> Response:
    """Give an unknown meter a name and a type; its gateway then replays what it kept."""
    if not meter.strip():
        return _unknown_page(request, caller, ProblemError(problems.INVALID_NAME))
    settings = {"type": type, "topic": topic}
    if identity.strip():
        settings["identity"] = identity.strip()
    way = Way(meter=meter.strip(), gateway=gateway, bus=None, settings=settings)
    now = of(request).now()
    try:
        await _changed(request, partial(unknown_meters.adopt, way=way, actor=caller.name, now=now))
    except DOMAIN_ERRORS as error:
        return _unknown_page(request, caller, as_problem(error))
    return RedirectResponse("/engineering/unknown", 303)


async def _changed(request: Request, change: Callable[..., Any]) -> Any:
    def work() -> Any:
        with of(request).database.transaction() as connection:
            return change(connection)

    return await anyio.to_thread.run_sync(work)


async def _listed(
    request: Request, caller: Principal, gateway: str, change: Callable[..., None]
) -> Response:
    """Change the gateway's list and show it, with what is wrong where it is refused."""
    now = of(request).now()
    try:
        await _changed(request, partial(change, actor=caller.name, now=now))
    except device_lists.UnknownGatewayError:
        raise
    except DOMAIN_ERRORS as error:
        return _gateway_page(request, caller, gateway, problem=as_problem(error))
    return RedirectResponse(f"/engineering/gateways/{gateway}#list", 303)


def _list_page(
    request: Request, caller: Principal, problem: ProblemError | None = None
) -> Response:
    with of(request).database.snapshot() as connection:
        reported = {each.name: each for each in gateways.gateways(connection)}
        names = device_lists.gateway_names(connection)
        zone = runs.zone(connection)
    return page(
        request,
        "gateways.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        names=sorted({*names, *reported}),
        reported=reported,
        zone=zone,
    )


def _gateway_page(
    request: Request,
    caller: Principal,
    gateway: str,
    *,
    problem: ProblemError | None = None,
    **shown: Any,
) -> Response:
    resources = of(request)
    with resources.database.snapshot() as connection:
        tag = device_lists.tag(connection, gateway)
        if tag is None:
            raise ProblemError(problems.NOT_FOUND)
        report = gateways.gateway(connection, gateway)
        devices = gateways.devices(connection, gateway=gateway)
        ways = device_lists.ways(connection, gateway)
        buses = device_lists.bus_settings(connection, gateway)
        types = resources.catalogue.known(connection)
        zone = runs.zone(connection)
    return page(
        request,
        "gateway.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        gateway=gateway,
        tag=tag,
        report=report,
        devices=devices,
        ways=ways[:METERS_SHOWN],
        more=max(0, len(ways) - METERS_SHOWN),
        buses=buses,
        modbus_types=_titled(types, modbus=True),
        broker_types=_titled(types, modbus=False),
        zone=zone,
        url=str(request.base_url).rstrip("/"),
        token=shown.get("token"),
        expires_at=shown.get("expires_at"),
    )


def _unknown_page(
    request: Request, caller: Principal, problem: ProblemError | None = None
) -> Response:
    resources = of(request)
    with resources.database.snapshot() as connection:
        found = unknown_meters.unknown_meters(connection)
        types = resources.catalogue.known(connection)
        zone = runs.zone(connection)
    return page(
        request,
        "unknown.html",
        principal=caller,
        status=200 if problem is None else problem.kind.status,
        problem=problem,
        unknown=[(each, guesses(types, each.content), readable(each.content)) for each in found],
        types=_titled(types, modbus=False),
        zone=zone,
    )


def _titled(types: Mapping[str, Any], *, modbus: bool) -> list[tuple[str, str]]:
    """Return the types that are read that way, with their names."""
    return sorted(
        (name, each.name) for name, each in types.items() if (each.modbus is not None) == modbus
    )


def _number(text: str) -> int | str | None:
    """Return the number that a field holds; other text as it is, for the check to refuse."""
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) < 10 else text or None
