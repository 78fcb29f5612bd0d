"""Webhooks on their way: an event as signed JSON, and what an endpoint's answer comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.canonical import canonical_json
from billing.delivery import signing
from billing.delivery.calling import NotSentError, UnansweredError, call
from billing.delivery.destination import DestinationError, Reach, destination
from billing.delivery.schedule import Result, Said
from billing.sealing import SealError
from billing.store import delivery_webhooks

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from billing.sealing import Seal
    from billing.store.delivery_queue import Leased

AGENT = "Tallygate-Webhooks"
GONE = 410


class WebhookSender:
    """Sends webhooks. At least once: a receiver knows a second one by its `webhook-id`."""

    channel = "webhook"
    repeatable = True

    def __init__(self, reach: Reach, seal: Seal) -> None:
        self._reach = reach
        self._seal = seal

    def prepare(self, connection: Connection, leased: Leased) -> Callable[[datetime], Result]:
        """Read where it goes and by which secrets; what is returned sends it, signed for then."""
        assert leased.webhook_id is not None  # noqa: S101  a check of the database holds it
        try:
            found = delivery_webhooks.read(connection, leased.webhook_id)
        except delivery_webhooks.UnknownWebhookError as error:
            ended = Result(Said.REFUSED, detail=str(error))
            return lambda _: ended
        body = body_of(leased)

        def send(now: datetime) -> Result:
            try:
                known = found.secrets(self._seal, now)
            except SealError as error:
                return Result(Said.FAILED, detail=f"its secret does not open: {error}")
            signed = signing.headers(leased.message_id, int(now.timestamp()), body, known)
            headers = {**signed, "Content-Type": "application/json", "User-Agent": AGENT}
            return _told(found.url, headers, body, self._reach)

        return send


def body_of(leased: Leased) -> bytes:
    """Return what a webhook says: `type`, `timestamp` of the event, and its `data`."""
    document = {
        "type": leased.kind.value,
        "timestamp": leased.at.isoformat().replace("+00:00", "Z"),
        "data": dict(leased.data),
    }
    return canonical_json(document).encode()


def _told(url: str, headers: dict[str, str], body: bytes, reach: Reach) -> Result:
    try:
        answer = call(destination(url, reach), headers, body, reach)
    except DestinationError as error:
        return Result(Said.FAILED, detail=f"its address {error}")
    except (NotSentError, UnansweredError) as error:
        return Result(Said.FAILED, detail=str(error))
    if 200 <= answer.status < 300:
        return Result(Said.SENT, answer.status)
    if answer.status == GONE:
        return Result(Said.GONE, answer.status, "it wants to be told nothing any more")
    if 300 <= answer.status < 400:
        return Result(Said.FAILED, answer.status, "it leads elsewhere; redirects are not followed")
    return Result(Said.FAILED, answer.status, answer.content.decode("utf-8", "replace")[:200])
