"""Who may use Tallygate: logins of people, and the API keys of clients and gateways."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Request, Response

from api import access, problems
from api.credentials import new_password
from api.paging import Page
from api.permission import Permission
from api.principal import Principal
from api.resources import of
from api.routes.answers import failing
from api.schemas.access import KeyAdded, KeyShown, LoginAdded, LoginShown, NewKey, NewLogin
from api.security import Requires
from api.store import keys, logins

router = APIRouter(prefix="/v1", tags=["access"])

LoginKeeper = Annotated[Principal, Depends(Requires(Permission.LOGINS_MANAGE))]
KeyKeeper = Annotated[Principal, Depends(Requires(Permission.KEYS_MANAGE))]


@router.get(
    "/logins",
    operation_id="listLogins",
    summary="List who can sign in",
    responses=failing(),
)
async def list_logins(request: Request, caller: LoginKeeper) -> Page[LoginShown]:
    """By name, with roles and accounts."""
    del caller
    with of(request).database.snapshot() as connection:
        found = logins.heads(connection)
    return Page(items=[LoginShown.of(each) for each in found])


@router.post(
    "/logins",
    operation_id="addLogin",
    summary="Add a login",
    status_code=201,
    responses=failing(problems.NO_ACCESS, problems.LOGIN_EXISTS),
)
async def add_login(request: Request, caller: LoginKeeper, body: NewLogin) -> LoginAdded:
    """Its password is made at random and shown once, so it needs no `Idempotency-Key`."""
    resources, password = of(request), new_password()

    def add() -> None:
        hashed = resources.passwords.hash(password)
        with resources.database.transaction() as connection:
            access.add_login(
                connection,
                name=body.name,
                password_hash=hashed,
                role=body.role,
                accounts=body.accounts,
                project=body.project,
                actor=caller.name,
                now=resources.now(),
            )

    await anyio.to_thread.run_sync(add)
    return LoginAdded(name=body.name, role=body.role.value, password=password)


@router.get(
    "/keys",
    operation_id="listKeys",
    summary="List API keys",
    responses=failing(),
)
async def list_keys(request: Request, caller: KeyKeeper) -> Page[KeyShown]:
    """By name, the newest first; those that have ended too."""
    del caller
    with of(request).database.snapshot() as connection:
        found = keys.listed(connection)
    return Page(items=[KeyShown.of(each) for each in found])


@router.post(
    "/keys",
    operation_id="addKey",
    summary="Add an API key",
    status_code=201,
    responses=failing(problems.NO_ACCESS),
)
async def add_key(request: Request, caller: KeyKeeper, body: NewKey) -> KeyAdded:
    """It is shown once, so it needs no `Idempotency-Key`. Two may share a name."""
    resources = of(request)

    def add() -> str:
        with resources.database.transaction() as connection:
            return access.add_key(
                connection,
                name=body.name,
                scopes=frozenset(body.scopes),
                gateway=body.gateway,
                days=body.days,
                project=body.project,
                actor=caller.name,
                now=resources.now(),
            )

    return KeyAdded(name=body.name, key=await anyio.to_thread.run_sync(add))


@router.delete(
    "/keys/{number}",
    operation_id="endKey",
    summary="End an API key now",
    status_code=204,
    responses=failing(problems.NOT_FOUND),
)
async def end_key(
    request: Request, caller: KeyKeeper, number: Annotated[int, Path(ge=1, lt=2**63)]
) -> Response:
    """A key that has ended is not found, so a repeated call changes nothing."""
    resources = of(request)

    def end() -> None:
        with resources.database.transaction() as connection:
            access.end_key(connection, number, actor=caller.name, now=resources.now())

    await anyio.to_thread.run_sync(end)
    return Response(status_code=204)
