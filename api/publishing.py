"""Whose publication a reader may see, and what it holds beside the definitions: statements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api import problems
from api.problems import ProblemError
from api.routes.answers import scope_of
from billing.store.views import published, statements

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from api.principal import Principal
    from billing.store.views.published import CommunityNamed, Published
    from billing.store.views.statements import StatementHead

STATEMENTS_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Publication:
    """What a community publishes to a reader, and which others the reader can choose."""

    published: Published
    statements: list[StatementHead]
    choice: list[CommunityNamed]


def publication(
    connection: Connection, caller: Principal, community: str | None, *, now: datetime
) -> Publication:
    """Return the publication of a community, of the first that the caller may see if none is named.

    Raises `ProblemError` where there is none. An owner may see those of the own accounts.
    """
    choice = published.communities(connection, caller.accounts)
    chosen = next((each for each in choice if community in {None, each.code}), None)
    if chosen is None:
        raise ProblemError(problems.NOT_FOUND)
    heads = statements.heads(
        connection, scope_of(caller), limit=STATEMENTS_SHOWN, community_id=chosen.id
    )
    return Publication(published.published(connection, chosen.id, now=now), heads, choice)
