"""Evidence: what a bill rests on, as JSON that is frozen with it, and the digest over it.

A usage's evidence holds its segments with the readings and their raw words; a line's evidence holds
the inputs of its charge and the parts that they came apart into. Together with the tariff, pool and
statement that the line refers to, that is enough to recompute it (see `billing.recompute`).

A run writes two usages and six such lines for every unit, so they are written as canonical text at
once (`billing.canonical`), keys in their order, and read where somebody asks for one.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from billing.canonical import evidence_json, numbers_json, read_json, text_json
from meters.estimate import Estimate, Method, Sample
from meters.interval import Interval
from meters.quantity import PER_UNIT, plain
from meters.reading import Reading, Reason, Series, Verdict
from meters.register_at import RegisterAt, Source

if TYPE_CHECKING:
    from billing.money import Column
    from meters.demand import Peak
    from meters.finding import Finding
    from meters.stepwise import Steps
    from meters.usage import Segment, Usage


_DECIMALS = ("", *(f".{rest:04}".rstrip("0") for rest in range(1, PER_UNIT)))


def quantity_text(scaled: int) -> str:
    """Return a quantity of 10⁻⁴ units in plain notation: `12.5`, as `plain` writes a Decimal."""
    if scaled < 0:
        return f"-{quantity_text(-scaled)}"
    return f"{scaled // PER_UNIT}{_DECIMALS[scaled % PER_UNIT]}"


def quantity_texts(column: Column) -> list[str]:
    """Return the quantities of int64[n] as `quantity_text` does."""
    return [
        quantity_text(scaled)
        if scaled < 0
        else f"{scaled // PER_UNIT}{_DECIMALS[scaled % PER_UNIT]}"
        for scaled in column.tolist()
    ]


def usage_text(usage: Usage) -> str:
    """Return what stands behind `usage`: its segments down to raw words, and its findings.

    Its registers at edges and its peaks stand only in what was divided.
    """
    findings = evidence_json(list(map(_finding, usage.findings))) if usage.findings else "[]"
    peaks = f',"peaks":{evidence_json(list(map(_peak, usage.peaks)))}' if usage.peaks else ""
    segments = ",".join(map(_segment, usage.segments))
    steps = "" if usage.steps is None else f',"steps":{_steps(usage.steps)}'
    return f'{{"findings":{findings}{peaks},"segments":[{segments}]{steps}}}'


def usage_evidence(usage: Usage) -> dict[str, Any]:
    """Return what `usage_text` says."""
    document: dict[str, Any] = read_json(usage_text(usage))
    return document


def register_text(register: RegisterAt) -> str:
    """Return what a meter showed at an instant, with the readings that say so.

    A photo or an estimate stands only in what has one, so that evidence of all ages has one form.
    """
    value = plain(register.value)
    estimate = ""
    if register.estimate is not None:
        estimate = f',"estimate":{evidence_json(_estimate(register.estimate))}'
    photo = "" if register.photo is None else f',"photo":{text_json(register.photo)}'
    readings = ",".join(
        [
            _reading(each, value if each.value is register.value else None)
            for each in register.readings
        ]
    )
    return (
        f'{{"at":"{_repeated_instant(register.at)}"{estimate},"meter":{text_json(register.meter)}'
        f'{photo},"readings":[{readings}],"source":"{register.source}","value":"{value}"}}'
    )


def register_document(register: RegisterAt) -> dict[str, Any]:
    """Return what `register_text` says."""
    document: dict[str, Any] = read_json(register_text(register))
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
        estimate=_read_estimate(document["estimate"]) if "estimate" in document else None,
    )


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "method": str(estimate.method),
        "since": _instant(estimate.since),
        "value": plain(estimate.value),
        "samples": [
            {
                "start": _instant(each.interval.start),
                "end": _instant(each.interval.end),
                "quantity": plain(each.quantity),
                "weight": str(each.weight),
            }
            for each in estimate.samples
        ],
        "step": plain(estimate.step),
        "modulus": None if estimate.modulus is None else plain(estimate.modulus),
    }


def _read_estimate(document: dict[str, Any]) -> Estimate:
    modulus = document["modulus"]
    return Estimate(
        method=Method(document["method"]),
        since=datetime.fromisoformat(document["since"]),
        value=Decimal(document["value"]),
        samples=tuple(
            Sample(
                Interval(
                    datetime.fromisoformat(each["start"]), datetime.fromisoformat(each["end"])
                ),
                Decimal(each["quantity"]),
                Fraction(each["weight"]),
            )
            for each in document["samples"]
        ),
        step=Decimal(document["step"]),
        modulus=None if modulus is None else Decimal(modulus),
    )


def _steps(steps: Steps) -> str:
    """Return registers at edges: seconds since 1970, 10⁻⁴ of the unit, and how each is known.

    Of each segment there is a piece, from its opening to its closing; how it is known: 1 read, 2
    interpolated between readings nearby, 3 in proportion to time.
    """
    pieces = ",".join(
        [
            f'{{"at":{_repeated_numbers(piece.at_s.tobytes())},'
            f'"known":"{_known(piece.sources.tobytes())}",'
            f'"values":{numbers_json(piece.values)}}}'
            for piece in steps.pieces
        ]
    )
    return (
        f'{{"edges":{_repeated_numbers(steps.edges_s.tobytes())},"pieces":[{pieces}],'
        f'"quantities":{numbers_json(steps.quantities)}}}'
    )


@lru_cache(maxsize=1024)
def _known(sources: bytes) -> str:
    """Return a digit for each of int64[n], by its bytes: most meters were read at every edge."""
    return "".join(map(str, np.frombuffer(sources, dtype=np.int64).tolist()))


def _segment(segment: Segment) -> str:
    growth, multiplier = plain(segment.growth), _repeated(segment.multiplier)
    quantity = growth if multiplier == "1" else plain(segment.quantity)
    modulus = "null" if segment.modulus is None else f'"{_repeated(segment.modulus)}"'
    return (
        f'{{"closing":{register_text(segment.closing)},"growth":"{growth}",'
        f'"modulus":{modulus},"multiplier":"{multiplier}",'
        f'"opening":{register_text(segment.opening)},"quantity":"{quantity}"}}'
    )


def _reading(reading: Reading, value: str | None) -> str:
    """Return `reading` as JSON; `value` in plain notation, where it is known."""
    if value is None and reading.value is not None:
        value = plain(reading.value)
    shown = "null" if value is None or reading.value is None else f'"{value}"'
    reasons = ",".join([f'"{reason}"' for reason in reading.reasons]) if reading.reasons else ""
    return (
        f'{{"raw":{text_json(reading.raw)},"reasons":[{reasons}],'
        f'"register":{text_json(reading.series.register)},'
        f'"time":"{_repeated_instant(reading.time)}",'
        f'"value":{shown},"verdict":"{_VERDICTS[reading.verdict]}"}}'
    )


_VERDICTS = tuple(verdict.name.lower() for verdict in sorted(Verdict))


def _finding(finding: Finding) -> dict[str, Any]:
    return {"kind": type(finding).__name__, "text": str(finding), **_fields(finding)}


def _peak(peak: Peak) -> dict[str, Any]:
    return {**_fields(peak), "average": plain(peak.average)}


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


_repeated = lru_cache(maxsize=1024)(plain)
_repeated_instant = lru_cache(maxsize=4096)(_instant)
"""What is the same in very many usages: moduli and ratios, instants, ends of periods."""


@lru_cache(maxsize=1024)
def _repeated_numbers(column: bytes) -> str:
    """Return int64[n] by its bytes: the edges of a calendar are those of all meters."""
    return numbers_json(np.frombuffer(column, dtype=np.int64))
