"""The till of the small community: what is owed and paid in it, in few words.

Its October is issued on the third of December, to be paid by the thirteenth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from billing.payments.provider import Notice, NoticeState
from billing.store import (
    ledger,
    payments,
    payments_claims,
    payments_desk,
    payments_due,
    payments_orders,
)
from billing.store.payments import Callback
from billing.store.payments_desk import Handed
from billing.store.payments_orders import Wish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from small_community import Books

    from billing.payments.judgement import Outcome
    from billing.payments.order import Order
    from billing.store.payments import Said
    from billing.store.payments_book import Payment
    from billing.store.payments_due import Dues, Payer

NOW = datetime(2026, 12, 4, 2, 0, tzinfo=UTC)
"""Ten in the morning in the community, the day after its bills were issued."""
MERCHANT = "1900000001"
CLERK, CASHIER = "clerk", "cashier"


@dataclass(frozen=True, slots=True)
class Till:
    """A community whose bills are issued, and those who take its money."""

    books: Books

    def payer(self, account: str = "A-101") -> Payer:
        with self.books.database.snapshot() as connection:
            return payments_due.payer_named(connection, "yard", account)

    def dues(self, account: str = "A-101", *, settled: bool = False) -> Dues:
        with self.books.database.snapshot() as connection:
            account_id = payments_due.payer_named(connection, "yard", account).account_id
            return payments_due.dues(connection, account_id, settled=settled)

    def due(self, account: str = "A-101") -> list[tuple[str, int]]:
        """Return what is due of each claim, the oldest first."""
        return [(each.claim, each.due) for each in self.dues(account).payables]

    def credit(self, account: str = "A-101") -> int:
        return self.dues(account).credit

    def order(
        self,
        account: str = "A-101",
        claims: Mapping[str, int | None] | None = None,
        *,
        in_advance: int = 0,
        channel: str = "wechat",
        now: datetime = NOW,
        **rest: Any,
    ) -> Order:
        """Open an order over `claims`, or all that is due, for two hours."""
        if claims is None and not in_advance:
            claims = dict.fromkeys((claim for claim, _ in self.due(account)))
        wish = Wish(
            claims=claims or {},
            in_advance=in_advance,
            channel=channel,
            merchant=MERCHANT,
            expires_at=now + timedelta(hours=2),
            **rest,
        )
        account_id = self.payer(account).account_id
        with self.books.database.transaction() as connection:
            return payments_orders.open_order(
                connection, account_id, wish, actor="owner", now=now
            ).order

    def see(self, number: str) -> Order:
        with self.books.database.snapshot() as connection:
            return payments_orders.read(connection, number)

    def take(self, said: Said, *, now: datetime = NOW, body: bytes = b"{}") -> Outcome:
        """Take what a provider has sent."""
        sent = Callback(provider="wechat", received_at=now, headers={"a": "b"}, body=body)
        with self.books.database.transaction() as connection:
            return payments.take(connection, sent, said)

    def take_each(self, *said: Said, now: datetime = NOW) -> list[Outcome | Exception]:
        """Take what a provider has sent at about the same time."""
        sent = [
            (Callback(provider="wechat", received_at=now, headers={}, body=b"%d" % number), each)
            for number, each in enumerate(said)
        ]
        with self.books.database.transaction() as connection:
            return payments.take_each(connection, sent)

    def hand(
        self,
        amount: int,
        account: str = "A-101",
        *,
        document: str = "S-1",
        channel: str = "cash",
        actor: str = CLERK,
        now: datetime = NOW,
        **rest: Any,
    ) -> Payment:
        """Let a clerk enter a payment."""
        handed = Handed(amount=amount, channel=channel, document=document, paid_at=now, **rest)
        with self.books.database.transaction() as connection:
            return payments_desk.enter(connection, "yard", account, handed, actor=actor, now=now)

    def reverse(self, payment_id: int, *, actor: str = CASHIER, kind: str = "bounced") -> Payment:
        with self.books.database.transaction() as connection:
            return payments_desk.reverse(
                connection, payment_id, kind=kind, reason="a test", actor=actor, now=NOW
            )

    def balance(self) -> dict[str, int]:
        """Return the trial balance without accounts at zero and without revenue."""
        with self.books.database.snapshot() as connection:
            found = ledger.trial_balance(connection)
        assert sum(found.values()) == 0
        kept = {name: amount for name, amount in found.items() if not name.startswith("revenue:")}
        return {name: amount for name, amount in kept.items() if amount}

    def assert_books_agree(self) -> None:
        """Assert that what claims and credits say is what the journal says, account by account."""
        with self.books.database.snapshot() as connection:
            accounts = [row[0] for row in self.books.rows("SELECT id FROM account")]
            owed = payments_claims.claims(connection, accounts)
            booked = self.books.rows(
                "SELECT account_id, sum(amount) FROM posting WHERE ledger_account = 'receivable'"
                " GROUP BY account_id"
            )
            due = {account: sum(each.due for each in owed[account]) for account in accounts}
            assert {account: int(amount) for account, amount in booked} == {
                account: due[account] for account, _ in booked
            }
            assert all(amount >= 0 for amount in payments_claims.credits_of(connection).values())
        assert self.balance() is not None


def notice(order: Order, transaction: str = "T1", **changes: Any) -> Notice:
    """Return the notice that pays `order`, but for some changes."""
    values: dict[str, Any] = {
        "provider": order.channel,
        "merchant": order.merchant,
        "order_number": order.number,
        "transaction_id": transaction,
        "amount_fen": order.amount,
        "currency": order.currency,
        "paid_at": NOW,
        "state": NoticeState.PAID,
    }
    return Notice(**values | changes)
