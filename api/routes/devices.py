"""What engineers tell gateways: which there are, what each reads, and by which meter types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from api import etag, idempotency, problems
from api.credentials import new_token
from api.guesses import guesses
from api.paging import Page
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import of
from api.routes.answers import failing, held
from api.schemas.devices import (
    Adoption,
    BusBody,
    Changed,
    DeviceListBody,
    Enrolment,
    MeterTypeFile,
    MeterTypeSummary,
    MeterWay,
    NewGateway,
    UnknownMeter,
)
from api.security import Requires
from api.store import device_lists, enrolments, meter_types, unknown_meters
from api.store.device_lists import Way

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from billing.database import Database

router = APIRouter(prefix="/v1", tags=["devices"])

MeterReader = Annotated[Principal, Depends(Requires(Permission.METERS_READ))]
QuarantineReader = Annotated[Principal, Depends(Requires(Permission.QUARANTINE_READ))]
Lister = Annotated[Principal, Depends(Requires(Permission.DEVICES_WRITE))]
Name = Annotated[str, Path(min_length=1, max_length=200)]

CHANGING = (problems.KEY_MISSING, problems.KEY_REUSED, problems.STILL_WORKING)
LISTING = (*CHANGING, problems.NOT_FOUND, problems.NOT_TAKEN, problems.CHANGED_SINCE)


@router.post(
    "/gateways",
    operation_id="addGateway",
    summary="Add a gateway",
    status_code=201,
    response_model=Changed,
    responses=failing(*CHANGING, problems.GATEWAY_EXISTS),
)
async def add_gateway(
    request: Request, caller: Lister, body: NewGateway, key: idempotency.Key = None
) -> Response:
    """It reads nothing yet. One that reports with a key of its own is added by itself."""
    now = of(request).now()

    def add(connection: Connection) -> None:
        device_lists.add_gateway(connection, body.gateway, actor=caller.name, now=now)

    return await _change(request, caller, key, body.gateway, add, status=201)


@router.post(
    "/gateways/{gateway}/enrolments",
    operation_id="offerEnrolment",
    summary="Make an enrolment token for a gateway",
    status_code=201,
    responses=failing(problems.NOT_FOUND),
)
async def offer_enrolment(request: Request, caller: Lister, gateway: Name) -> Enrolment:
    """It counts once, for a day. A token that was made before and not used is void.

    Needs no key: a repeated call makes another token, and the first one is void.
    """
    token, now = new_token("enrol"), of(request).now()
    with of(request).database.transaction() as connection:
        expires_at = enrolments.offer(connection, gateway, token=token, actor=caller.name, now=now)
    return Enrolment(gateway=gateway, token=token, expires_at=expires_at)


@router.get(
    "/gateways/{gateway}/devices",
    operation_id="showDeviceList",
    summary="Get what a gateway is to read",
    response_model=DeviceListBody,
    responses=held(problems.NOT_FOUND),
)
async def show_device_list(
    request: Request, caller: MeterReader, gateway: Name, known: etag.Known
) -> Response:
    """As the gateway gets it: a bus without meters is left out."""
    del caller
    with of(request).database.snapshot() as connection:
        tag = device_lists.tag(connection, gateway)
        if tag is None:
            raise ProblemError(problems.NOT_FOUND)
        body = DeviceListBody(**device_lists.document(connection, gateway))
    return etag.answer(body, known, tag=tag)


@router.put(
    "/gateways/{gateway}/buses/{bus}",
    operation_id="putBus",
    summary="Add or change a bus of a gateway",
    response_model=Changed,
    dependencies=[etag.EXPECTING],
    responses=failing(*LISTING),
)
async def put_bus(  # noqa: PLR0917 - where, who and what
    request: Request,
    caller: Lister,
    gateway: Name,
    bus: Name,
    body: BusBody,
    key: idempotency.Key = None,
) -> Response:
    """The meters on it stay."""
    settings, now = body.model_dump(), of(request).now()

    def put(connection: Connection) -> None:
        device_lists.put_bus(connection, gateway, bus, settings, actor=caller.name, now=now)

    return await _change(request, caller, key, gateway, put)


@router.delete(
    "/gateways/{gateway}/buses/{bus}",
    operation_id="dropBus",
    summary="Remove a bus and the meters on it from a gateway's list",
    response_model=Changed,
    dependencies=[etag.EXPECTING],
    responses=failing(*LISTING),
)
async def drop_bus(
    request: Request, caller: Lister, gateway: Name, bus: Name, key: idempotency.Key = None
) -> Response:
    """Their readings stay."""
    now = of(request).now()

    def drop(connection: Connection) -> None:
        device_lists.drop_bus(connection, gateway, bus, actor=caller.name, now=now)

    return await _change(request, caller, key, gateway, drop)


@router.put(
    "/gateways/{gateway}/meters/{meter}",
    operation_id="putMeter",
    summary="Add a meter to a gateway's list, or change how it is read",
    response_model=Changed,
    dependencies=[etag.EXPECTING],
    responses=failing(*LISTING, problems.METER_LISTED),
)
async def put_meter(  # noqa: PLR0917 - where, who and what
    request: Request,
    caller: Lister,
    gateway: Name,
    meter: Name,
    body: MeterWay,
    key: idempotency.Key = None,
) -> Response:
    """Checked as the gateway checks it: a list that it would refuse is not kept."""
    way = Way(meter=meter, gateway=gateway, bus=body.bus, settings=body.settings())
    now = of(request).now()

    def put(connection: Connection) -> None:
        device_lists.put_meter(connection, way, actor=caller.name, now=now)

    return await _change(request, caller, key, gateway, put)


@router.delete(
    "/gateways/{gateway}/meters/{meter}",
    operation_id="dropMeter",
    summary="Remove a meter from a gateway's list",
    response_model=Changed,
    dependencies=[etag.EXPECTING],
    responses=failing(*LISTING),
)
async def drop_meter(
    request: Request, caller: Lister, gateway: Name, meter: Name, key: idempotency.Key = None
) -> Response:
    """Its readings stay."""
    now = of(request).now()

    def drop(connection: Connection) -> None:
        device_lists.drop_meter(connection, gateway, meter, actor=caller.name, now=now)

    return await _change(request, caller, key, gateway, drop)


@router.get(
    "/unknown-meters",
    operation_id="listUnknownMeters",
    summary="List the meters that report and are on no list",
    responses=failing(),
)
async def list_unknown(request: Request, caller: QuarantineReader) -> Page[UnknownMeter]:
    """By topic, the one heard last first, with the types that understand its last message."""
    del caller
    resources = of(request)
    with resources.database.snapshot() as connection:
        types = resources.catalogue.known(connection)
        found = unknown_meters.unknown_meters(connection)
    return Page(items=[UnknownMeter.of(each, guesses(types, each.content)) for each in found])


@router.post(
    "/unknown-meters/adoptions",
    operation_id="adoptMeter",
    summary="Give an unknown meter a name and a type",
    response_model=Changed,
    dependencies=[etag.EXPECTING],
    responses=failing(*LISTING, problems.METER_LISTED, problems.OWN_SETTINGS),
)
async def adopt_meter(
    request: Request, caller: Lister, body: Adoption, key: idempotency.Key = None
) -> Response:
    """It goes on the gateway's list, and the gateway replays what it kept of it.

    A gateway that works from its own settings file pulls no list: state the meter there.
    """
    way = MeterWay(type=body.type, topic=body.topic, identity=body.identity)
    listed = Way(meter=body.meter, gateway=body.gateway, bus=None, settings=way.settings())
    now = of(request).now()

    def adopt(connection: Connection) -> None:
        unknown_meters.adopt(connection, listed, actor=caller.name, now=now)

    return await _change(request, caller, key, body.gateway, adopt)


@router.get(
    "/meter-types",
    operation_id="listMeterTypes",
    summary="List the meter types that are known",
    responses=failing(),
)
async def list_meter_types(request: Request, caller: MeterReader) -> Page[MeterTypeSummary]:
    """Those that are shipped and those that were uploaded, by id."""
    del caller
    catalogue = of(request).catalogue
    known = catalogue.current(of(request).database)
    return Page(
        items=[
            MeterTypeSummary.of(known[name], uploaded=name not in catalogue.fixed)
            for name in sorted(known)
        ]
    )


@router.post(
    "/meter-types",
    operation_id="putMeterType",
    summary="Add a meter type, or correct one that was added",
    response_model=MeterTypeSummary,
    responses=failing(*CHANGING, problems.NOT_TAKEN),
)
async def put_meter_type(
    request: Request, caller: Lister, body: MeterTypeFile, key: idempotency.Key = None
) -> Response:
    """A TOML file that proves itself. Gateways that use the type get it with their list."""
    now = of(request).now()

    def work(database: Database) -> tuple[int, MeterTypeSummary]:
        with database.transaction() as connection:
            first, *_ = meter_types.put(connection, body.document, actor=caller.name, now=now)
            device_lists.renew_all(connection)
            found = meter_types.parsed(meter_types.texts(connection))[first]
        return 200, MeterTypeSummary.of(found, uploaded=True)

    return await idempotency.once(request, caller, key, work)


async def _change(
    request: Request,
    caller: Principal,
    key: str | None,
    gateway: str,
    change: Callable[[Connection], None],
    *,
    status: int = 200,
) -> Response:
    def work(database: Database) -> tuple[int, Changed]:
        with database.transaction() as connection:
            etag.demand(request, lambda: device_lists.locked_tag(connection, gateway))
            change(connection)
            tag = device_lists.tag(connection, gateway) or device_lists.EMPTY
        return status, Changed(gateway=gateway, tag=tag)

    return await idempotency.once(request, caller, key, work)
