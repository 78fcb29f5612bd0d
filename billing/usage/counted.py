"""What the evidence of usages comes to: the whole, the bands of a calendar, the highest demand."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from billing.usage.dividing import in_bands, seconds
from meters.quantity import to_scaled
from meters.stepwise import Steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from billing.calendar import BandRun
    from billing.rating.subjects import BandUse


def added_up(usage: Mapping[str, Any]) -> int:
    """Return Σ (closing − opening, rollover resolved) × multiplier of a usage's evidence, 10⁻⁴."""
    whole = Decimal(0)
    for segment in usage["segments"]:
        opening = Decimal(segment["opening"]["value"])
        closing = Decimal(segment["closing"]["value"])
        grown = closing - opening
        if segment["modulus"] is not None and grown < 0:
            grown += Decimal(segment["modulus"])
        whole += grown * Decimal(segment["multiplier"])
    return to_scaled(whole)


def banded(
    usages: Iterable[Mapping[str, Any]], runs: Sequence[BandRun], *, ordered: bool
) -> BandUse:
    """Return what usages of one interval come to together by the `runs` of a calendar, one row."""
    edges_s = seconds(run.start for run in runs[1:])
    whole = np.zeros(len(runs), np.int64)
    for usage in usages:
        if "steps" not in usage:
            whole += np.array([added_up(usage)])
            continue
        steps = usage["steps"]
        whole += Steps(np.array(steps["edges"]), np.array(steps["quantities"]), ()).between(edges_s)
    return in_bands(whole[np.newaxis, :], runs, ordered=ordered)


def highest(usages: Iterable[Mapping[str, Any]], minutes: int) -> int | None:
    """Return the highest average over windows of `minutes`, 10⁻⁴ kW; None where none is stated."""
    return max(
        (
            to_scaled(Decimal(peak["average"]))
            for usage in usages
            for peak in usage.get("peaks", ())
            if peak["minutes"] == minutes
        ),
        default=None,
    )
