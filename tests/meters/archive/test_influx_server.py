"""Whatever a server does in the middle of an answer, no connection to it stays open behind us."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Self

import pytest
from loopback import HOST

from meters.archive.open import open_archive
from meters.archive.protocol import ArchiveUnavailableError
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from types import TracebackType

WAIT_S = 10
READING = Reading(
    Series("sdm120-1", "import_energy"),
    datetime(2026, 10, 1, 12, tzinfo=UTC),
    Decimal("10909.28"),
    "462a 7521",
    Verdict.GOOD,
)
NOTHING = json.dumps({"results": [{"statement_id": 0}]}).encode()
FOUND = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(NOTHING), NOTHING)
HALVES = {
    "no word": b"",
    "half a status": b"HTTP/1.1 2",
    "half a header": b"HTTP/1.1 503 Service Unavailable\r\nContent-Le",
    "half a body": FOUND[:-5],
    "half an objection": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 90\r\n\r\nfield type",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
    "no HTTP": b"\x00\x03\x00\x00\x00\x06\r\n\r\n",
}


class LeavingServer:
    """Answers questions well where `answers`, all else with `half`; then it falls silent or ends.

    It ends its own direction only: so it notices when the other side closes the connection.
    """

    def __init__(self, half: bytes, *, answers: bool, ends: bool) -> None:
        self._half, self._answers, self._ends = half, answers, ends
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._serving: list[threading.Thread] = []
        self.left: list[bool] = []
        """Of each connection, whether the other side has closed it."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # ends `accept`
        self._thread.join()
        self._listener.close()
        for thread in self._serving:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._serving.append(threading.Thread(target=self._serve, args=(connection,)))
            self._serving[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(WAIT_S)
            try:
                while (asked := self._request(connection)) is not None:
                    if self._answers and b" /query?" in asked:
                        connection.sendall(FOUND)
                        continue
                    connection.sendall(self._half)
                    if self._ends:
                        connection.shutdown(socket.SHUT_WR)
                self.left.append(True)
            except TimeoutError:
                self.left.append(False)
            except ConnectionError:  # closed before it had read everything
                self.left.append(True)

    @staticmethod
    def _request(connection: socket.socket) -> bytes | None:
        """Return the head of the next request, None where the other side has left."""
        content = b""
        while b"\r\n\r\n" not in content:
            if not (part := connection.recv(65_536)):
                return None
            content += part
        head, _, body = content.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                missing = int(line.partition(b":")[2]) - len(body)
                while missing > 0:
                    missing -= len(connection.recv(missing))
        return head


@pytest.mark.parametrize("version", ["version=1", "version=2&org=o", "version=3"])
@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES.keys())
@pytest.mark.parametrize("answers", [False, True], ids=["asked", "written to"])
def test_a_server_that_ends_half_way_is_left_for_good(
    version: str, half: bytes, *, answers: bool
) -> None:
    with LeavingServer(half, answers=answers, ends=True) as server:
        url = f"influxdb+http://{HOST}:{server.port}/meters?{version}"
        with closing(open_archive(url)) as archive, pytest.raises(ArchiveUnavailableError):
            archive.append([READING])
    assert server.left
    assert all(server.left), "a connection stayed open"


@pytest.mark.parametrize("version", ["version=1", "version=2&org=o", "version=3"])
@pytest.mark.parametrize("answers", [False, True], ids=["asked", "written to"])
def test_a_server_that_falls_silent_half_way_is_left_for_good(
    version: str, *, answers: bool
) -> None:
    with LeavingServer(HALVES["half a body"], answers=answers, ends=False) as server:
        url = f"influxdb+http://{HOST}:{server.port}/meters?{version}&timeout_s=1"
        with closing(open_archive(url)) as archive, pytest.raises(ArchiveUnavailableError):
            archive.append([READING])
    assert server.left
    assert all(server.left), "a connection stayed open"
