"""Ports that cannot be listened on, in words that say what to do."""

from __future__ import annotations

import errno
import socket


class ListenError(OSError):
    """A simulator cannot listen where it was to."""

    def __init__(self, host: str, port: int, what: str, reason: str) -> None:
        super().__init__(f"{what} cannot listen on {host}:{port}: {reason}")
        self.host = host
        self.port = port


class PortTakenError(ListenError):
    """Something else listens there."""


def listen_error(host: str, port: int, what: str, error: OSError) -> ListenError:
    """Return what `error`, raised as `what` was to listen on `host`:`port`, means to a user."""
    match error.errno:
        case errno.EADDRINUSE:
            return PortTakenError(
                host,
                port,
                what,
                "the port is taken; stop what listens there "
                f"(`ss -ltnp 'sport = :{port}'` names it), or choose another port",
            )
        case errno.EACCES:
            reason = "ports below 1024 need root; choose a higher port"
        case errno.EADDRNOTAVAIL:
            reason = "this machine has no such address; use 127.0.0.1, or an address of its own"
        case _:
            reason = f"{error.strerror or error}; choose another address or port"
    return ListenError(host, port, what, reason)


def require_free(host: str, port: int, what: str) -> None:
    """Raise `ListenError` where `what` could not listen on `host`:`port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise listen_error(host, port, what, error) from error
