"""One HTTP call to an address that somebody else has stated: judged, bounded, and made once.

The name is looked up here, once; every address that it has is judged, and the connection goes to
one of those by its number, while TLS and the header `Host` hold to the name. Nothing is followed:
no redirect, no proxy of the environment. What is answered is read up to a length, all of it within
a time.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import httpx

from billing.delivery.destination import Reach, assert_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from billing.delivery.destination import Destination

WITHIN_S = 20
"""For the whole call: looking up the name, connecting, sending and the answer."""
CONNECT_WITHIN_S = 5
MOST_ADDRESSES = 3
LONGEST_ANSWER = 16 * 1024


class NotSentError(Exception):
    """Nothing has reached the other side; the message says why."""


class UnansweredError(Exception):
    """The call was begun, and nobody knows whether it has arrived."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `content` is the beginning of it."""

    status: int
    content: bytes


def call(
    to: Destination, headers: Mapping[str, str], body: bytes, reach: Reach, *, method: str = "POST"
) -> Answer:
    """Send `body` and return what is answered.

    Raises `DestinationError` for a name with an address that may not be called, `NotSentError` and
    `UnansweredError`.
    """
    return asyncio.run(_within(to, headers, body, reach, method))


async def _within(
    to: Destination, headers: Mapping[str, str], body: bytes, reach: Reach, method: str
) -> Answer:
    begun: list[str] = []
    try:
        async with asyncio.timeout(WITHIN_S):
            return await _call(to, headers, body, reach, method, begun)
    except TimeoutError as error:
        why = f"no whole answer within {WITHIN_S} seconds"
        raise (UnansweredError if begun else NotSentError)(why) from error


async def _call(  # noqa: PLR0917 - a call is what it is
    to: Destination,
    headers: Mapping[str, str],
    body: bytes,
    reach: Reach,
    method: str,
    begun: list[str],
) -> Answer:
    addresses = await _looked_up(to)
    assert_allowed(addresses, reach)
    said = {**headers, "Host": to.authority, "Accept-Encoding": "identity"}
    async with httpx.AsyncClient(
        verify=_trust() if to.secure else False,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(WITHIN_S, connect=CONNECT_WITHIN_S),
    ) as client:
        for number, address in enumerate(addresses[:MOST_ADDRESSES], 1):
            request = client.build_request(
                method,
                _numbered(to, address),
                headers=said,
                content=body,
                extensions={"sni_hostname": to.host, "trace": _noting(begun)},
            )
            try:
                return await _sent(client, request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                if number == min(len(addresses), MOST_ADDRESSES):
                    raise NotSentError(f"cannot connect: {str(error) or 'no answer'}") from error
            except httpx.HTTPError as error:
                raise UnansweredError(f"no answer: {str(error) or type(error).__name__}") from error
    raise NotSentError(f"{to.host} has no address")


async def _sent(client: httpx.AsyncClient, request: httpx.Request) -> Answer:
    response = await client.send(request, stream=True)
    content = b""
    try:
        async for piece in response.aiter_raw():
            content += piece
            if len(content) >= LONGEST_ANSWER:
                break
    finally:
        await response.aclose()
    return Answer(response.status_code, content[:LONGEST_ANSWER])


def _noting(begun: list[str]) -> object:
    """Return what notes that a request goes out: from then on it may have arrived."""

    async def trace(name: str, _: object) -> None:
        if name.endswith("send_request_headers.started"):
            begun.append(name)

    return trace


async def _looked_up(to: Destination) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotSentError(f"{to.host} cannot be looked up: {error}") from error
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _numbered(to: Destination, address: str) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"{'https' if to.secure else 'http'}://{host}:{to.port}{to.target}"


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()
