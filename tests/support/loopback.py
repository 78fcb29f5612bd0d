"""Loopback only: free ports for servers, and a guard that refuses every other address."""

from __future__ import annotations

import ipaddress
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

HOST = "127.0.0.1"


class NetworkForbiddenError(RuntimeError):
    """A test tried to leave the machine."""


def free_port() -> int:
    """Return a TCP port on loopback that nobody listens on at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_open(port: int, host: str = HOST) -> bool:
    """Return whether somebody accepts TCP connections at `host`:`port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine by name or address."""
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _allowed_hosts() -> frozenset[str]:
    """Return the hosts that the person who runs the tests asked for by setting a variable."""
    asked = os.environ.get("TALLYGATE_TEST_POSTGRESQL_URL", "")
    return frozenset({urlsplit(asked).hostname or ""}) - {""}


def _refuse_beyond(allowed: frozenset[str], host: object, what: str) -> None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name is None or not isinstance(name, str) or is_loopback(name) or name in allowed:
        return
    raise NetworkForbiddenError(
        f"a test tried to {what} {name!r}; tests use loopback only: start the other side on "
        f"{HOST}, or give the code under test a transport of its own"
    )


@contextmanager
def only_loopback(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse, in this process, every connection and name lookup that is not of loopback."""
    allowed = _allowed_hosts()

    def guarded(original: Callable[..., Any], what: str) -> Callable[..., Any]:
        def call(endpoint: socket.socket, *arguments: Any) -> Any:
            address = arguments[-1]
            if endpoint.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
                _refuse_beyond(allowed, address[0], what)
            return original(endpoint, *arguments)

        return call

    lookup = socket.getaddrinfo

    def guarded_lookup(host: Any, *arguments: Any, **keywords: Any) -> Any:
        _refuse_beyond(allowed, host, "look up")
        return lookup(host, *arguments, **keywords)

    with patch.context() as guard:
        guard.setattr(socket.socket, "connect", guarded(socket.socket.connect, "connect to"))
        guard.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex, "connect to"))
        guard.setattr(socket.socket, "sendto", guarded(socket.socket.sendto, "send to"))
        guard.setattr(socket, "getaddrinfo", guarded_lookup)
        guard.setenv("NO_PROXY", "127.0.0.1,localhost,::1")
        yield
