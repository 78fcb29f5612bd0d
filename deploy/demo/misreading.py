"""The wrong reading that the demo plants for its clerk to find.

The radio of a flat's water meter is silent over the end of the last full month. The caretaker reads
the display and takes a digit for another, so the month is billed with 50 m³ too many. The readings
from before and after the silence show that it cannot be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.vee.reviews import Decision, Review
from meters.quantity import plain
from simulators.faults import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Self

    from billing.community import Unit
    from meters.interval import Period
    from simulators.fleet import Fleet

TOO_MANY = Decimal(50)
"""m³: a 3 that was taken for an 8."""
SILENT_BEFORE, SILENT_AFTER = timedelta(hours=60), timedelta(hours=6)
"""For how long the radio says nothing before and after the month's end."""
REASON = "远传离线，门卫抄表 / radio silent, read off the display by the caretaker"


@dataclass(frozen=True, slots=True)
class Misreading:
    """What the display showed at the end of `period`, and what the caretaker noted: `value`, m³."""

    unit: str
    meter: str
    register: str
    period: Period
    value: Decimal

    @classmethod
    def planted(cls, fleet: Fleet, units: Sequence[Unit], period: Period) -> Self:
        """Return the misreading of the flat in the middle of those of `units` that are lived in."""
        lived_in = [unit.code for unit in units if unit.vacant_from is None]
        unit = lived_in[len(lived_in) // 2]
        meter = next(
            each for each in fleet.community.meters if each.unit == unit and each.medium == "water"
        )
        simulated = fleet.meters[meter.id]
        register = next(iter(simulated.meter_type.billing_registers))
        shown = simulated.shown(register, period.interval.end)
        return cls(unit, meter.id, register, period, Decimal(plain(shown)) + TOO_MANY)

    @property
    def silence(self) -> Fault:
        """Why somebody had to read the display."""
        end = self.period.interval.end
        return Fault.model_validate(
            {
                "meter": self.meter,
                "kind": FaultKind.DEAD,
                "from": end - SILENT_BEFORE,
                "until": end + SILENT_AFTER,
            }
        )

    def noted(self, *, author: str, now: datetime) -> Review:
        """Return what the office took over from the caretaker's note."""
        return Review(
            point=self.meter,
            register=self.register,
            period=self.period.key,
            decision=Decision.OVERRIDE,
            author=author,
            made_at=now,
            reason=REASON,
            at=self.period.interval.end,
            value=self.value,
        )
