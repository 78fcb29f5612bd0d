"""Orders over what is paid already are closed at their provider, and no others."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from till import MERCHANT, NOW

from billing.payments.order import OrderState
from billing.payments.provider import RefusedError, UnreachableError
from billing.store.payments_overlaps import Superfluous, close_superfluous

if TYPE_CHECKING:
    from till import Till

BILL = "bill:yard-2026-10-0001"


@dataclass
class Closing:
    """A provider that is asked to close orders, and what it says to it."""

    says: list[Exception | None] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def close(self, number: str, *, now: datetime) -> None:
        assert now >= NOW
        self.asked.append(number)
        said = self.says.pop(0) if self.says else None
        if said is not None:
            raise said


def closed(till: Till, provider: Closing, *, minutes: int = 0) -> Superfluous:
    providers: Any = {("wechat", MERCHANT): provider}
    return close_superfluous(till.books.database, providers, now=NOW + timedelta(minutes=minutes))


def test_an_order_is_closed_once_less_is_due_than_it_asks_for(till: Till) -> None:
    provider = Closing()
    ((claim, due), *_) = till.due()
    assert claim == BILL
    most, little = till.order(claims={BILL: due - 100}), till.order(claims={BILL: 100})
    till.order(in_advance=500)
    till.hand(100)
    assert closed(till, provider) == Superfluous((), {})
    till.hand(1, document="S-2")
    assert closed(till, provider) == Superfluous((most.number,), {})
    assert set(provider.asked) == {most.number}
    assert till.see(most.number).state is OrderState.CLOSED
    assert till.see(little.number).state is OrderState.OPEN
    assert closed(till, provider) == Superfluous((), {})


@pytest.mark.parametrize(
    "error", [UnreachableError("no answer"), RefusedError("ORDERPAID", "it is paid")]
)
def test_what_cannot_be_closed_now_is_tried_again(sqlite_till: Till, error: Exception) -> None:
    provider = Closing([error])
    order = sqlite_till.order(claims={BILL: None})
    sqlite_till.hand(order.amount)
    assert closed(sqlite_till, provider) == Superfluous((), {order.number: str(error)})
    assert sqlite_till.see(order.number).state is OrderState.OPEN
    assert closed(sqlite_till, provider).closed == (order.number,)


def test_an_order_whose_time_is_over_is_left_to_the_sweep(sqlite_till: Till) -> None:
    provider = Closing()
    order = sqlite_till.order(claims={BILL: None})
    sqlite_till.hand(order.amount)
    assert closed(sqlite_till, provider, minutes=121) == Superfluous((), {})
    assert provider.asked == []


def test_an_order_at_a_provider_that_is_not_set_up_is_named(sqlite_till: Till) -> None:
    order = sqlite_till.order(claims={BILL: None}, channel="alipay")
    sqlite_till.hand(order.amount)
    why = f"no provider alipay is set up for {MERCHANT}"
    assert closed(sqlite_till, Closing()) == Superfluous((), {order.number: why})
