"""What was read at a bench, as lines for people and as documents for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.bench.dump import READINGS, numbers, proofs
from meters.catalog.table import aligned
from meters.cross_check import off_by
from meters.quantity import plain
from meters.reading import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.bench.scan import FoundUnit
    from gateway.bench.visit import Visit
    from meters.reading import Reading

GUESSES = 3
"""How many types are named that a unit may be of, ties apart."""
NO_HISTORY = (Reason.UNCONFIRMED,)
"""Reasons that say only that nothing was read before: a visit knows no before."""


def visit_lines(visit: Visit, *, expected: str | None, took_s: float) -> Iterator[str]:
    """Yield what the meter answered and how far it may be trusted."""
    meter_type = visit.meter_type
    yield from aligned(
        ("REGISTER", "VALUE", "UNIT", "RAW", "VERDICT"),
        [_row(visit, each) for each in visit.readings],
        numbers=(1,),
    )
    yield from (f"refused: {name}: {why}" for name, why in visit.refused.items())
    for check in visit.violated:
        parts = " + ".join(check.parts)
        values = {each.series.register: each.value for each in visit.readings}
        known = {name: value for name, value in values.items() if value is not None}
        apart = plain(abs(off_by(check, known)))
        yield f"contradiction: {check.total} is not {parts}: {apart} apart"
    if meter_type.states_identity:
        yield f"number: {visit.identity or 'not stated'}" + (
            f", not {expected}: this is another meter" if visit.is_expected is False else ""
        )
    asked = "1 request" if visit.requests == 1 else f"{visit.requests} requests"
    yield f"{asked}, {took_s * 1000:.0f} ms"


def _row(visit: Visit, reading: Reading) -> tuple[str, ...]:
    name = reading.series.register
    return (
        name,
        "-" if reading.value is None else plain(reading.value),
        visit.meter_type.registers[name].canonical_unit,
        reading.raw,
        ": ".join(filter(None, (reading.verdict.name.lower(), ", ".join(_reasons(reading))))),
    )


def _reasons(reading: Reading) -> list[str]:
    return [str(each) for each in reading.reasons if each not in NO_HISTORY]


def visit_document(visit: Visit, *, took_s: float) -> dict[str, Any]:
    """Return what the meter answered, for programs."""
    return {
        "type": visit.meter_type.id,
        "time": visit.time.isoformat(timespec="seconds"),
        "identity": visit.identity,
        "identity_matches": visit.is_expected,
        "sound": visit.is_sound,
        "registers": {
            each.series.register: {
                "value": None if each.value is None else plain(each.value),
                "unit": visit.meter_type.registers[each.series.register].canonical_unit,
                "raw": each.raw,
                "verdict": each.verdict.name.lower(),
                "reasons": _reasons(each),
            }
            for each in visit.readings
        },
        "refused": dict(visit.refused),
        "violated": [
            {"total": check.total, "parts": list(check.parts), "tolerance": plain(check.tolerance)}
            for check in visit.violated
        ],
        "requests": visit.requests,
        "took_ms": round(took_s * 1000),
    }


def dump_lines(image: Mapping[int, int], span: range) -> Iterator[str]:
    """Yield the words in several readings, what `span` lacks, and a proof to fill in."""
    yield from aligned(
        ("ADDRESS", "", "WORD", *(name for name, _, _ in READINGS), "TEXT"),
        [
            (f"{at:#06x}", str(at), f"{word:04x}", *numbers(image, at).values(), _text(word))
            for at, word in sorted(image.items())
        ],
        numbers=(1, *range(3, 3 + len(READINGS))),
    )
    if missing := len(span) - len(image):
        yield f"{missing} of {len(span)} addresses are refused"
    for proof in proofs(image):
        yield from ("", proof)


def _text(word: int) -> str:
    return "".join(chr(byte) if 32 < byte < 127 else "." for byte in word.to_bytes(2, "big"))


def dump_document(image: Mapping[int, int], span: range) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "first": span.start,
        "words": {str(at): f"{word:04x}" for at, word in sorted(image.items())},
        "refused": [at for at in span if at not in image],
        "proofs": list(proofs(image)),
    }


def found_lines(found: FoundUnit) -> Iterator[str]:
    """Yield what a unit on the line may be."""
    shown = _shown(found)
    if found.trouble:
        yield f"unit {found.unit}: {found.trouble}"
    if not shown and not found.trouble:
        yield f"unit {found.unit}: answers, but like none of the types; look with `dump`"
    for each in shown:
        signs = "; ".join(sign.what for sign in each.signs)
        yield f"unit {found.unit}: {each.meter_type.id} ({each.score} points): {signs}"
    if others := len(found.guesses) - len(shown):
        yield f"unit {found.unit}: {others} less likely types; --json names them"


def _shown(found: FoundUnit) -> list[Any]:
    best = found.guesses[:GUESSES]
    if not best:
        return []
    return [each for each in found.guesses if each in best or each.score == best[0].score]


def found_document(found: FoundUnit) -> dict[str, Any]:
    """Return the same for programs: every type that it may be of."""
    return {
        "unit": found.unit,
        "trouble": found.trouble,
        "requests": found.requests,
        "guesses": [
            {
                "type": each.meter_type.id,
                "score": each.score,
                "signs": [{"points": sign.points, "what": sign.what} for sign in each.signs],
            }
            for each in found.guesses
        ],
    }
