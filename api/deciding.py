"""What a clerk says about a use, as a decision: whole, of one kind, with its reason."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.store import reviews
from billing.vee.reviews import Decision, Review
from meters.estimate import Method
from meters.interval import utc
from meters.quantity import number_in
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from billing.database import Database

METHODS = (Method.INTERPOLATE, Method.LIKE_DAY, Method.PREVIOUS_AVERAGE)
"""The methods that estimate what nobody read."""
SHORTEST_REASON = 3


class UndecidedError(ValueError):
    """A decision does not say what it needs to say; the message says what to add."""


def review_of(
    said: Mapping[str, str], *, author: str, now: datetime, zone: ZoneInfo | None = None
) -> Review:
    """Return the decision that `said` makes, a text by name; what is empty was not said.

    An instant without its zone is one of `zone`. Raises `UndecidedError`.
    """
    filled = {name: text.strip() for name, text in said.items() if text.strip()}
    if len(filled.get("reason", "")) < SHORTEST_REASON:
        raise UndecidedError(told("say why"))
    try:
        decision = Decision(filled.get("decision", ""))
    except ValueError as error:
        raise UndecidedError(told("decide one of {known}", known=", ".join(Decision))) from error
    finding = method = at = value = use = None
    match decision:
        case Decision.ACCEPT:
            finding = filled.get("finding")
            if finding is None:
                raise UndecidedError(told("say which finding is accepted"))
        case Decision.ESTIMATE:
            method = _method(filled.get("method", ""))
        case Decision.OVERRIDE:
            value, use = _number(filled, "value"), _number(filled, "use")
            at = _instant(filled["at"], zone) if "at" in filled else None
            if (value is None) != (at is None) or (value is None) == (use is None):
                raise UndecidedError(
                    told("state a register and when it showed that, or the use alone")
                )
            if use is not None and use < 0:
                raise UndecidedError(told("a use of {use} cannot be", use=use))
    return Review(
        point=filled.get("point", ""),
        register=filled.get("register", ""),
        period=filled.get("period", ""),
        decision=decision,
        author=author,
        made_at=now,
        reason=filled["reason"],
        finding=finding,
        method=method,
        at=at,
        value=value,
        use=use,
    )


def decide(database: Database, community: str, review: Review) -> int:
    """Store a decision beside the archive, tell it to the audit log, and return its number."""
    with database.transaction() as connection:
        return reviews.decide(connection, community, review)


def _method(text: str) -> Method:
    found = next((each for each in METHODS if each == text), None)
    if found is None:
        raise UndecidedError(told("choose how to estimate: {known}", known=", ".join(METHODS)))
    return found


def _number(filled: Mapping[str, str], name: str) -> Decimal | None:
    if name not in filled:
        return None
    number = number_in(filled[name])
    if number is None or not number.is_finite():
        raise UndecidedError(told("'{text}' is no number", text=filled[name]))
    return number


def _instant(text: str, zone: ZoneInfo | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UndecidedError(
            told("'{text}' is no time such as 2026-11-01T00:00:00+08:00", text=text)
        ) from error
    if moment.tzinfo is None and zone is None:
        raise UndecidedError(told("'{text}' does not say its zone", text=text))
    return utc(moment.replace(tzinfo=zone) if moment.tzinfo is None else moment)
