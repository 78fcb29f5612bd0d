"""One InfluxDB server over HTTP: lines go in, answers come out, and what went wrong has a name.

1.x takes lines at `/write`; 1.8, 2.x and 3.x at `/api/v2/write`, through influxdb-client. Its
synchronous writing is used, without retries: its batching mode loses points without a word.
Outcomes of a write: stored; the server's objection to a line (400, 413, 422), which says little
about the others; anything else is an outage, after which the same lines are sent again.
"""

from __future__ import annotations

import gzip
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import httpx

from meters.archive.circuit import SECOND_NS, Circuit
from meters.archive.influxql import Table
from meters.archive.protocol import ArchiveUnavailableError, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meters.archive.influx_address import InfluxAddress

CONNECT_TIMEOUT_S = 5
OBJECTIONS = frozenset({400, 413, 422})
"""Statuses that may be about one line."""
_URL_MAX = 4000
_TOLD_MAX = 300


class SpanTooWideError(RuntimeError):
    """InfluxDB 3 Core reads only so many files for one question; ask for less at a time."""


class QuestionRefusedError(RuntimeError):
    """The server does not understand a question: a mistake of this software, or of its version."""


class ServerAwayError(RuntimeError):
    """No answer came, or none that is worth the name."""


class Writer(Protocol):
    """One way to write lines. Raises `ServerAwayError` or `httpx.HTTPError`."""

    def write(self, content: bytes) -> tuple[int, str]:
        """Send lines; return the status and the server's words."""

    def close(self) -> None:
        """Release connections."""


class WriteEndpoint:
    """`/write` of 1.x."""

    def __init__(self, http: httpx.Client, address: InfluxAddress) -> None:
        self._http = http
        self._gzip = address.gzip
        policy = {} if address.policy is None else {"rp": address.policy}
        self._parameters = {"db": address.database, "precision": "s", **policy}

    def write(self, content: bytes) -> tuple[int, str]:
        headers = {}
        if self._gzip:
            content, headers = gzip.compress(content, 1), {"Content-Encoding": "gzip"}
        answer = self._http.post(
            "/write", params=self._parameters, content=content, headers=headers
        )
        return answer.status_code, answer.text

    def close(self) -> None:
        """Nothing: the connections are the server's."""


class InfluxServer:
    """A server with its circuit: while it is away, calls fail at once.

    Every method raises `ArchiveUnavailableError`.
    """

    def __init__(self, address: InfluxAddress) -> None:
        """Connect nowhere yet. Raises `ArchiveUrlError` where a secret is not there."""
        self.address = address
        secret = address.secret(os.environ)
        headers, auth = {}, None
        if address.version == 1 and address.user is not None:
            auth = httpx.BasicAuth(address.user, secret or "")
        elif address.version > 1 and secret is not None:
            headers["Authorization"] = f"Token {secret}"
        self._http = httpx.Client(
            base_url=address.base_url,
            headers=headers,
            auth=auth,
            timeout=httpx.Timeout(address.timeout_s, connect=CONNECT_TIMEOUT_S),
        )
        self._writer: Writer
        if address.version == 1:
            self._writer = WriteEndpoint(self._http, address)
        else:
            from meters.archive.influx_client import (  # noqa: PLC0415 - large: 1.x does without it
                ClientWriter,
            )

            self._writer = ClientWriter(address, secret)
        self._circuit = Circuit()

    def close(self) -> None:
        self._writer.close()
        self._http.close()

    def write(self, lines: Sequence[str]) -> str | None:
        """Write `lines`; return None where all are stored, else what the server objects to."""
        with self._reaching():
            status, words = self._writer.write("\n".join(lines).encode())
            if status in OBJECTIONS:
                return f"{self.address}: {status} {_told(words)}"
            if not 200 <= status < 300:
                raise ServerAwayError(f"it answers a write with {status}: {_told(words)}")
        return None

    def ask(self, questions: Sequence[str]) -> list[Table]:
        """Return the tables that answer `questions`, all together.

        Raises `SpanTooWideError`, and `QuestionRefusedError`.
        """
        if not questions:
            return []
        parameters = {"db": self.address.database, "epoch": "s", "q": ";".join(questions)}
        if self.address.policy is not None:
            parameters["rp"] = self.address.policy
        with self._reaching():
            if len(parameters["q"]) < _URL_MAX:
                answer = self._http.get("/query", params=parameters)
            else:
                answer = self._http.post("/query", data=parameters)
            return self._tables(answer)

    def _tables(self, answer: httpx.Response) -> list[Table]:
        if "file limit" in answer.text[:_URL_MAX]:
            raise SpanTooWideError(_told(answer.text))
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise QuestionRefusedError(f"{self.address}: {_told(answer.text)}")
        if answer.status_code != httpx.codes.OK:
            raise ServerAwayError(
                f"it answers a question with {answer.status_code}: {_told(answer.text)}"
            )
        tables = []
        for result in answer.json().get("results", []):
            if "error" in result:
                raise ServerAwayError(str(result["error"]))
            tables += [
                Table(series.get("tags", {}), series["columns"], series["values"])
                for series in result.get("series", [])
            ]
        return tables

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn what says "not now" into `ArchiveUnavailableError`, and keep the circuit."""
        wait_ns = self._circuit.wait_ns(time.monotonic_ns())
        if wait_ns:
            seconds = -(-wait_ns // SECOND_NS)
            raise self._unavailable(f"{self._circuit.why}; it is left alone for {seconds} s more")
        try:
            yield
        except (httpx.HTTPError, ServerAwayError) as error:
            why = str(error) or type(error).__name__
            self._circuit.failed(time.monotonic_ns(), why)
            raise self._unavailable(why) from error
        self._circuit.succeeded()

    def _unavailable(self, why: str) -> ArchiveUnavailableError:
        return unavailable(str(self.address), _told(why))


def _told(words: str) -> str:
    """Return what a server says in a readable length: it repeats a bad line before its reason."""
    words = words.strip()
    if len(words) <= _TOLD_MAX:
        return words
    return f"{words[: _TOLD_MAX // 3]} … {words[-2 * _TOLD_MAX // 3 :]}"
