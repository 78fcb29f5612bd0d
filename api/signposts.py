"""Routes found by the first word of an address: to try all of them takes longer than most work."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Match, Mount, Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Receive, Scope, Send

API = "v1"
FOUND = "tallygate.route"
"""Where the scope of a request keeps the route that was found for it."""


class Signposts(BaseRoute):
    """Stands before `routes` and leads to the first that fits, as asking all of them would.

    What none of them takes is left to those who come after: they know what to say to it. Raises
    `ValueError` for a route whose first word is a parameter.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes: dict[str, list[Route | Mount]] = defaultdict(list)
        for route in routes:
            if isinstance(route, Route | Mount):
                word = _word(route.path)
                if "{" in word:
                    raise ValueError(f"the first word of {route.path} is open: no post leads there")
                self._routes[word].append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http":
            for route in self._routes.get(_word(scope["path"]), ()):
                match, found = route.matches(scope)
                if match is Match.FULL:
                    return match, {**found, FOUND: route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        route: BaseRoute = scope[FOUND]
        await route.handle(scope, receive, send)


def _word(path: str) -> str:
    """Return the first word of an address, or the second of `/v1/…`."""
    first, _, rest = path.removeprefix("/").partition("/")
    return rest.partition("/")[0] if first == API else first
