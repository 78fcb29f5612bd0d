"""What a meter answered when somebody asked: each register with its words, and how it is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meters.decoding import decode_image, observations
from meters.judge import judge_together
from meters.quantity import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.committer import Words
    from meters.baseline import Baseline
    from meters.meter_type import MeterType
    from meters.reading import Series


def registers_read(
    meter_type: MeterType,
    words: Words,
    baselines: Mapping[Series, Baseline],
    identity: str | None,
) -> list[dict[str, Any]]:
    """Return what is shown of `words`: register, value, unit, raw words, verdict and reasons.

    `identity` is the number that the meter must state, None where nobody said. Nothing is kept:
    the same words went to the intake, which judges them once more.
    """
    matches = None
    if identity is not None and words.identity is not None:
        matches = identity.casefold() == words.identity.casefold()
    judged = judge_together(
        observations(words.meter, words.time, decode_image(meter_type, words.image)),
        meter_type,
        baselines,
        identity_matches=matches,
        trusted_clock=words.trusted,
    )
    return [
        {
            "register": reading.series.register,
            "value": None if reading.value is None else plain(reading.value),
            "unit": meter_type.registers[reading.series.register].canonical_unit,
            "raw": reading.raw,
            "verdict": reading.verdict.name.lower(),
            "reasons": [str(reason) for reason in reading.reasons],
        }
        for reading, _ in judged
    ]
