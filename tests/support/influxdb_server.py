"""A real InfluxDB 1.x on loopback, with a configuration and data of its own, and its shim.

The shim is a proxy in front of it that maps `/api/v2/write` to `/write`, as 1.8 does itself: so the
client library of InfluxDB 2 writes to the version that distributions ship.
"""

from __future__ import annotations

import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from loopback import HOST, free_port
from server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

CONFIGURATION = """\
reporting-disabled = true
bind-address = "{host}:0"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[http]
  bind-address = "{host}:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
"""


def find_influxd() -> str | None:
    """Return the path of `influxd` 1.x, None where it is not installed."""
    return shutil.which("influxd") or shutil.which("influxd", path="/usr/sbin:/usr/local/sbin")


class InfluxdbServer:
    """An `influxd` at `host`:`port` that survives `kill()` and `start()` with its port and data."""

    host = HOST

    def __init__(self, executable: str, directory: Path) -> None:
        self.port = free_port()
        configuration = directory / "influxdb.conf"
        configuration.write_text(
            CONFIGURATION.format(host=HOST, port=self.port, folder=directory), "utf-8"
        )
        self._process = ServerProcess(
            [executable, "-config", str(configuration)], port=self.port, log=directory / "log"
        )

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        self._process.start()

    def stop(self) -> None:
        """End the server in an orderly way."""
        self._process.stop()

    def kill(self) -> None:
        """End the server as a power cut would."""
        self._process.kill()

    def ask(self, statement: str) -> httpx.Response:
        """Carry out a statement of InfluxQL, as an administrator does."""
        answer = httpx.post(f"{self.base_url}/query", data={"q": statement}, timeout=30)
        answer.raise_for_status()
        return answer

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class WriteShim:
    """A proxy at `host`:`port` that gives a 1.x server the write endpoint of later ones."""

    host = HOST

    def __init__(self, server: InfluxdbServer) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._pass_on(b"")

            def do_POST(self) -> None:
                self._pass_on(self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _pass_on(self, content: bytes) -> None:
                url = urlsplit(self.path)
                path, parameters = url.path, dict(parse_qsl(url.query))
                if path == "/api/v2/write":
                    database, _, policy = parameters.pop("bucket").partition("/")
                    path = "/write"
                    parameters |= {"db": database, **({"rp": policy} if policy else {})}
                headers = {
                    name: self.headers[name]
                    for name in ("Content-Type", "Content-Encoding")
                    if name in self.headers
                }
                answer = client.request(
                    self.command,
                    f"{path}?{urlencode(parameters)}",
                    content=content,
                    headers=headers,
                )
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

        client = httpx.Client(base_url=server.base_url, timeout=30)
        self._client = client
        self._proxy = ThreadingHTTPServer((HOST, 0), Handler)
        self._proxy.daemon_threads = True
        self.port = self._proxy.server_port
        self._thread = threading.Thread(target=self._proxy.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._proxy.shutdown()
        self._proxy.server_close()
        self._client.close()
