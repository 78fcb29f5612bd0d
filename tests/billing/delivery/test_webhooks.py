"""Webhooks arrive signed, say what has happened, and can be sent again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import told
from loopback import HOST
from scripted_server import ScriptedServer
from told import NOW, SEAL, Clock, Noting

from billing.delivery import signing
from billing.delivery.destination import Reach
from billing.delivery.dispatching import Dispatcher
from billing.delivery.webhook import WebhookSender
from billing.sealing import NoSealKeyError, Seal, SealError
from billing.store import delivery_secrets, delivery_webhooks
from billing.store.delivery_webhooks import (
    UnknownDeliveryError,
    UnknownWebhookError,
    WebhookOffError,
)

if TYPE_CHECKING:
    from small_community import Books

    from billing.store.delivery_webhooks import Webhook

NOW_S = int(NOW.timestamp())


def change(books: Books, webhook: Webhook, *, on: bool) -> Webhook:
    with books.database.transaction() as connection:
        return delivery_webhooks.change(
            connection,
            webhook.id,
            url=webhook.url,
            title="",
            kinds=webhook.kinds,
            on=on,
            actor="admin",
            now=NOW,
        )


def test_an_event_arrives_signed_at_a_real_endpoint(sqlite_books: Books) -> None:
    told.tell(sqlite_books.database, "B-1")
    with ScriptedServer(lambda _: (204, "")) as server:
        made = told.hook(sqlite_books.database, url=f"http://{HOST}:{server.port}/hook")
        sender = WebhookSender(Reach.THIS_MACHINE, SEAL)
        assert Dispatcher(sqlite_books.database, [sender], Clock()).deliver() == 1

    (asked,) = server.asked
    message = signing.verify(asked.headers, asked.content, made.secrets(SEAL, NOW)[0], now_s=NOW_S)
    assert message.startswith("msg_")
    assert asked.headers["content-type"] == "application/json"
    assert json.loads(asked.content) == {
        "type": "bill.issued",
        "timestamp": "2026-12-04T02:00:00Z",
        "data": {"bill": "B-1", "total": "12.34"},
    }


@pytest.mark.parametrize(
    ("status", "said", "detail"),
    [(302, "failed", "redirects are not followed"), (500, "failed", "no"), (410, "gone", "")],
)
def test_what_an_endpoint_answers_is_kept(
    sqlite_books: Books, status: int, said: str, detail: str
) -> None:
    told.tell(sqlite_books.database, "B-1")
    with ScriptedServer(lambda _: (status, "no")) as server:
        told.hook(sqlite_books.database, url=f"http://{HOST}:{server.port}/hook")
        Dispatcher(
            sqlite_books.database, [WebhookSender(Reach.THIS_MACHINE, SEAL)], Clock()
        ).deliver()

    (row,) = sqlite_books.rows("SELECT said, status, detail FROM delivery_attempt")
    assert row[:2] == (said, status)
    assert detail in row[2]


def test_an_address_that_leads_inside_is_not_called(sqlite_books: Books) -> None:
    told.tell(sqlite_books.database, "B-1")
    with ScriptedServer(lambda _: (200, "")) as server:
        told.hook(sqlite_books.database, url=f"https://{HOST}:{server.port}/hook")
        Dispatcher(sqlite_books.database, [WebhookSender(Reach.PUBLIC, SEAL)], Clock()).deliver()

    assert server.asked == []
    (row,) = sqlite_books.rows("SELECT said, detail FROM delivery_attempt")
    assert row == ("failed", f"its address {HOST} is no address of the public internet")


def test_two_secrets_sign_while_one_is_replaced(sqlite_books: Books) -> None:
    first = told.hook(sqlite_books.database)
    with sqlite_books.database.transaction() as connection:
        second = delivery_webhooks.rotate(
            connection, SEAL, first.id, overlap=timedelta(days=1), actor="admin", now=NOW
        )

    (before,) = first.secrets(SEAL, NOW)
    newest, other = second.secrets(SEAL, NOW)
    assert (newest == before, other == before) == (False, True)
    assert second.secrets(SEAL, NOW + timedelta(days=1)) == (newest,)


def test_nothing_is_sent_while_the_key_of_its_secret_is_missing_and_all_of_it_later(
    sqlite_books: Books,
) -> None:
    clock, database = Clock(), sqlite_books.database
    told.tell(database, "B-1")
    with ScriptedServer(lambda _: (204, "")) as server:
        told.hook(database, url=f"http://{HOST}:{server.port}/hook")
        for seal in (Seal(), Seal(["n" * 40]), SEAL):
            Dispatcher(database, [WebhookSender(Reach.THIS_MACHINE, seal)], clock).deliver()
            clock.wait(hours=1)

    assert len(server.asked) == 1
    said = sqlite_books.rows("SELECT said, detail FROM delivery_attempt ORDER BY id")
    asks = "its secret does not open: "
    assert said == [
        ("failed", asks + "set `secret_keys` in the settings"),
        ("failed", asks + "it was sealed by a key that `secret_keys` no longer lists"),
        ("sent", ""),
    ]


def test_secrets_are_not_in_the_database_and_not_of_another_row(sqlite_books: Books) -> None:
    first, second = told.hook(sqlite_books.database), told.hook(sqlite_books.database)
    assert "whsec_" not in str(sqlite_books.rows("SELECT * FROM webhook"))
    with pytest.raises(SealError, match="somebody else"):
        replace(first, secret=second.secret).secrets(SEAL, NOW)


def test_secrets_in_clear_and_of_an_older_key_are_sealed_anew(sqlite_books: Books) -> None:
    clear, older = told.hook(sqlite_books.database), told.hook(sqlite_books.database)
    (known,) = older.secrets(SEAL, NOW)
    with sqlite_books.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE webhook SET secret = 'whsec_new', secret_before = 'whsec_old', "
            "secret_before_until = '2027-01-01 00:00:00' WHERE id = 1"
        )
        with pytest.raises(NoSealKeyError):
            delivery_secrets.seal_anew(connection, Seal())
        assert delivery_secrets.is_any_clear(connection)
        newest = Seal(["n" * 40, "k" * 40])
        assert delivery_secrets.seal_anew(connection, newest) == 2
        assert delivery_secrets.seal_anew(connection, newest) == 0
        assert not delivery_secrets.is_any_clear(connection)
        only = Seal(["n" * 40])
        assert delivery_webhooks.read(connection, clear.id).secrets(only, NOW) == (
            "whsec_new",
            "whsec_old",
        )
        assert delivery_webhooks.read(connection, older.id).secrets(only, NOW) == (known,)


def test_a_delivery_is_sent_again_under_its_id(sqlite_books: Books) -> None:
    made, sender = told.hook(sqlite_books.database), Noting()
    told.tell(sqlite_books.database, "B-1")
    told.deliver(sqlite_books.database, sender)
    with sqlite_books.database.transaction() as connection:
        (sent,) = delivery_webhooks.sent(connection, made.id, limit=10)
        again = delivery_webhooks.replay(connection, made.id, sent.id, actor="admin", now=NOW)
        assert (again.state, again.tries) == ("waiting", 0)
        with pytest.raises(UnknownDeliveryError):
            delivery_webhooks.replay(connection, made.id, 99, actor="admin", now=NOW)

    told.deliver(sqlite_books.database, sender)
    assert sender.sent[0] == sender.sent[1]
    with sqlite_books.database.snapshot() as connection:
        assert [each.said for each in delivery_webhooks.attempts(connection, sent.id)] == [
            "sent",
            "sent",
        ]


def test_everything_since_a_time_is_sent_again_with_what_was_missed(sqlite_books: Books) -> None:
    made, sender = told.hook(sqlite_books.database), Noting()
    told.tell(sqlite_books.database, "B-1")
    told.deliver(sqlite_books.database, sender)
    change(sqlite_books, made, on=False)
    told.tell(sqlite_books.database, "B-2")
    told.deliver(sqlite_books.database, sender)
    assert len(sender.sent) == 1
    with (
        pytest.raises(WebhookOffError, match="switch it on"),
        sqlite_books.database.transaction() as connection,
    ):
        delivery_webhooks.replay_since(connection, made.id, NOW, actor="admin", now=NOW)
    change(sqlite_books, made, on=True)
    with sqlite_books.database.transaction() as connection:
        later = NOW + timedelta(seconds=1)
        for since, count in ((later, 0), (NOW, 2)):
            assert count == delivery_webhooks.replay_since(
                connection, made.id, since, actor="admin", now=NOW
            )

    told.deliver(sqlite_books.database, sender)
    assert sorted(subject for subject, _ in sender.sent) == ["B-1", "B-1", "B-2"]


def test_a_webhook_that_has_ended_is_not_there_and_keeps_no_secret(sqlite_books: Books) -> None:
    made = told.hook(sqlite_books.database)
    with sqlite_books.database.transaction() as connection:
        delivery_webhooks.end(connection, made.id, actor="admin", now=NOW)
        assert delivery_webhooks.listed(connection) == []
        with pytest.raises(UnknownWebhookError):
            delivery_webhooks.read(connection, made.id)
    told.tell(sqlite_books.database, "B-1")

    assert told.deliver(sqlite_books.database, Noting()) == 0
    assert sqlite_books.rows("SELECT secret, secret_before FROM webhook") == [("", None)]


def test_every_change_stands_in_the_audit_log(sqlite_books: Books) -> None:
    made = change(sqlite_books, told.hook(sqlite_books.database), on=True)
    with sqlite_books.database.transaction() as connection:
        delivery_webhooks.rotate(
            connection, SEAL, made.id, overlap=timedelta(0), actor="admin", now=NOW
        )
        delivery_webhooks.end(connection, made.id, actor="admin", now=NOW)

    rows = sqlite_books.rows(
        "SELECT action, detail FROM audit WHERE subject = '1' ORDER BY position"
    )
    assert [action for action, _ in rows if action.startswith("webhook.")] == [
        *("webhook.add", "webhook.change", "webhook.rotate", "webhook.end")
    ]
    assert "whsec_" not in str(rows)
