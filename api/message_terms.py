"""What pages call the events that people and programs are told of, and what became of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.language import mark as _

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS: Mapping[str, str] = {
    "bill.issued": _("a bill is issued"),
    "correction.issued": _("a correction is issued"),
    "payment.posted": _("a payment has arrived"),
    "run.blocked": _("a bill run is blocked"),
    "meter.offline": _("a meter is offline"),
}

MESSAGES: Mapping[str, str] = {
    **EVENTS,
    "address.stated": _("an address is to be confirmed"),
}

MESSAGE_CHANNELS: Mapping[str, str] = {
    "email": _("E-mail"),
    "sms": _("SMS"),
}

ADDRESSES: Mapping[str, str] = {
    "email": _("E-mail address"),
    "sms": _("Phone number"),
}

WEBHOOK_STATES: Mapping[str, str] = {
    "on": _("on"),
    "off": _("off"),
    "disabled": _("switched off, as it failed for days"),
}

DELIVERY_STATES: Mapping[str, str] = {
    "waiting": _("waits"),
    "sending": _("is being sent"),
    "sent": _("arrived"),
    "failed": _("did not arrive"),
    "unsure": _("nobody knows whether it arrived"),
}
