"""Events: what has happened that somebody outside wants to hear of, each told once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class Kind(StrEnum):
    """What has happened. The values are the `type` of a webhook's body, and stay."""

    BILL_ISSUED = "bill.issued"
    CORRECTION_ISSUED = "correction.issued"
    """An issued month was billed anew: a bill that holds lines which correct others."""
    PAYMENT_POSTED = "payment.posted"
    RUN_BLOCKED = "run.blocked"
    METER_OFFLINE = "meter.offline"
    ADDRESS_STATED = "address.stated"
    """Somebody has stated an address that is to be confirmed; only that address hears of it."""


OUTWARD = tuple(kind for kind in Kind if kind is not Kind.ADDRESS_STATED)
"""What programs and groups of staff can hear of."""

OF_OWNERS = (Kind.BILL_ISSUED, Kind.CORRECTION_ISSUED, Kind.PAYMENT_POSTED)
"""What an owner can hear of: each is of one account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that has happened. `key` names it once for ever; `data` is what is told of it.

    `occasion` tells apart what happens to a subject more than once. `data` holds JSON values only,
    amounts as texts. Of what concerns several communities, `community_id` is one of them.
    """

    kind: Kind
    subject: str
    at: datetime
    data: Mapping[str, Any]
    community_id: int
    account_id: int | None = None
    occasion: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.subject}{self.occasion and f'@{self.occasion}'}"


MESSAGE_LETTERS = 32


def message_id(event_key: str, target: str) -> str:
    """Return the id of the message that tells `target` of an event, the same at every try.

    It is the `webhook-id` of a webhook and the left part of a mail's `Message-ID`: who sees it a
    second time may drop it.
    """
    digest = hashlib.sha256(f"{event_key}\n{target}".encode()).hexdigest()
    return f"msg_{digest[:MESSAGE_LETTERS]}"
