"""How many payment notices a server takes in a second, beside an empty route of that server.

    make bench ARGS="notices"                                   500 payments, and 3 s of them
    TALLYGATE_SECONDS=60 make bench ARGS="notices"              60 s of them
    TALLYGATE_DATABASE=postgresql make bench ARGS="notices"     on a PostgreSQL of its own

First the simulated WeChat Pay has every order paid, and what it sends is kept. Some of it goes to
the server without pause, the rest at 300 a second, each counted from the moment at which it was
due; then all of it again without pause, as WeChat Pay repeats what was not answered in time. Each
notice is verified, decrypted, kept as it came, and posted to the ledger; what waits goes together
into one transaction. The server is `tallygate`'s own, of as many processes as `TALLYGATE_SERVERS`
says; the requests come from another. The rate is held if the last is answered within a second of
the moment at which it was due; that no payment is lost or posted twice, and that the trial balance
is zero, decides how this ends.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import bench_api
from bench_api import MANY, NOW, Line, Served, at_a_rate, serve, served
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from loopback import HOST
from postgresql_server import find_postgresql, postgresql_server
from scripted_server import ScriptedServer
from sqlalchemy import func, select
from wechat_merchant import account_at

from api.app import create_app
from api.providers import Providers
from api.settings import ApiSettings
from billing.database import Database
from billing.payment_tables import payment, payment_callback
from billing.payments.provider import Ordered
from billing.payments.wechat.client import WechatPay
from billing.store import ledger, payments_orders
from billing.store.payments_orders import Wish
from billing.tables import bill
from simulators.wechat_pay.keys import private_pem
from simulators.wechat_pay.merchant import Merchant
from simulators.wechat_pay.server import WechatPayServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastapi import FastAPI
    from scripted_server import Asked

    from billing.payments.wechat.account import Account

RATE = 300
RATE_S = int(os.environ.get("TALLYGATE_SECONDS", "3"))
WITHOUT_PAUSE = 500
PAYMENTS = WITHOUT_PAUSE + RATE * RATE_S
CONNECTIONS = 16
HELD_S = 1
WITHIN_S = 30
SEED = 1
KEY = "merchant.pem"


def told_by_wechat(folder: Path, wechat_url: str, database_url: str, first: bool) -> FastAPI:  # noqa: FBT001  it is bound by position
    """Return the app over these databases, with a route that does nothing."""
    settings = ApiSettings(
        database_url=database_url,
        archive_url=f"sqlite:///{folder}/archive.sqlite",
        secure_cookies=False,
        address_calls_per_minute=MANY,
    )
    app = create_app(settings, clock=lambda: NOW, alone=first)
    provider = WechatPay(account(folder, wechat_url, f"http://{HOST}/v1/callbacks/wechat"))
    provider.fetch_certificates(now=NOW)
    app.state.resources = replace(app.state.resources, providers=Providers(provider))

    async def empty() -> dict[str, str]:
        return {}

    app.add_api_route("/empty", empty, methods=["POST"])
    app.router.routes.insert(0, app.router.routes.pop())  # found as soon as signposts find
    return app


def account(folder: Path, wechat_url: str, notify_url: str) -> Account:
    """Return the account whose key lies in `folder`, at the WeChat Pay of another process."""
    key: Any = load_pem_private_key((folder / KEY).read_bytes(), None)
    merchant = replace(Merchant.made_up(SEED), key=key)
    there: Any = SimpleNamespace(merchant=merchant, base_url=wechat_url)
    return account_at(there, notify_url)


def notices(database: Database, wechat: WechatPayServer) -> list[bytes]:
    """Return the requests by which WeChat Pay tells of as many payments of parts of bills."""
    sent: queue.Queue[Asked] = queue.Queue()

    def hear(asked: Asked) -> tuple[int, str]:
        sent.put(asked)
        return 204, ""

    with ScriptedServer(hear) as ear:
        provider = WechatPay(account_at(wechat, f"http://{ear.host}:{ear.port}/notices"))
        for order in orders(database, provider):
            provider.create(order, now=NOW)
            wechat.pay(order.number)
        told = [sent.get(timeout=WITHIN_S) for _ in range(PAYMENTS)]
        provider.close_connections()
    return [_post("/v1/callbacks/wechat", each.headers, each.content) for each in told]


def orders(database: Database, provider: WechatPay) -> list[Ordered]:
    """Open orders for bills in turn, each for another part, and return them."""
    expires_at = NOW.replace(microsecond=0) + timedelta(hours=1)
    made = []
    with database.transaction() as connection:
        bills = connection.execute(
            select(bill.c.number, bill.c.account_id).where(bill.c.total > 100_00)
        ).all()
        for turn in range(PAYMENTS):
            one = bills[turn % len(bills)]
            wish = Wish(
                claims={f"bill:{one.number}": 100 + turn // len(bills)},
                channel=provider.name,
                merchant=provider.merchant,
                expires_at=expires_at,
            )
            order = payments_orders.open_order(
                connection, one.account_id, wish, actor="clerk", now=NOW
            ).order
            made.append(
                Ordered(
                    number=order.number,
                    amount_fen=order.amount,
                    currency=order.currency,
                    description=one.number,
                    expires_at=expires_at,
                )
            )
    return made


def _post(path: str, headers: dict[str, str], content: bytes) -> bytes:
    kept = {**headers, "host": "court", "content-length": str(len(content))}
    head = "".join(f"{name}: {value}\r\n" for name, value in kept.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content


async def without_pause(served: Served, requests: Sequence[bytes]) -> tuple[float, float]:
    """Send each request once; return how many were answered a second, and the CPU of each in ms."""
    waiting = iter(requests)

    async def sending() -> None:
        async with Line(served.port) as line:
            for request in waiting:
                await line.ask(request)

    began, before_s = time.monotonic(), served.cpu_s()
    await asyncio.gather(*(sending() for _ in range(CONNECTIONS)))
    rate = len(requests) / (time.monotonic() - began)
    return rate, (served.cpu_s() - before_s) / len(requests) * 1000


@contextmanager
def database_asked_for(folder: Path) -> Iterator[str]:
    """Yield the URL of an empty database of the kind that `TALLYGATE_DATABASE` names."""
    if os.environ.get("TALLYGATE_DATABASE", "sqlite") == "sqlite":
        yield f"sqlite:///{folder}/billing.sqlite"
        return
    programs = find_postgresql()
    if programs is None:
        sys.exit("PostgreSQL is not installed: apt-get install postgresql")
    with postgresql_server(programs, fsync=True) as url:
        yield url


@dataclass(frozen=True, slots=True)
class Taken:
    """How a server took notices: seconds of each answer at a rate, the quickest first."""

    empty_rate: float
    empty_ms: float
    rate: float
    each_ms: float
    waited_s: list[float]
    rate_ms: float
    again_rate: float
    again_ms: float


def measure(there: Served, told: list[bytes]) -> Taken:
    """Send what the provider has told, and return how it was taken."""
    empty_posts = [_post("/empty", {}, b"{}")] * 2000
    asyncio.run(without_pause(there, empty_posts[:100]))
    empty = asyncio.run(without_pause(there, empty_posts))
    first = asyncio.run(without_pause(there, told[:WITHOUT_PAUSE]))
    before_s = there.cpu_s()
    waited = asyncio.run(at_a_rate(there.port, told[WITHOUT_PAUSE:], RATE))
    rate_ms = (there.cpu_s() - before_s) / len(waited) * 1000
    again = asyncio.run(without_pause(there, told))
    return Taken(*empty, *first, waited, rate_ms, *again)


def tell(taken: Taken) -> None:
    waited = taken.waited_s
    middle, late = waited[len(waited) // 2], waited[len(waited) * 99 // 100]
    print(
        f"  without pause {taken.rate:,.0f}/s, {taken.each_ms:.1f} ms of CPU each;"
        f" {taken.rate / taken.empty_rate:.2f} of the empty route's {taken.empty_rate:,.0f}/s,"
        f" {taken.empty_ms:.1f} ms each"
    )
    print(
        f"  at {RATE}/s for {RATE_S} s: half within {middle * 1000:.1f} ms, 99 % within"
        f" {late * 1000:.1f} ms, all within {waited[-1] * 1000:.0f} ms,"
        f" {taken.rate_ms:.1f} ms of CPU each: {'held' if waited[-1] < HELD_S else 'NOT HELD'}"
    )
    print(f"  told of again: {taken.again_rate:,.0f}/s, {taken.again_ms:.1f} ms of CPU each")


def tell_books(database: Database, count: int) -> bool:
    """Print what was posted; return whether it is each payment once, and the books balance."""
    with database.snapshot() as connection:
        posted = connection.scalar(select(func.count()).select_from(payment))
        verdict = payment_callback.c.verdict
        kept = connection.execute(select(verdict, func.count()).group_by(verdict))
        verdicts = {str(name): int(number) for name, number in kept}
        balance = sum(ledger.trial_balance(connection).values())
    print(f"  payments posted: {posted} of {count}; notices kept: {verdicts}")
    print(f"  trial balance: {balance}")
    return posted == count and balance == 0 and verdicts == {"posted": count, "known": count}


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="tallygate-bench-") as name,
        WechatPayServer(clock=lambda: NOW, seed=SEED, refund_after_s=None) as wechat,
        database_asked_for(Path(name)) as url,
        Database(url) as database,
    ):
        Path(name, KEY).write_bytes(private_pem(wechat.merchant.key))
        database.migrate()
        bench_api.issue_months(database)
        told = notices(database, wechat)
        with served(__file__, Path(name), wechat.base_url, url) as there:
            taken = measure(there, told)
        print(
            f"{len(told)} payments of {bench_api.UNITS} units' bills, each told of twice, on"
            f" {database.engine.dialect.name}; processes of the server: {bench_api.SERVERS}"
        )
        tell(taken)
        return int(not tell_books(database, len(told)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[3]), partial(told_by_wechat, Path(sys.argv[2]), *sys.argv[4:6]))
    else:
        sys.exit(main())
