"""What routes have in common: problems and languages as the OpenAPI document has them, runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from api import etag, language, problems
from api.language import Language
from api.schemas.runs import Run
from api.schemas.values import ProblemBody
from billing.store import holds, runs
from billing.store.views import shares, statements
from billing.store.views.scope import Scope

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from api.principal import Principal
    from api.problems import ProblemType


OF_EVERY_CALL = (
    problems.NOT_SIGNED_IN,
    problems.FORBIDDEN,
    problems.INVALID,
    problems.TOO_MANY_CALLS,
)


def failing(*kinds: ProblemType) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses for problems of `kinds`, and those that every call has."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in (*OF_EVERY_CALL, *kinds):
        found = responses.setdefault(
            kind.status, {"model": ProblemBody, "description": kind.title, "content": {}}
        )
        examples = found["content"].setdefault(problems.MEDIA_TYPE, {}).setdefault("examples", {})
        examples[kind.name] = {
            "value": {
                "type": kind.uri,
                "title": kind.title,
                "status": kind.status,
                "detail": kind.advice,
                "instance": "/v1/…",
            }
        }
        found["description"] = "; ".join(
            dict.fromkeys([*found["description"].split("; "), kind.title])
        )
    return responses


def held(*kinds: ProblemType) -> dict[int | str, dict[str, Any]]:
    """Return the responses of a single resource, which may be held already."""
    return {**failing(*kinds), **etag.HELD}


async def _language(request: Request) -> Language:
    return language.of_program(request)


Reader = Annotated[Language, Depends(_language)]
"""The language that sentences of an answer are written in: by `Accept-Language`, else English."""


def run_of(connection: Connection, run: int, reader: Language) -> Run:
    """Return a run as `reader` is answered; raise `UnknownRunError`."""
    found = runs.read(connection, run)
    pools = statements.heads_of_run(connection, run)
    borne = shares.borne(connection, [each.id for each in pools])
    return Run.whole(found, pools, borne, holds.of_run(connection, run), reader)


def scope_of(principal: Principal) -> Scope:
    """Return whose bills `principal` may see."""
    return Scope(accounts=principal.accounts, unissued=principal.sees_unissued)
