"""What went wrong, said in the reader's language: `billing.told`, rendered at the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.language import english
from api.language import mark as _
from billing.told import StateName, Told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.language import Language

STATES: Mapping[str, str] = {
    "accepted": _("accepted"),
    "answered": _("answered"),
    "approved": _("approved"),
    "closed": _("closed"),
    "disabled": _("disabled"),
    "entered": _("entered"),
    "executed": _("paid out"),
    "expired": _("expired"),
    "failed": _("failed"),
    "off": _("off"),
    "open": _("still open"),
    "paid": _("paid"),
    "posted": _("posted"),
    "rejected": _("rejected"),
    "requested": _("requested"),
    "reversed": _("reversed"),
    "withdrawn": _("withdrawn"),
}
"""Names of states of orders, payments, refunds, disputes and webhooks, within a sentence."""


def said(text: str, language: Language) -> str | None:
    """Return what `text` tells in `language`; None for one that nobody has translated.

    English is as it was raised.
    """
    if language.tag == english().tag:
        return str(text)
    if not isinstance(text, Told):
        return None
    values = {name: _value(value, language) for name, value in text.values.items()}
    return language(text.template).format(**values)


def _value(value: object, language: Language) -> object:
    if isinstance(value, Told):
        return said(value, language)
    return language(STATES[value]) if isinstance(value, StateName) else value
