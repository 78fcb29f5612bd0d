"""What went wrong, said in the reader's language: `meters.told`, rendered at the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.language import english
from api.language import mark as _
from meters.told import StateName, Told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.language import Language

STATES: Mapping[str, str] = {
    "accepted": _("accepted"),
    "answered": _("answered"),
    "approved": _("approved"),
    "blocked": _("blocked"),
    "closed": _("closed"),
    "computed": _("computed"),
    "disabled": _("disabled"),
    "draft": _("draft"),
    "dropped": _("dropped"),
    "entered": _("entered"),
    "executed": _("paid out"),
    "expired": _("expired"),
    "failed": _("failed"),
    "held": _("held"),
    "issued": _("issued"),
    "off": _("off"),
    "open": _("still open"),
    "paid": _("paid"),
    "posted": _("posted"),
    "published": _("published"),
    "rejected": _("rejected"),
    "requested": _("requested"),
    "reversed": _("reversed"),
    "reviewed": _("reviewed"),
    "withdrawn": _("withdrawn"),
}
"""Names of states of runs, drafts, orders, payments, refunds, disputes, webhooks in a sentence."""


def said(text: str, language: Language) -> str | None:
    """Return what `text` tells in `language`; None for one that nobody has translated.

    English is as it was raised.
    """
    if language.tag == english().tag:
        return str(text)
    if not isinstance(text, Told):
        return None
    values = {name: _value(value, language) for name, value in text.values.items()}
    template = language(text.template) if text.template else ""  # "" is the catalogue's head
    return template.format(**values)


def _value(value: object, language: Language) -> object:
    if isinstance(value, Told):
        return said(value, language)
    return language(STATES[value]) if isinstance(value, StateName) else value
