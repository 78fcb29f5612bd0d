"""Notices that arrive while a commit is under way are taken by the next, and answered after it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError
from till import MERCHANT, notice

from api.notices import Notices
from billing.payment_tables import payment, payment_callback
from billing.payments import entries
from billing.payments.judgement import Outcome, Verdict
from billing.store import payments_due, payments_orders
from billing.store.payments import Callback
from billing.store.payments_orders import Wish

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    import pytest
    from conftest import House
    from sqlalchemy import Connection, Table

    from billing.ledger import Entry
    from billing.payments.provider import Notice

ACCOUNT = "A-1-201"


def orders(house: House, count: int) -> list[Notice]:
    """Open orders in advance, and return the notices that pay them."""
    expires_at = house.now + timedelta(hours=1)
    with house.database.transaction() as connection:
        who = payments_due.payer_named(connection, "osmanthus", ACCOUNT).account_id
        opened = [
            payments_orders.open_order(
                connection,
                who,
                Wish(
                    claims={},
                    in_advance=100 + number,
                    channel="wechat",
                    merchant=MERCHANT,
                    expires_at=expires_at,
                ),
                actor="li",
                now=house.now,
            ).order
            for number in range(count)
        ]
    return [notice(each, f"T{number}") for number, each in enumerate(opened)]


def take(notices: Notices, said: Notice, house: House) -> Coroutine[None, None, Outcome]:
    sent = Callback(provider="wechat", received_at=house.now, headers={}, body=b"{}")
    return notices.take(sent, said)


async def let_others_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def count(house: House, table: Table) -> int:
    with house.database.snapshot() as connection:
        return int(connection.scalar(select(func.count()).select_from(table)) or 0)


@contextmanager
def commits(house: House) -> Iterator[list[Connection]]:
    """Give the connections of the commits that follow."""
    seen: list[Connection] = []

    def see(connection: Connection) -> None:
        seen.append(connection)

    event.listen(house.database.engine, "commit", see)
    yield seen
    event.remove(house.database.engine, "commit", see)


def test_what_arrives_during_a_commit_is_taken_by_the_next_and_answered_after_it(
    billed: House,
) -> None:
    first, *others = orders(billed, 20)
    notices = Notices(billed.database)

    async def arrive() -> list[Outcome]:
        with billed.database.transaction():  # somebody else writes
            waiting = [asyncio.create_task(take(notices, first, billed))]
            await let_others_run()
            waiting += [asyncio.create_task(take(notices, each, billed)) for each in others]
            await let_others_run()
            assert not any(each.done() for each in waiting)
        return await asyncio.gather(*waiting)

    with commits(billed) as seen:
        outcomes = billed.runner.run(arrive())

    assert [each.verdict for each in outcomes] == [Verdict.POSTED] * 20
    assert len(seen) == 3  # of whoever else wrote, of the first, and of all others
    assert count(billed, payment) == 20


def test_a_commit_that_fails_is_told_to_all_and_the_next_takes_them(billed: House) -> None:
    said = orders(billed, 5)
    notices = Notices(billed.database)

    def full(_: Connection) -> None:
        raise OperationalError("COMMIT", None, Exception("database or disk is full"))

    async def arrive() -> list[Outcome | BaseException]:
        sent = [take(notices, each, billed) for each in said]
        return await asyncio.gather(*sent, return_exceptions=True)

    event.listen(billed.database.engine, "commit", full)
    failed = billed.runner.run(arrive())
    event.remove(billed.database.engine, "commit", full)

    assert [type(each) for each in failed] == [OperationalError] * 5
    assert count(billed, payment_callback) == 0
    again = billed.runner.run(arrive())
    assert [each.verdict for each in again if isinstance(each, Outcome)] == [Verdict.POSTED] * 5


def test_one_that_cannot_be_taken_is_told_alone(
    billed: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = orders(billed, 3)
    notices = Notices(billed.database)
    enter = entries.payment

    def fail(payment_id: int, *rest: Any, amount: int, **named: Any) -> Entry:
        if amount == 101:
            raise RuntimeError("not this one")
        return enter(payment_id, *rest, amount=amount, **named)

    monkeypatch.setattr("billing.payments.entries.payment", fail)

    async def arrive() -> list[Outcome | BaseException]:
        sent = [take(notices, each, billed) for each in said]
        return await asyncio.gather(*sent, return_exceptions=True)

    told = billed.runner.run(arrive())

    assert [str(getattr(each, "verdict", each)) for each in told] == [
        *("posted", "not this one", "posted")
    ]


def test_who_no_longer_waits_keeps_nobody_from_an_answer(billed: House) -> None:
    first, second = orders(billed, 2)
    notices = Notices(billed.database)

    async def arrive() -> Outcome:
        gone = asyncio.create_task(take(notices, first, billed))
        waiting = asyncio.create_task(take(notices, second, billed))
        await let_others_run()
        gone.cancel()
        return await waiting

    assert billed.runner.run(arrive()).verdict is Verdict.POSTED
    assert count(billed, payment) == 2
