"""What the pages of those who pay call what billing keeps by its keys; see `api.terms`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.language import mark as _

if TYPE_CHECKING:
    from collections.abc import Mapping

ORDER_STATES: Mapping[str, str] = {
    "open": _("Waits for payment"),
    "paid": _("Paid"),
    "closed": _("Closed"),
    "expired": _("Expired"),
}

DISPUTE_STATES: Mapping[str, str] = {
    "open": _("Asked"),
    "answered": _("Answered"),
    "accepted": _("Accepted"),
    "rejected": _("Rejected"),
    "withdrawn": _("Withdrawn"),
}

CHANNELS: Mapping[str, str] = {
    "wechat": _("WeChat Pay"),
    "cash": _("Cash"),
    "bank": _("Bank transfer"),
    "kiosk": _("Kiosk"),
}

STATEMENT_KINDS: Mapping[str, str] = {
    "charge": _("Charge"),
    "payment": _("Payment"),
    "refund": _("Refund"),
    "adjustment": _("Adjustment"),
}

GAPS: Mapping[str, str] = {
    "not-held": _("not your time"),
    "not-billed": _("not billed yet"),
    "not-read": _("not read"),
    "in-doubt": _("in doubt"),
}

PAPER_NUMBERS: Mapping[str, str] = {
    "bill": _("Bill number"),
    "receipt": _("Receipt number"),
    "account-statement": _("Statement number"),
    "pool-statement": _("Statement number"),
}

SUPERSEDED: Mapping[str, str] = {
    "bill": _("A later bill corrects this one. Ask for the correction."),
    "receipt": _("The payment of this receipt was undone since."),
    "account-statement": _("More was posted for its days since. Ask for a new statement."),
    "pool-statement": _("A correction has shared this supply again. Ask for the new statement."),
}
