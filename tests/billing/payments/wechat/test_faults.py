"""Everything goes wrong at once, and each payment is read, right and however often it comes."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from wechat_merchant import WATER

from billing.payments.provider import NotAuthenticError, Notice
from simulators.wechat_pay.faults import Faults, Trouble

if TYPE_CHECKING:
    from wechat_merchant import Callbacks, Clock

    from billing.payments.wechat.client import WechatPay
    from simulators.wechat_pay.server import WechatPayServer

ORDERS = 30
PATIENCE_S = 60


def test_through_every_fault_each_payment_is_told_and_nothing_else_is(
    wechat: WechatPay, server: WechatPayServer, callbacks: Callbacks, clock: Clock
) -> None:
    amounts = {f"TG-fault-{n}": 100 + n for n in range(ORDERS)}
    for number, amount_fen in amounts.items():
        wechat.create(replace(WATER, number=number, amount_fen=amount_fen), now=clock.now)
    server.set_faults(
        Faults(duplicate=30, reorder=30, delay=30, delay_s=20, lose=30, corrupt=30, probe=30)
    )
    for number in amounts:
        server.pay(number)

    until = time.monotonic() + PATIENCE_S
    taken: Counter[str] = Counter()
    while len(taken) < ORDERS:
        assert time.monotonic() < until, amounts.keys() - taken.keys()
        told = callbacks.next()
        if isinstance(told, Notice):
            assert told.amount_fen == amounts[told.order_number]
            taken[told.order_number] += 1
        else:
            assert isinstance(told, NotAuthenticError)

    tries = [each for each in server.tries if each.about in amounts]
    seen = {each.trouble for each in tries}
    assert {Trouble.LOSE, Trouble.CORRUPT, Trouble.PROBE, Trouble.DUPLICATE, None} <= seen
    for each in tries:
        if each.trouble in (Trouble.CORRUPT, Trouble.PROBE):
            assert each.status == 400
        elif each.trouble is not Trouble.LOSE:
            assert each.status == 204
