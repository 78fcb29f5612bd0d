"""Who calls, and whether they may: every route declares one of the guards of this module.

`Requires` guards `/v1` by bearer tokens, `PageRequires` guards pages by a cookie, and `ANYONE`
says that a route is meant to be open. `assert_guarded` refuses an app with a route that has none.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

from fastapi import BackgroundTasks, Depends, Form, Request
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api import problems, rate
from api.credentials import digest
from api.permission import Permission
from api.principal import Principal
from api.problems import ProblemError
from api.resources import Resources, admit, whole
from api.store import keys, sessions
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from fastapi.dependencies.models import Dependant
    from starlette.routing import BaseRoute

BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="An API key, the token of a session that `POST /v1/sessions` opened, or a short "
    "token of `POST /v1/tokens`.",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]

KEY_PREFIX = "tg_key_"
JWT_DOTS = 2
"""Dots in a JWT; no other credential has one."""


class UnguardedRouteError(RuntimeError):
    """A route does not say who may call it, so the app must not start."""


class SignInFirstError(Exception):
    """A page needs a login; the reader is led to it."""


class EnrolFirstError(Exception):
    """A second factor is to be set up before anything else."""


class Guard:
    """The base of what a route declares; `permission` is None where anybody may call.

    `enrolling`: also who has yet to set up a second factor that the role needs.
    """

    def __init__(self, permission: Permission | None = None, *, enrolling: bool = False) -> None:
        self.permission = permission
        self._enrolling = enrolling

    def admit(self, request: Request, principal: Principal) -> Principal:
        """Return `principal`, to whose project the request is kept from here on.

        Raises `ProblemError` unless it has the permission, and `EnrolFirstError`.
        """
        if principal.must_enrol and not self._enrolling:
            raise EnrolFirstError
        if self.permission is not None and not principal.may(self.permission):
            raise ProblemError(
                problems.FORBIDDEN,
                told("this needs the permission '{permission}'", permission=str(self.permission)),
            )
        admit(request, principal)
        return principal


class Requires(Guard):
    """A call of `/v1` with a bearer token whose holder has `permission` (None: any token)."""

    async def __call__(
        self, request: Request, credentials: Credentials, afterwards: BackgroundTasks
    ) -> Principal:
        found = (
            None if credentials is None else _bearer(request, credentials.credentials, afterwards)
        )
        count_call(request, found)
        if found is None:
            raise ProblemError(problems.NOT_SIGNED_IN, headers={"WWW-Authenticate": "Bearer"})
        return self.admit(request, found)


class PageRequires(Guard):
    """A page for people who are signed in and have `permission` (None: any of them)."""

    async def __call__(self, request: Request) -> Principal:
        found = page_principal(request)
        count_call(request, found)
        if found is None:
            raise SignInFirstError
        return self.admit(request, found)


class FormRequires(PageRequires):
    """A form of a page: as `PageRequires`, and with the secret that only our own pages hold."""

    async def __call__(self, request: Request, csrf: Annotated[str, Form()] = "") -> Principal:
        found = await super().__call__(request)
        expected = found.session.csrf if found.session is not None else ""
        if not expected or not secrets.compare_digest(expected.encode(), csrf.encode()):
            raise ProblemError(problems.FORM_EXPIRED)
        return found


class Anyone(Guard):
    """A route that is open on purpose. Calls are counted by address unless `counted` is false."""

    def __init__(self, *, counted: bool = True) -> None:
        super().__init__()
        self._counted = counted

    async def __call__(self, request: Request) -> None:
        if self._counted:
            count_call(request, None)


ANYONE = Depends(Anyone())
ANYONE_AT_ANY_TIME = Depends(Anyone(counted=False))
"""For what says whether the server is well, and for what a provider's signature proves: they are
answered however often they come."""


def count_call(request: Request, principal: Principal | None) -> None:
    """Count a call of `principal`, or of its address for nobody.

    Raises `ProblemError` where that were more than the settings allow.
    """
    resources = whole(request)
    settings = resources.settings
    if principal is None:
        host = request.client.host if request.client else ""
        who, limit = f"address {host}", settings.address_calls_per_minute
    elif principal.session is None:
        who, limit = f"client {principal.caller}", settings.key_calls_per_minute
    else:
        who, limit = f"person {principal.caller}", settings.session_calls_per_minute
    standing = resources.limiter.take(who, limit)
    request.scope.setdefault("state", {})[rate.STATE] = standing
    if not standing.admitted:
        raise ProblemError(problems.TOO_MANY_CALLS, headers={"Retry-After": str(standing.wait_s)})


def cookie_name(*, secure: bool) -> str:
    """Return the session cookie's name. `__Host-` makes browsers insist on HTTPS and this host."""
    return "__Host-tallygate" if secure else "tallygate"


def page_principal(request: Request) -> Principal | None:
    """Return who is signed in on this browser, None for nobody."""
    resources = whole(request)
    token = request.cookies.get(cookie_name(secure=resources.settings.secure_cookies))
    if not token:
        return None
    with resources.database.snapshot() as connection:
        return sessions.find_principal(
            connection,
            digest(token),
            sessions.Kind.PAGE,
            now=resources.now(),
            needing=resources.settings.second_factor_required_for,
        )


def _bearer(request: Request, token: str, afterwards: BackgroundTasks) -> Principal | None:
    resources = whole(request)
    now, needing = resources.now(), resources.settings.second_factor_required_for
    api = sessions.Kind.API
    with resources.database.snapshot() as connection:
        if token.startswith(KEY_PREFIX):
            key = keys.find(connection, digest(token), now=now)
            if key is None:
                return None
            if key.use_is_news(now):
                afterwards.add_task(_note_use, resources, key.id, now)
            return key.principal()
        if token.count(".") == JWT_DOTS:
            said = resources.tokens.proven(token, now=now)
            if said is None:
                return None
            found = sessions.find_principal(
                connection, said.session_digest, api, now=now, needing=needing
            )
            return found if found is not None and found.name == said.name else None
        return sessions.find_principal(connection, digest(token), api, now=now, needing=needing)


def _note_use(resources: Resources, number: int, now: datetime) -> None:
    with resources.database.transaction() as connection:
        keys.note_use(connection, number, now=now)


def assert_guarded(routes: Sequence[BaseRoute]) -> None:
    """Raise `UnguardedRouteError` for every route of FastAPI that declares no guard or several."""
    for context in iter_route_contexts(routes):
        if not isinstance(context.original_route, APIRoute):
            continue
        guards = list(_guards(context.dependant))
        if len(guards) != 1:
            said = "no guard" if not guards else f"{len(guards)} guards"
            raise UnguardedRouteError(
                f"{context.path} declares {said}; give it one of Requires, PageRequires, "
                "FormRequires or ANYONE"
            )


def _guards(dependant: Dependant) -> Iterator[Guard]:
    for each in dependant.dependencies:
        if isinstance(each.call, Guard):
            yield each.call
        else:
            yield from _guards(each)
