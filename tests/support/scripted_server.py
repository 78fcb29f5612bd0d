"""An HTTP server that answers each request as a script says, and remembers what it was asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from loopback import HOST

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: `parameters` of the URL and of a form, each with its last value."""

    method: str
    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    content: bytes


class ScriptedServer:
    """Serves at `host`:`port` what `answer` returns: a status and a text."""

    host = HOST

    def __init__(self, answer: Callable[[Asked], tuple[int, str]]) -> None:
        scripted = self
        self.answer = answer
        self.asked: list[Asked] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._serve()

            def do_POST(self) -> None:
                self._serve()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _serve(self) -> None:
                url = urlsplit(self.path)
                content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                query = url.query
                if "form" in self.headers.get("Content-Type", ""):
                    query += "&" + content.decode()
                parameters = {name: values[-1] for name, values in parse_qs(query).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, url.path, parameters, headers, content)
                scripted.asked.append(asked)
                status, text = scripted.answer(asked)
                self.send_response(status)
                body = text.encode()
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._http = ThreadingHTTPServer((HOST, 0), Handler)
        self._http.daemon_threads = True
        self.port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
