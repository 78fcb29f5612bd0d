"""What stored readings would be by a corrected type, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meters.catalog.table import aligned
from meters.quantity import plain
from meters.reading import Series
from meters.redecoding import redecode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from meters.archive.protocol import Archive
    from meters.interval import Interval
    from meters.meter_type import MeterType
    from meters.reading import Verdict
    from meters.redecoding import Overlay, Redecoded


def redecoded(
    archive: Archive,
    meter: str,
    span: Interval,
    *,
    stored_by: MeterType,
    corrected: MeterType,
) -> Redecoded:
    """Return what the readings of `meter` in `span` would be; the archive stays as it is.

    They are judged from nothing on: the first of `span` has no reading before it.
    """
    names = dict.fromkeys((*stored_by.registers, *corrected.registers))
    return redecode(
        (each for name in names for each in archive.readings(Series(meter, name), span)),
        stored_by=stored_by,
        corrected=corrected,
    )


def overlay_lines(found: Redecoded, stored_by: MeterType, corrected: MeterType) -> Iterator[str]:
    """Yield a line for each reading that would change, and how many would not."""
    if found.overlays:
        yield from aligned(
            ("TIME (UTC)", "REGISTER", "WAS", "WOULD BE", "UNIT", "VERDICT", "RAW"),
            [
                (
                    f"{each.time:%Y-%m-%d %H:%M:%S}",
                    each.series.register,
                    _with_unit(each, stored_by, corrected),
                    _number(each.new_value),
                    corrected.registers[each.series.register].canonical_unit,
                    _verdict(each),
                    each.raw,
                )
                for each in found.overlays
            ],
            numbers=(2, 3),
        )
    count = len(found.overlays) + found.unchanged
    yield f"{len(found.overlays)} of {count} readings would change"
    if found.untold:
        names = sorted({each.series.register for each in found.untold})
        yield (
            f"{len(found.untold)} cannot be told, of {', '.join(names)}: {corrected.id} has no "
            "such register, or its words were never read"
        )


def _with_unit(each: Overlay, stored_by: MeterType, corrected: MeterType) -> str:
    name = each.series.register
    if each.old_verdict is None:
        return "not read"
    unit = stored_by.registers[name].canonical_unit
    alike = unit == corrected.registers[name].canonical_unit
    return _number(each.old_value) if alike else f"{_number(each.old_value)} {unit}"


def _number(value: Decimal | None) -> str:
    return "-" if value is None else plain(value)


def _verdict(each: Overlay) -> str:
    before, after = _name(each.old_verdict), _name(each.new_verdict)
    change = after if before in (None, after) else f"{before} -> {after}"
    reasons = ", ".join(each.new_reasons)
    return f"{change}: {reasons}" if reasons else str(change)


def _name(verdict: Verdict | None) -> str | None:
    return None if verdict is None else verdict.name.lower()


def overlay_document(found: Redecoded) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "unchanged": found.unchanged,
        "untold": [
            {
                "meter": each.series.meter,
                "register": each.series.register,
                "time": each.time.isoformat(),
                "raw": each.raw,
            }
            for each in found.untold
        ],
        "overlays": [
            {
                "meter": each.series.meter,
                "register": each.series.register,
                "time": each.time.isoformat(),
                "raw": each.raw,
                "old_value": None if each.old_value is None else plain(each.old_value),
                "old_verdict": _name(each.old_verdict),
                "new_value": None if each.new_value is None else plain(each.new_value),
                "new_verdict": _name(each.new_verdict),
                "new_reasons": [str(reason) for reason in each.new_reasons],
            }
            for each in found.overlays
        ],
    }
