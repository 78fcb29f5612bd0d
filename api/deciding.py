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
    told = {name: text.strip() for name, text in said.items() if text.strip()}
    if len(told.get("reason", "")) < SHORTEST_REASON:
        raise UndecidedError("say why")
    try:
        decision = Decision(told.get("decision", ""))
    except ValueError as error:
        raise UndecidedError(f"decide one of {', '.join(Decision)}") from error
    finding = method = at = value = use = None
    match decision:
        case Decision.ACCEPT:
            finding = told.get("finding")
            if finding is None:
                raise UndecidedError("say which finding is accepted")
        case Decision.ESTIMATE:
            method = _method(told.get("method", ""))
        case Decision.OVERRIDE:
            value, use = _number(told, "value"), _number(told, "use")
            at = _instant(told["at"], zone) if "at" in told else None
            if (value is None) != (at is None) or (value is None) == (use is None):
                raise UndecidedError("state a register and when it showed that, or the use alone")
            if use is not None and use < 0:
                raise UndecidedError(f"a use of {use} cannot be")
    return Review(
        point=told.get("point", ""),
        register=told.get("register", ""),
        period=told.get("period", ""),
        decision=decision,
        author=author,
        made_at=now,
        reason=told["reason"],
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
        raise UndecidedError(f"choose how to estimate: {', '.join(METHODS)}")
    return found


def _number(told: Mapping[str, str], name: str) -> Decimal | None:
    if name not in told:
        return None
    number = number_in(told[name])
    if number is None or not number.is_finite():
        raise UndecidedError(f"{told[name]!r} is no number")
    return number


def _instant(text: str, zone: ZoneInfo | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UndecidedError(f"{text!r} is no time such as 2026-11-01T00:00:00+08:00") from error
    if moment.tzinfo is None and zone is None:
        raise UndecidedError(f"{text!r} does not say its zone")
    return utc(moment.replace(tzinfo=zone) if moment.tzinfo is None else moment)
