"""Redecoding: what stored raw words say by a corrected meter type, and what that would change.

A reading is never changed. What its raw words say by another type is an overlay: for a person to
look at, and to put over the reading with author and reason. The words of all registers that were
read at one time stand together again, so that also a wrong address can be corrected, as long as its
words were read.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from meters.baseline import rebase
from meters.decoding import observations
from meters.image import Image
from meters.judge import judge_together
from meters.reading import Observation, Reading, Reason, Series, Verdict
from meters.words import from_wire, wire_from_hex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from meters.baseline import Baseline
    from meters.meter_type import MeterType, Register
    from meters.register_decoder import Decoded


class RedecodingError(ValueError):
    """What was stored by one type cannot be read by the other; the message says why."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a reading of `series` at `time` is by the corrected type; old is None where it is new.

    Values are in the canonical unit of the register in the type that they come from.
    """

    series: Series
    time: datetime
    old_value: Decimal | None
    old_verdict: Verdict | None
    new_value: Decimal | None
    new_verdict: Verdict
    new_reasons: tuple[Reason, ...]
    raw: str


@dataclass(frozen=True, slots=True)
class Redecoded:
    """What would change, how many readings stay as they are, and those of which nothing is known.

    `untold` are readings of registers that the corrected type does not have, or whose words were
    not read.
    """

    overlays: tuple[Overlay, ...]
    unchanged: int
    untold: tuple[Reading, ...]


def redecode(
    readings: Iterable[Reading],
    *,
    stored_by: MeterType,
    corrected: MeterType,
    baselines: Mapping[Series, Baseline] | None = None,
    answers: Mapping[Series, Mapping[datetime, Decimal]] | None = None,
) -> Redecoded:
    """Return what `readings`, stored by one type, would be by the `corrected` one.

    They are judged again in the order of their times, from `baselines` on (from nothing by
    default); `answers` are the registers that people confirmed, by the time from which they held.
    An answer of another meter, or of an untrusted clock, stays one. Raises `RedecodingError`.
    """
    _check(stored_by, corrected)
    known = dict(baselines or {})
    pending = [
        (at, series, value)
        for series, each in (answers or {}).items()
        for at, value in each.items()
    ]
    pending.sort(key=itemgetter(0), reverse=True)
    overlays: list[Overlay] = []
    untold: list[Reading] = []
    unchanged = 0
    for (time, meter), together in _together(readings):
        while pending and pending[-1][0] <= time:
            at, series, value = pending.pop()
            known[series] = rebase(at, value)
        decoded = _Stored.of(together, stored_by).decode(corrected)
        old = {reading.series.register: reading for reading in together}
        untold += [reading for name, reading in old.items() if name not in decoded]
        for new in _judged(observations(meter, time, decoded), together, corrected, known):
            before = old.get(new.series.register)
            if before is not None and (before.value, before.verdict) == (new.value, new.verdict):
                unchanged += 1
            else:
                overlays.append(_overlay(before, new))
    return Redecoded(tuple(overlays), unchanged, tuple(untold))


def _check(stored_by: MeterType, corrected: MeterType) -> None:
    one, other = stored_by.modbus, corrected.modbus
    if (one is None) != (other is None) or (stored_by.mqtt is None) != (corrected.mqtt is None):
        raise RedecodingError(
            f"{stored_by.id} and {corrected.id} are not read in the same way; read the meters again"
        )
    if one is not None and other is not None and one.function != other.function:
        raise RedecodingError(
            f"the words were read with function {one.function}, and {corrected.id} is read with "
            f"function {other.function}, where other registers stand; read the meters again"
        )


def _together(
    readings: Iterable[Reading],
) -> Iterator[tuple[tuple[datetime, str], list[Reading]]]:
    """Yield what each meter answered at one time, oldest first."""
    groups: dict[tuple[datetime, str], list[Reading]] = defaultdict(list)
    for reading in readings:
        groups[reading.time, reading.series.meter].append(reading)
    for key in sorted(groups):
        yield key, groups[key]


def _judged(
    observed: Sequence[Observation],
    together: Sequence[Reading],
    corrected: MeterType,
    known: dict[Series, Baseline],
) -> Iterator[Reading]:
    """Judge what was observed anew, and move the baselines in `known`."""
    said = {reason for reading in together for reason in reading.reasons}
    for judged in judge_together(
        observed,
        corrected,
        known,
        identity_matches=False if Reason.IDENTITY in said else None,
        trusted_clock=Reason.CLOCK not in said,
    ):
        if judged.baseline is not None:
            known[judged.reading.series] = judged.baseline
        yield judged.reading


def _overlay(old: Reading | None, new: Reading) -> Overlay:
    return Overlay(
        new.series,
        new.time,
        None if old is None else old.value,
        None if old is None else old.verdict,
        new.value,
        new.verdict,
        new.reasons,
        new.raw,
    )


@dataclass(slots=True)
class _Stored:
    """What a meter answered at one time: words by address, bytes by offset, JSON by its place."""

    words: dict[int, int] = field(default_factory=dict)
    octets: dict[int, int] = field(default_factory=dict)
    texts: dict[tuple[str | None, str | None], str] = field(default_factory=dict)

    @classmethod
    def of(cls, together: Iterable[Reading], meter_type: MeterType) -> _Stored:
        stored = cls()
        for reading in together:
            register = meter_type.registers.get(reading.series.register)
            if register is not None:
                stored._keep(register, reading.raw)
        return stored

    def decode(self, corrected: MeterType) -> dict[str, Decoded]:
        """Return every register of `corrected` of which all was read."""
        decoded = {}
        image = Image.of(self.words)
        for name, decoder in corrected.wire_decoders.items():
            register = corrected.registers[name]
            found = (
                decoder.in_image(image)
                if register.address is not None
                else self._in_payload(corrected, name)
            )
            if found is not None:
                decoded[name] = found
        for decoders in corrected.json_decoders.values():
            for each in decoders:
                register = corrected.registers[each.name]
                text = self.texts.get((register.topic, register.pointer))
                found = None if text is None else each.decode(_json_value(text))
                if found is not None:
                    decoded[each.name] = found
        return decoded

    def _keep(self, register: Register, raw: str) -> None:
        if not register.is_on_wire:
            self.texts[register.topic, register.pointer] = raw
            return
        try:
            wire = wire_from_hex(raw)
        except ValueError:
            return  # no words: a person's entry, or another way in
        if register.address is None:
            self.octets.update(enumerate(wire, register.byte or 0))
            return
        words = from_wire(wire[: len(wire) // 2 * 2])
        if register.scale_factor is not None:
            scale = register.scale_factor
            self.words.update(zip(scale.span, words[len(register.span) :], strict=False))
            words = words[: len(register.span)]
        self.words.update(enumerate(words, register.address))

    def _in_payload(self, corrected: MeterType, name: str) -> Decoded | None:
        offsets = corrected.registers[name].span
        if any(offset not in self.octets for offset in offsets):
            return None
        wire = bytes(self.octets[offset] for offset in offsets)
        return corrected.wire_decoders[name].decode(wire)


def _json_value(text: str) -> Any:
    """Return the JSON value that a raw text kept; what is no JSON is a string."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=Decimal)
    except ValueError:
        return text
