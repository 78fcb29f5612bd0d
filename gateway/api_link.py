"""The API as a gateway speaks to it: over HTTP, with the gateway's own key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from gateway.site import ReportTarget

TIMEOUT_S = 10.0
WAIT_S = 8
"""How long the API may wait for something to do before it answers that there is nothing."""


class ApiError(RuntimeError):
    """The API did not do what was asked; the message says what it answered and what to do."""


@dataclass(frozen=True, slots=True)
class Request:
    """Something that people ask of this gateway."""

    id: int
    kind: str
    meter: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for this gateway, and the tag of the device list that it should have."""

    list_tag: str
    requests: tuple[Request, ...]


def reason_of(error: Exception) -> str:
    """Return what `error` says, with the address where the API was not reached."""
    if not isinstance(error, httpx.RequestError):
        return str(error)
    url = error.request.url.copy_with(query=None)
    return f"{url} cannot be reached: {str(error) or type(error).__name__}"


class ApiLink:
    """Calls to the API at `target`. Each raises `ApiError`, or `httpx.HTTPError` on the way."""

    def __init__(self, target: ReportTarget) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"{target.url}/v1",
            headers={"Authorization": f"Bearer {target.key}"},
            timeout=httpx.Timeout(TIMEOUT_S, read=TIMEOUT_S + WAIT_S),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def waiting(self, list_tag: str) -> Waiting:
        """Wait for something to do, or for a list of another tag; return what there is."""
        query: dict[str, str | int] = {"devices": list_tag, "wait_s": WAIT_S}
        document = _json(await self._client.get("/gateway/requests", params=query))
        try:
            requests = tuple(
                Request(int(each["id"]), str(each["kind"]), str(each["meter"]), each["detail"])
                for each in document["requests"]
            )
            return Waiting(str(document["devices"]), requests)
        except (KeyError, TypeError, ValueError) as error:
            raise ApiError(f"the API's requests cannot be understood: {error!r}") from error

    async def device_list(self, list_tag: str) -> tuple[str, Any] | None:
        """Return the list and its tag, None where it is the one of `list_tag`."""
        headers = {"If-None-Match": f'"{list_tag}"'} if list_tag else {}
        response = await self._client.get("/gateway/devices", headers=headers)
        if response.status_code == httpx.codes.NOT_MODIFIED:
            return None
        return response.headers.get("ETag", "").strip('"'), _json(response)

    async def answer(self, request: int, body: Mapping[str, Any]) -> None:
        """Say what came of a request."""
        response = await self._client.post(f"/gateway/requests/{request}/answer", json=body)
        if response.status_code != httpx.codes.NOT_FOUND:  # nobody waits for it any more
            _taken(response)


def _taken(response: httpx.Response) -> None:
    if response.status_code in (401, 403):
        raise ApiError(
            f"the API refuses the key ({response.status_code}): enrol the gateway again with a "
            "new token, or correct the variable that report.key_env names"
        )
    if not response.is_success:
        raise ApiError(f"{response.request.url} answered {response.status_code}")


def _json(response: httpx.Response) -> Any:
    _taken(response)
    try:
        return response.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ApiError(
            f"{response.request.url} answered something else than JSON; check report.url"
        ) from error
