"""Payloads of a broker: JSON that is read exactly, or the plain text of one value.

What is not to be understood raises `PayloadError` and nothing else, whatever the bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, Any

from meters.access import TimeFormat
from meters.pointer import PointerError, resolve
from meters.quantity import number_in

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LARGEST_TIME = 15
"""Unix times of 10¹⁶ and more are beyond every calendar, whatever they count."""


class PayloadError(ValueError):
    """A payload could not be understood; the message says what is wrong and where."""


def document_in(payload: bytes) -> Any:
    """Return the JSON document in `payload`, its numbers as `int` and `Decimal`."""
    try:
        return _JSON.decode(_text(payload))
    except JSONDecodeError as error:
        what = error.msg.removesuffix(" at")
        raise PayloadError(f"not JSON: {what} at character {error.pos}") from error
    except RecursionError as error:
        raise PayloadError("not a telegram: JSON nested too deeply") from error
    except PayloadError:
        raise
    except (InvalidOperation, ValueError) as error:
        raise PayloadError("not a telegram: it holds a number that is too long") from error


def value_in(payload: bytes) -> Decimal | str | None:
    """Return the one value that `payload` writes as plain text; None where it is empty."""
    text = _text(payload).strip()
    number = number_in(text)
    return number if number is not None else text or None


def text_at(document: Any, pointer: str, what: str = "the meter's number") -> str:
    """Return the text or whole number at `pointer`; `what` says in errors what it is."""
    try:
        found = resolve(document, pointer)
    except PointerError as error:
        raise PayloadError(f"{error}; it holds {what}") from error
    if not isinstance(found, (str, int)) or isinstance(found, bool):
        raise PayloadError(f"{pointer} must be {what}, got {found!r:.60}")
    text = str(found)
    if not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text):
        raise PayloadError(f"{pointer} holds half a character: {text!r:.60}")
    return text


def time_at(document: Any, pointer: str, form: TimeFormat = TimeFormat.ISO) -> datetime:
    """Return the moment (UTC) at `pointer`, which is written in `form`."""
    try:
        found = resolve(document, pointer)
    except PointerError as error:
        raise PayloadError(f"{error}; it holds the time of the reading") from error
    try:
        return _FORMS[form](found)
    except OverflowError as error:
        raise PayloadError(f"{pointer} is beyond every calendar: {found!r:.60}") from error
    except PayloadError as error:
        raise PayloadError(f"{pointer} {error}") from error


def _iso(found: object) -> datetime:
    try:
        time = datetime.fromisoformat(found if isinstance(found, str) else "")
    except ValueError as error:
        raise PayloadError(f"must be an ISO 8601 time, got {found!r:.60}") from error
    if time.tzinfo is None:
        raise PayloadError(f"has no time zone: {found!r:.60}")
    return time.astimezone(UTC)


def _unix(found: object, per_second: int) -> datetime:
    stated = number_in(found) if isinstance(found, str) else found
    if isinstance(stated, bool) or not isinstance(stated, (int, Decimal)):
        raise PayloadError(f"must be a Unix time, got {found!r:.60}")
    number = Decimal(stated)
    if not number.is_finite():
        raise PayloadError(f"must be a Unix time, got {found!r:.60}")
    if number.adjusted() > LARGEST_TIME:
        raise OverflowError
    return EPOCH + timedelta(microseconds=int(number * (10**6 // per_second)))


_FORMS: dict[TimeFormat, Callable[[object], datetime]] = {
    TimeFormat.ISO: _iso,
    TimeFormat.UNIX: lambda found: _unix(found, 1),
    TimeFormat.UNIX_MS: lambda found: _unix(found, 1000),
}


def _text(payload: bytes) -> str:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PayloadError(f"not UTF-8 at byte {error.start}") from error


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise PayloadError(f"{twice!r:.60} stands twice in one object; which one counts?")
    return document


_JSON = JSONDecoder(
    parse_float=Decimal,
    parse_constant=Decimal,  # NaN, Infinity: no JSON, but devices send them in single registers
    object_pairs_hook=_unambiguous,
)
