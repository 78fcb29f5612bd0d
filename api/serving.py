"""The server: connections that are not kept open for whoever says nothing, and not without end.

uvicorn waits without end for a request that does not end and for a reader who does not read. Here
each connection has its patience, and where all are taken the one that is quiet longest makes room.
"""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from api import language, problems
from api.turns import Parting, TakingTurns

if TYPE_CHECKING:
    from uvicorn.server import ServerState

    from api.problems import ProblemType
    from api.settings import ApiSettings
    from api.turns import Turns

BACKLOG = 2048
SHUTDOWN_TIMEOUT_S = 10
REFUSED_PATIENCE_S = 1
"""How long a connection that finds no place may take to ask, so that it can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long connections are waited for, in seconds, and how many there may be."""

    request_s: float
    keep_alive_s: int
    connections: int

    @classmethod
    def of(cls, settings: ApiSettings) -> Patience:
        """Return the patience of one process: all of them together have the connections stated."""
        return cls(
            request_s=settings.request_seconds,
            keep_alive_s=settings.keep_alive_seconds,
            connections=max(1, settings.max_connections // settings.workers),
        )


def server(app: Any, patience: Patience, turns: Turns | None = None) -> uvicorn.Server:
    """Return the server of the ASGI application `app`; one of several processes has `turns`."""

    class PatientConnection(Connection):
        def __init__(
            self,
            config: uvicorn.Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(config, server_state, app_state, _loop)
            self.patience = patience

    config = uvicorn.Config(
        app if turns is None else Parting(app, turns),
        http=PatientConnection,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=patience.keep_alive_s,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )
    return uvicorn.Server(config) if turns is None else TakingTurns(config, turns)


class Connection(H11Protocol):
    """One connection: a request's head comes within `request_s`, and its answer is read in time.

    A body is waited for by `api.deadline`, as whoever reads it answers.
    """

    patience: Patience

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.quiet_since: float | None = None  # None while a request is being answered
        self._refused = False
        self._heard = False
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        _send_at_once(transport)
        self.quiet_since = self.loop.time()
        patience_s = self.patience.request_s
        if len(self.connections) > self.patience.connections and not self._find_room():
            self._refused, patience_s = True, REFUSED_PATIENCE_S
        self._reading = self.loop.call_later(patience_s, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        _cancel(self._reading)
        _cancel(self._writing)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._refuse(problems.NO_ROOM)
            return
        self._heard = True
        if self._reading is None and not self._answering:
            self._reading = self.loop.call_later(self.patience.request_s, self._too_slow)
        super().data_received(data)
        if self._answering:
            self.quiet_since = None
            _cancel(self._reading)
            self._reading = None

    def on_response_complete(self) -> None:
        self.quiet_since, self._heard = self.loop.time(), False
        super().on_response_complete()
        if self._answering:  # the next request had come already
            self.quiet_since = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing = self.loop.call_later(self.patience.request_s, self.transport.abort)

    def resume_writing(self) -> None:
        _cancel(self._writing)
        self._writing = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # closing would wait for a reader who does not read
        super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  what h11 says stays in the log
        self._refuse(problems.NOT_HTTP)

    @property
    def _answering(self) -> bool:
        return not getattr(self.cycle, "response_complete", True)  # before the first it is None

    def _find_room(self) -> bool:
        """Close the connection that is quiet longest; return whether there was one."""
        quiet = [
            (each.quiet_since, each)
            for each in self.connections
            if isinstance(each, Connection)
            and each is not self
            and each.quiet_since is not None
            and not each.transport.is_closing()
        ]
        if not quiet:
            return False
        _, longest = min(quiet, key=lambda found: found[0])
        longest.transport.abort()
        return True

    def _too_slow(self) -> None:
        self._reading = None
        if self._heard and not self._answering:
            self._refuse(problems.TOO_SLOW)
        elif not self._answering:
            self.transport.close()

    def _refuse(self, kind: ProblemType) -> None:
        """Answer with a problem and close: what was asked is not read any further."""
        if self.transport.is_closing():
            return
        document = problems.ProblemError(kind).document(language.english(), "")
        del document["instance"]  # the address was not read
        body = json.dumps(document).encode()
        headers = [
            ("Content-Type", problems.MEDIA_TYPE),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
        if kind.status == problems.NO_ROOM.status:
            headers.append(("Retry-After", str(REFUSED_PATIENCE_S)))
        response = h11.Response(status_code=kind.status, headers=headers)
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _send_at_once(transport: asyncio.Transport) -> None:
    """Let the body of an answer follow its head at once, not when the caller has confirmed that.

    Nagle's algorithm and a caller's delayed acknowledgement (RFC 1122, 4.2.3) make 40 ms of it.
    asyncio says so only of sockets that were made with TCP's number, which listeners seldom are.
    """
    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
