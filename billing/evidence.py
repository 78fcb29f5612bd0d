"""Evidence: what a bill rests on, as JSON that is frozen with it, and the digest over it.

A usage's evidence holds its segments with the readings and their raw words; a line's evidence holds
the inputs of its charge and the parts that they came apart into. Together with the tariff, pool and
statement that the line refers to, that is enough to recompute it (see `billing.recompute`).
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from meters.quantity import PER_UNIT, plain
from meters.reading import Reading, Reason, Series, Verdict
from meters.register_at import RegisterAt, Source

if TYPE_CHECKING:
    from meters.usage import Segment, Usage


def quantity_text(scaled: int) -> str:
    """Return a quantity of 10⁻⁴ units in plain notation: `12.5`, as `plain` writes a Decimal."""
    whole, rest = divmod(abs(scaled), PER_UNIT)
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole}.{rest:04}".rstrip("0") if rest else f"{sign}{whole}"


def usage_evidence(usage: Usage) -> dict[str, Any]:
    """Return what stands behind `usage`: its segments down to raw words, and its findings."""
    return {
        "segments": [_segment(segment) for segment in usage.segments],
        "findings": [
            {"kind": type(finding).__name__, "text": str(finding), **_fields(finding)}
            for finding in usage.findings
        ],
    }


def register_document(register: RegisterAt) -> dict[str, Any]:
    """Return what a meter showed at an instant, with the readings that say so.

    A photo stands only in what has one, so that evidence of all ages has one form.
    """
    document: dict[str, Any] = {
        "meter": register.meter,
        "at": _instant(register.at),
        "value": plain(register.value),
        "source": str(register.source),
        "readings": [_reading(reading) for reading in register.readings],
    }
    if register.photo is not None:
        document["photo"] = register.photo
    return document


def read_register(document: dict[str, Any]) -> RegisterAt:
    """Return the register that `register_document` wrote."""
    return RegisterAt(
        meter=document["meter"],
        at=datetime.fromisoformat(document["at"]),
        value=Decimal(document["value"]),
        source=Source(document["source"]),
        readings=tuple(
            Reading(
                Series(document["meter"], each["register"]),
                datetime.fromisoformat(each["time"]),
                None if each["value"] is None else Decimal(each["value"]),
                each["raw"],
                Verdict[each["verdict"].upper()],
                tuple(map(Reason, each["reasons"])),
            )
            for each in document["readings"]
        ),
        photo=document.get("photo"),
    )


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "opening": register_document(segment.opening),
        "closing": register_document(segment.closing),
        "growth": plain(segment.growth),
        "modulus": None if segment.modulus is None else plain(segment.modulus),
        "multiplier": plain(segment.multiplier),
        "quantity": plain(segment.quantity),
    }


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "register": reading.series.register,
        "time": _instant(reading.time),
        "value": None if reading.value is None else plain(reading.value),
        "raw": reading.raw,
        "verdict": reading.verdict.name.lower(),
        "reasons": list(map(str, reading.reasons)),
    }


def _fields(value: object) -> dict[str, Any]:
    if not is_dataclass(value):
        return {}
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            return _instant(value)
        case date():
            return value.isoformat()
        case Enum():
            return value.value
        case _ if is_dataclass(value):
            return _fields(value)
        case _:
            return value


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
