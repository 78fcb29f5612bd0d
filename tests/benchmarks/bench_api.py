"""How fast bills are answered, by the API and on their page, beside an empty route of that server.

    make bench ARGS="api"                                           1,000 units, 2 months of bills
    TALLYGATE_UNITS=10000 TALLYGATE_MONTHS=12 TALLYGATE_SERVERS=2 make bench ARGS="api"

First one request after another over one connection, as a client calls that needs each answer. Then
200 requests a second for some seconds, each counted from the moment at which it was due: what waits
behind a slow one is slow too. Then 32 connections that ask without pause, and the CPU that
one answer takes the server. The server is `tallygate`'s own with all that is around its routes, on
SQLite, of as many processes at one socket as `TALLYGATE_SERVERS` says. Every request asks for
another bill, and its reader is signed in. Another process asks, on the same cores.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

from city import ZONE, MadeUpArchive, make_city
from loopback import HOST, free_port, is_open
from sqlalchemy import select

from api.app import create_app
from api.credentials import digest, new_token
from api.permission import Permission, Role
from api.processes import keep_running
from api.serving import BACKLOG, Patience, server
from api.settings import ApiSettings
from api.store import keys, logins, sessions
from api.turns import Turns
from api.workers import CONNECTIONS as SHARED
from billing import lifecycle
from billing.database import Database
from billing.tables import bill
from meters.catalog import shipped
from meters.interval import Period

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fastapi import FastAPI
    from sqlalchemy import Connection

UNITS = int(os.environ.get("TALLYGATE_UNITS", "1000"))
MONTHS = int(os.environ.get("TALLYGATE_MONTHS", "2"))
SERVERS = int(os.environ.get("TALLYGATE_SERVERS", "1"))
A_COMMUNITY = 1000
RATE, RATE_S = 200, 10
CONNECTIONS, THROUGHPUT_S, WARMING_S = 32, 6, 1
MANY = 10**9
READERS = 200
ALONE = 200
START_S = 120
NOW = Period.month("2026-10", ZONE).interval.end + timedelta(days=400)
"""When all of it happens: after the last of the months."""


def serve(port: int, application: Callable[[bool], FastAPI]) -> None:
    """Serve what `application` makes at `port`, by `SERVERS` processes; the first keeps things up.

    It is asked with whether it is the first.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tallygate-bench-") as folder,
        socket.create_server((HOST, port), backlog=BACKLOG) as listener,
    ):
        keep_running(
            {
                f"server {place}": partial(
                    answer, partial(application, place == 0), listener, Path(folder), place
                )
                for place in range(SERVERS)
            }
        )


def answer(
    application: Callable[[], FastAPI], listener: socket.socket, folder: Path, place: int
) -> None:
    app = application()
    turns = Turns(folder / SHARED, place=place, processes=SERVERS) if SERVERS > 1 else None
    patience = Patience.of(app.state.resources.settings)
    server(app, patience, turns).run(sockets=[listener])


def with_bills(folder: Path, first: bool) -> FastAPI:  # noqa: FBT001  it is bound by position
    """Return the app over the databases of `folder`, with a route that does nothing."""
    settings = ApiSettings(
        database_url=f"sqlite:///{folder}/billing.sqlite",
        archive_url=f"sqlite:///{folder}/archive.sqlite",
        secure_cookies=False,
        key_calls_per_minute=MANY,
        session_calls_per_minute=MANY,
        address_calls_per_minute=MANY,
    )
    app = create_app(settings, clock=lambda: NOW, alone=first)

    async def empty() -> dict[str, str]:
        return {}

    app.add_api_route("/empty", empty)
    app.router.routes.insert(0, app.router.routes.pop())  # found as soon as signposts find
    return app


@dataclass(frozen=True, slots=True)
class Served:
    """A server of another process, and of those that it has started."""

    port: int
    pid: int

    def cpu_s(self) -> float:
        """Return the CPU that those who answer have spent so far."""
        started = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii").split()
        ticks = 0
        for each in started:
            fields = Path(f"/proc/{each}/stat").read_text("ascii").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # utime and stime, of proc(5)
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(script: str, folder: Path, *further: str) -> Iterator[Served]:
    """Run `script serve FOLDER PORT …` and yield the server once it listens."""
    port = free_port()
    command = [sys.executable, script, "serve", str(folder), str(port), *further]
    with subprocess.Popen(command, env=os.environ) as process:
        try:
            until = time.monotonic() + START_S
            while not is_open(port):
                if process.poll() is not None or time.monotonic() > until:
                    sys.exit("the server did not start")
                time.sleep(0.1)
            yield Served(port, process.pid)
        finally:
            process.terminate()


def issue_months(database: Database) -> None:
    """Issue each month's bills of a city."""
    codes = make_city(database, -(-UNITS // A_COMMUNITY), min(UNITS, A_COMMUNITY))
    for month in range(MONTHS):
        period = f"{2026 + (9 + month) // 12}-{(9 + month) % 12 + 1:02}"
        run = lifecycle.create_run(
            database, period=period, communities=codes, actor="clerk", now=NOW
        )
        computed = lifecycle.compute_run(
            database, MadeUpArchive(), shipped(), run_id=run, actor="clerk", now=NOW
        )
        if computed.digest is None:
            sys.exit(f"the run is {computed.state}: {computed.communities[0].problems[:3]}")
        lifecycle.review_run(database, run_id=run, actor="clerk", now=NOW)
        lifecycle.approve_run(
            database, run_id=run, digest=computed.digest, actor="approver", now=NOW
        )
        lifecycle.issue_run(database, run_id=run, actor="approver", now=NOW)


def readers(database: Database) -> tuple[list[bytes], list[bytes]]:
    """Return requests for bills by the API, and for their pages by the owners of them."""
    key = new_token("key")
    by_api, pages = [], []
    with database.transaction() as connection:
        scopes = [Permission.BILLS_READ]
        digested = digest(key)
        keys.add_key(
            connection, name="portal", key_digest=digested, scopes=scopes, gateway=None, now=NOW
        )
        chance = random.Random(7)  # noqa: S311  a choice of bills, no secret
        found = connection.execute(select(bill.c.number, bill.c.account_id)).all()
        for number, row in enumerate(chance.sample(found, min(READERS, len(found)))):
            by_api.append(_get(f"/v1/bills/{row.number}", f"Authorization: Bearer {key}"))
            cookie = signed_in(connection, f"owner-{number}", Role.OWNER, [row.account_id])
            pages.append(_get(f"/bills/{row.number}", f"Cookie: {cookie}"))
    return by_api, pages


def signed_in(connection: Connection, name: str, role: Role, accounts: Sequence[int]) -> str:
    """Return the cookie of a new session of somebody new."""
    token = new_token("session")
    login = logins.add_login(
        connection, name=name, password_hash="", role=role, accounts=accounts, now=NOW
    )
    sessions.open_session(
        connection,
        token_digest=digest(token),
        login_id=login,
        kind=sessions.Kind.PAGE,
        csrf="secret",
        now=NOW,
        expires_at=NOW + timedelta(hours=1),
    )
    return f"tallygate={token}"


def _get(path: str, header: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: court\r\n{header}\r\n\r\n".encode()


class Line:
    """One connection that is kept open, and opened anew where the server closes it."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, request: bytes) -> bytes:
        """Return the body of the answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 20"):
            sys.exit(f"{request!r} was answered {head!r}")
        _, said, rest = head.lower().partition(b"content-length: ")
        body = await self._reader.readexactly(int(rest.split(b"\r\n", 1)[0]) if said else 0)
        if b"\r\nconnection: close\r\n" in head.lower():
            self._writer.close()
            await self._open()
        return body

    async def _open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(HOST, self._port)


async def one_after_another(port: int, requests: Iterable[bytes]) -> list[float]:
    """Ask over one connection; return the seconds of each answer, the quickest first."""
    taken = []
    async with Line(port) as line:
        for request in requests:
            began = time.perf_counter()
            await line.ask(request)
            taken.append(time.perf_counter() - began)
    return sorted(taken)


async def at_a_rate(port: int, requests: Iterable[bytes], rate: int) -> list[float]:
    """Send `rate` requests a second; return the seconds of each answer, the quickest first.

    They count from the moment at which the request was due.
    """
    lines: asyncio.Queue[Line] = asyncio.Queue()
    taken: list[float] = []
    loop = asyncio.get_running_loop()

    async def one(request: bytes, due: float) -> None:
        line = await lines.get()
        await line.ask(request)
        lines.put_nowait(line)
        taken.append(loop.time() - due)

    opened = [Line(port) for _ in range(CONNECTIONS)]
    for line in opened:
        lines.put_nowait(await line.__aenter__())
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            due = began + number / rate
            await asyncio.sleep(max(0, due - loop.time()))
            group.create_task(one(request, due))
    for line in opened:
        await line.__aexit__()
    return sorted(taken)


async def without_pause(
    served: Served, requests: Sequence[bytes], seconds: float
) -> tuple[float, float]:
    """Return the requests that are answered a second, and the CPU of one of them in seconds."""
    before_s = served.cpu_s()
    until = time.monotonic() + seconds

    async def asking(turn: int) -> int:
        answered = 0
        async with Line(served.port) as line:
            while time.monotonic() < until:
                await line.ask(requests[(turn + answered * CONNECTIONS) % len(requests)])
                answered += 1
        return answered

    counts = await asyncio.gather(*(asking(turn) for turn in range(CONNECTIONS)))
    return sum(counts) / seconds, (served.cpu_s() - before_s) / sum(counts)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tallygate-bench-") as name:
        folder = Path(name)
        with Database(f"sqlite:///{folder}/billing.sqlite") as database:
            database.migrate()
            issue_months(database)
            by_api, pages = readers(database)
        print(
            f"{UNITS:,} units, {MONTHS} months of bills, on SQLite; processes of the server:"
            f" {SERVERS}; they and who asks share {os.cpu_count()} cores"
        )
        with served(__file__, folder) as there:
            empty = 0.0
            asked = {"empty route": [_get("/empty", "Accept: */*")]}
            for what, requests in (
                asked | {"bill by API": by_api, "page of a bill": pages}
            ).items():
                asyncio.run(without_pause(there, requests, WARMING_S))
                alone = asyncio.run(one_after_another(there.port, islice(cycle(requests), ALONE)))
                due_in_time = islice(cycle(requests), RATE * RATE_S)
                taken = asyncio.run(at_a_rate(there.port, due_in_time, RATE))
                rate, each_s = asyncio.run(without_pause(there, requests, THROUGHPUT_S))
                empty = empty or rate
                middle, late = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
                one = alone[len(alone) // 2]
                one = alone[len(alone) // 2]
                print(
                    f"{what:<16} one after another: half within {one * 1000:5.1f} ms;"
                    f" at {RATE}/s: half within {middle * 1000:5.1f} ms, 99 % within"
                    f" {late * 1000:6.1f} ms; without pause {rate:7,.0f}/s,"
                    f" {rate / empty:.2f} of the empty route, {each_s * 1000:.1f} ms of CPU each"
                )
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[3]), partial(with_bills, Path(sys.argv[2])))
    else:
        sys.exit(main())
