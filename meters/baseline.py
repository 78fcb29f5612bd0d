"""The baseline: what a register is judged against, and how it is kept between two runs.

It is the last good reading, what disputes it, and what is known of a counter that stands still.
As text it is one line of JSON; what an older program wrote can be read.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from meters.interval import utc

_WRITER = json.JSONEncoder(separators=(",", ":"))


class Rival(NamedTuple):
    """Readings that agree with each other, but not with the baseline."""

    since: datetime
    first: Decimal
    """What the first of them showed, at `since`."""
    time: datetime
    value: Decimal
    """What the last of them showed, at `time`."""
    readings: int
    scale: str | None = None
    """What its scale factor said of them all."""


class Probation(NamedTuple):
    """How far a baseline that began with a jump is confirmed: by so many readings since then."""

    since: datetime
    readings: int


class Load(NamedTuple):
    """What the power gauge beside a counter has shown while the counter stood still."""

    since: datetime
    time: datetime
    gauge: Decimal
    """The gauge at `time`, canonical, without its sign."""
    passed: Decimal
    """What must have passed since, in the gauge's unit × seconds."""
    readings: int


class Baseline(NamedTuple):
    """The last good reading of a register, and what else its next reading is judged by."""

    time: datetime
    value: Decimal
    moved: datetime | None = None
    """When the value last changed; None where it was not seen to change."""
    rival: Rival | None = None
    probation: Probation | None = None
    """None once the baseline is confirmed."""
    load: Load | None = None
    """None while the counter moves, or no load is shown."""
    scale: str | None = None
    """What its scale factor said; None where it has none, or a person told the value."""

    @property
    def stands_by(self) -> bool:
        """Whether the rival is what was there before the baseline jumped."""
        rival, probation = self.rival, self.probation
        return rival is not None and probation is not None and rival.time < probation.since


def is_rescaled(before: Baseline | Rival, scale: str | None) -> bool:
    """Return whether a scale factor says something else than it did, as far as both are known."""
    return scale is not None and before.scale is not None and scale != before.scale


def rebase(time: datetime, value: Decimal) -> Baseline:
    """Return the baseline that a person confirms: a register recorded or answered for at `time`."""
    return Baseline(utc(time), value)


def to_text(baseline: Baseline) -> str:
    """Return `baseline` as one line of JSON that `from_text` reads."""
    document: dict[str, Any] = {"time": baseline.time.isoformat(), "value": str(baseline.value)}
    if baseline.moved is not None:
        document["moved"] = baseline.moved.isoformat()
    if baseline.rival is not None:
        document["rival"] = [_plain(each) for each in baseline.rival if each is not None]
    if baseline.probation is not None:
        document["probation"] = [_plain(each) for each in baseline.probation]
    if baseline.load is not None:
        document["load"] = [_plain(each) for each in baseline.load]
    if baseline.scale is not None:
        document["scale"] = baseline.scale
    return _WRITER.encode(document)


def from_text(text: str) -> Baseline:
    """Return the baseline that `to_text` wrote; raise `ValueError` for any other text."""
    try:
        document = json.loads(text, parse_float=Decimal)
        moved, rival = document.get("moved"), document.get("rival")
        probation, load = document.get("probation"), document.get("load")
        return Baseline(
            _time(document["time"]),
            _number(document["value"]),
            None if moved is None else _time(moved),
            None if rival is None else _rival(rival),
            None if probation is None else Probation(_time(probation[0]), int(probation[1])),
            None if load is None else _load(*load),
            document.get("scale"),
        )
    except (ValueError, LookupError, TypeError, AttributeError, InvalidOperation) as error:
        raise ValueError(f"not a baseline: {text!r:.200} ({error})") from error


def _plain(value: datetime | Decimal | int | str) -> str | int:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, int) else str(value)


def _time(text: str) -> datetime:
    return utc(datetime.fromisoformat(text))


def _number(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(f"{text} is no number")
    return number


def _rival(told: list[Any]) -> Rival:
    since, first, time, value, readings, *scale = told
    return Rival(_time(since), _number(first), _time(time), _number(value), int(readings), *scale)


def _load(since: str, time: str, gauge: str, passed: str, readings: int) -> Load:
    return Load(_time(since), _time(time), _number(gauge), _number(passed), int(readings))
