"""Hold a billed usage against its own evidence: registers on readings, segments on registers (I3).

Everything that the evidence states twice must agree, down to the readings that a register rests on.
What it states once only, such as the raw words of a reading, the digest of its run protects.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from billing.difference import Difference
from billing.evidence import read_register
from billing.usage.divided_check import peak_differences, step_differences
from meters.quantity import from_scaled, plain
from meters.reading import Verdict
from meters.register_at import TOLERANCE, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meters.interval import Interval
    from meters.register_at import RegisterAt

READINGS = {
    Source.READ: (1,),
    Source.INTERPOLATED: (2,),
    Source.RECORDED: (0,),
    Source.ESTIMATED: (0,),
    Source.OVERRIDDEN: (0,),
}
"""How many readings each kind of register rests on; an issued one, on what it closed with."""


def usage_differences(
    quantity: int,
    *,
    register: str,
    interval: Interval,
    evidence: Mapping[str, Any],
    opens_with: RegisterAt | None,
) -> Iterator[Difference]:
    """Yield what does not follow in the evidence of a usage of `quantity` (10⁻⁴ units).

    `opens_with` is what the period before was issued with, None where nothing was.
    """
    segments = evidence["segments"]
    if not segments:
        yield Difference("usage", plain(from_scaled(quantity)), "no segment")
        return
    registers = [(read_register(s["opening"]), read_register(s["closing"])) for s in segments]
    yield from _tiles(interval, registers)
    whole = Decimal(0)
    for segment, (opening, closing) in zip(segments, registers, strict=True):
        if opening.meter != closing.meter:
            yield Difference("meter", opening.meter, closing.meter)
        for end in (opening, closing):
            yield from _rests_on_readings(end, register, segment["modulus"])
            yield from _follows_from_its_estimate(end)
        grown = closing.value - opening.value
        if grown < 0 and segment["modulus"] is not None:
            grown += Decimal(segment["modulus"])
        yield from _compare(f"growth of {opening.meter}", segment["growth"], grown)
        counted = grown * Decimal(segment["multiplier"])
        yield from _compare(f"use of {opening.meter}", segment["quantity"], counted)
        whole += counted
    yield from _compare("quantity", plain(from_scaled(quantity)), whole)
    yield from _opens(registers[0][0], opens_with)
    yield from step_differences(quantity, evidence)
    yield from peak_differences(evidence)


def _compare(what: str, claimed: str, recomputed: Decimal) -> Iterator[Difference]:
    if Decimal(claimed) != recomputed:
        yield Difference(what, claimed, plain(recomputed))


def _tiles(
    interval: Interval, registers: Sequence[tuple[RegisterAt, RegisterAt]]
) -> Iterator[Difference]:
    """Hold what opens and closes each segment against the interval, which they follow through."""
    ends = [(opening.at, closing.at) for opening, closing in registers]
    if ends[0][0] != interval.start:
        yield Difference("start", str(interval.start), str(ends[0][0]))
    if ends[-1][1] != interval.end:
        yield Difference("end", str(interval.end), str(ends[-1][1]))
    for (_, removed), (installed, _) in pairwise(ends):
        if removed != installed:
            yield Difference("exchange", f"removed at {removed}", f"installed at {installed}")


def _rests_on_readings(end: RegisterAt, register: str, modulus: str | None) -> Iterator[Difference]:
    """Hold a register against the readings that say so."""
    claimed = f"{plain(end.value)} {end.source}"
    values = [reading.value for reading in end.readings if reading.value is not None]
    good = all(
        reading.verdict is Verdict.GOOD and reading.series.register == register
        for reading in end.readings
    )
    count = len(end.readings)
    if not good or len(values) != count or count not in READINGS.get(end.source, (0, 1, 2)):
        yield Difference(f"register of {end.meter}", claimed, f"{count} readings, not all of them")
    elif count == 1 and values[0] != end.value:
        yield Difference(f"register of {end.meter}", claimed, f"{plain(values[0])} read")
    elif not _in_time(end):
        when = " and ".join(str(reading.time) for reading in end.readings)
        yield Difference(f"register of {end.meter}", f"known at {end.at}", f"read at {when}")
    elif count == 2 and not _between(end.value, values[0], values[1], modulus):
        around = f"{plain(values[0])} and {plain(values[1])} read around it"
        yield Difference(f"register of {end.meter}", claimed, around)


def _follows_from_its_estimate(end: RegisterAt) -> Iterator[Difference]:
    """Hold an estimated register against what it was estimated from."""
    if end.estimate is not None:
        estimated = end.estimate.register
        yield from _compare(f"estimate of {end.meter}", plain(end.value), estimated)
    elif end.source is Source.ESTIMATED:
        yield Difference(f"register of {end.meter}", "estimated", "from nothing that is stated")


def _in_time(end: RegisterAt) -> bool:
    """Return whether a register was read when it says, or around then."""
    times = [reading.time for reading in end.readings]
    if end.source is Source.READ:
        return all(abs(time - end.at) <= TOLERANCE for time in times)
    return end.source is not Source.INTERPOLATED or times[0] <= end.at <= times[-1]


def _between(value: Decimal, low: Decimal, high: Decimal, modulus: str | None) -> bool:
    """Return whether a counter that showed `low` and then `high` can have shown `value` between."""
    if low <= high or modulus is None:
        return low <= value <= high
    return value >= low or value <= high


def _opens(opening: RegisterAt, issued: RegisterAt | None) -> Iterator[Difference]:
    if opening.source is Source.RECORDED or issued is None:
        return
    if issued.meter != opening.meter:
        yield Difference("opening", opening.meter, f"{issued.meter}, last issued")
    elif issued.value != opening.value:
        yield Difference("opening", plain(opening.value), f"{plain(issued.value)}, last issued")
