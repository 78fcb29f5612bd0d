"""Cross-checks: registers of one meter, read together, that must add up.

A wrong map, a wrong word order or another firmware shows here before an owner finds it: the total
of a meter is the sum of its import and export, or of its phases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from meters.meter_type import Check, MeterType


def violated(meter_type: MeterType, values: Mapping[str, Decimal]) -> tuple[Check, ...]:
    """Return the checks of `meter_type` that `values`, register → canonical value, contradict.

    A check of which a register is missing says nothing.
    """
    return tuple(
        check
        for check in meter_type.check
        if all(name in values for name in (check.total, *check.parts))
        and _is_off(meter_type, check, values)
    )


def off_by(check: Check, values: Mapping[str, Decimal]) -> Decimal:
    """Return the total less the sum of its parts; `values` holds all of them."""
    return values[check.total] - sum(values[name] for name in check.parts)


def _is_off(meter_type: MeterType, check: Check, values: Mapping[str, Decimal]) -> bool:
    """Return whether the sum is off by more than the tolerance, and not by whole turns."""
    off = abs(off_by(check, values))
    modulus = meter_type.registers[check.total].modulus
    if off > check.tolerance and modulus is not None:
        off = min(off % modulus, modulus - off % modulus)
    return off > check.tolerance
