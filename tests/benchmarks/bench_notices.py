"""How many payment notices a server takes in a second, beside an empty route of that server.

    make bench ARGS="notices"                                1,500 payments
    TALLYGATE_PAYMENTS=18000 make bench ARGS="notices"       60 s of them at 300 a second

First the simulated WeChat Pay has every order paid, and what it sends is kept. A third of it goes
to the server without pause, the rest at 300 a second, each counted from the moment at which it was
due; then all of it again, as WeChat Pay repeats what was not answered in time. Each notice is
verified, decrypted, kept as it came, and posted to the ledger, in one transaction. The server is
`tallygate`'s own, on SQLite, of as many processes as `TALLYGATE_SERVERS` says; the requests come
from another.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import bench_api
from bench_api import MANY, NOW, Line, Served, at_a_rate, serve, served
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from loopback import HOST
from scripted_server import ScriptedServer
from sqlalchemy import func, select
from wechat_merchant import account_at

from api.app import create_app
from api.providers import Providers
from api.settings import ApiSettings
from billing.database import Database
from billing.payment_tables import payment
from billing.payments.provider import Ordered
from billing.payments.wechat.client import WechatPay
from billing.store import ledger, payments_orders
from billing.store.payments_orders import Wish
from billing.tables import bill
from simulators.wechat_pay.keys import private_pem
from simulators.wechat_pay.merchant import Merchant
from simulators.wechat_pay.server import WechatPayServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI
    from scripted_server import Asked

    from billing.payments.wechat.account import Account

PAYMENTS = int(os.environ.get("TALLYGATE_PAYMENTS", "1500"))
RATE = 300
CONNECTIONS = 16
WITHIN_S = 30
SEED = 1
KEY = "merchant.pem"


def told_by_wechat(folder: Path, wechat_url: str, first: bool) -> FastAPI:  # noqa: FBT001  it is bound by position
    """Return the app over the databases of `folder`, with a route that does nothing."""
    settings = ApiSettings(
        database_url=f"sqlite:///{folder}/billing.sqlite",
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


def posted(database: Database) -> int:
    with database.snapshot() as connection:
        return int(connection.scalar(select(func.count()).select_from(payment)) or 0)


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="tallygate-bench-") as name,
        WechatPayServer(clock=lambda: NOW, seed=SEED, refund_after_s=None) as wechat,
        Database(f"sqlite:///{name}/billing.sqlite") as database,
    ):
        Path(name, KEY).write_bytes(private_pem(wechat.merchant.key))
        database.migrate()
        bench_api.issue_months(database)
        told = notices(database, wechat)
        half = len(told) // 3
        with served(__file__, Path(name), wechat.base_url) as there:
            empty_posts = [_post("/empty", {}, b"{}")] * 2000
            asyncio.run(without_pause(there, empty_posts[:100]))
            empty, _ = asyncio.run(without_pause(there, empty_posts))
            rate, each_ms = asyncio.run(without_pause(there, told[:half]))
            taken = asyncio.run(at_a_rate(there.port, told[half:], RATE))
            again, again_ms = asyncio.run(without_pause(there, told))
        middle, late = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
        print(
            f"{len(told)} payments of {bench_api.UNITS} units' bills, each told of twice;"
            f" processes of the server: {bench_api.SERVERS}"
        )
        print(
            f"  without pause {rate:,.0f}/s, {each_ms:.1f} ms of CPU each;"
            f" {rate / empty:.2f} of the empty route's {empty:,.0f}/s"
        )
        print(
            f"  at {RATE}/s for {len(taken) / RATE:.0f} s: half within {middle * 1000:.1f} ms,"
            f" 99 % within {late * 1000:.1f} ms"
        )
        print(f"  told of again: {again:,.0f}/s, {again_ms:.1f} ms of CPU each")
        print(f"  payments posted: {posted(database)}")
        with database.snapshot() as connection:
            balance = ledger.trial_balance(connection)
        print(f"  trial balance: {sum(balance.values())}")
        return int(posted(database) != len(told) or sum(balance.values()) != 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[3]), partial(told_by_wechat, Path(sys.argv[2]), sys.argv[4]))
    else:
        sys.exit(main())
