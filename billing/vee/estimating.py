"""The register at the end of a period, estimated by one of the methods, from what is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from meters.estimate import (
    Estimate,
    Method,
    NoEstimateError,
    Sample,
    interpolated,
    like_days,
    previous_average,
)
from meters.growth import growth
from meters.interval import Interval, local_midnight
from meters.quantity import PER_UNIT, from_scaled
from meters.reading import Reason, Series
from meters.register_at import RegisterAt, Source, value_of
from meters.stepwise import MISSING, shown

if TYPE_CHECKING:
    from datetime import date, datetime
    from decimal import Decimal

    from billing.registry import Registry
    from billing.usage.asking import Asked
    from billing.usage.wanted import Wanted
    from meters.installation import Installation
    from meters.meter_type import Register
    from meters.reading import Reading

FAR = timedelta(days=35)
"""How far from the end of a period readings may be that it is interpolated between."""
WEEKS = 4
"""So many weeks before are looked at for days that are alike."""


@dataclass(frozen=True, slots=True)
class Estimating:
    """What one meter showed at the end of the period, which nobody read or nobody believes.

    `opening` is what it showed where its part of the period begins.
    """

    registry: Registry
    asked: Asked
    wanted: Wanted
    installation: Installation
    opening: RegisterAt

    def closing(self, method: Method, *, believed: bool, use: Decimal | None) -> RegisterAt:
        """Return the register at the end of the period; raise `NoEstimateError`.

        It goes on from the last reading in the period where readings are `believed`, else from the
        opening. `use` is what the period used, for a use that is stated.
        """
        since, value = self.opening.at, self.opening.value
        last = self._last_reading()
        if method is not Method.STATED and believed and last is not None:
            since, value = last.time, value_of(last)
        samples = self._samples(method, since, value, use)
        step = from_scaled(1) if method is Method.STATED else self._register.smallest_step
        estimate = Estimate(method, since, value, samples, step, self._register.modulus)
        meter = self.installation.meter
        return RegisterAt(meter, self._end, estimate.register, Source.ESTIMATED, estimate=estimate)

    @property
    def _end(self) -> datetime:
        return self.wanted.end

    @property
    def _register(self) -> Register:
        return self.wanted.registers[self.installation.meter_type]

    def _last_reading(self) -> Reading | None:
        """Return the last confirmed reading in the period, None where there is none."""
        reading = self._near(FAR)[0]
        if reading is None or reading.time <= self.opening.at:
            return None
        return None if Reason.UNCONFIRMED in reading.reasons else reading

    def _near(self, window: timedelta) -> tuple[Reading | None, Reading | None]:
        boundary = self.asked.near(self.installation.meter, self.wanted.register, self._end, window)
        return boundary.before, boundary.after

    def _samples(
        self, method: Method, since: datetime, value: Decimal, use: Decimal | None
    ) -> tuple[Sample, ...]:
        missing = Interval(since, self._end)
        match method:
            case Method.STATED:
                return (self._stated(missing, use),)
            case Method.INTERPOLATE:
                return (self._interpolated(since, value),)
            case Method.PREVIOUS_AVERAGE:
                return (self._average(missing),)
            case _:
                zone = self.registry.period.zone
                return like_days(self._days(since), missing, zone)

    def _stated(self, missing: Interval, use: Decimal | None) -> Sample:
        if use is None:
            raise NoEstimateError("no use is stated")
        growth_of_use = Fraction(use) / Fraction(self._multiplier())
        if missing.start != self.wanted.start or (growth_of_use * PER_UNIT).denominator != 1:
            raise NoEstimateError(
                f"no register of meter {self.installation.meter} says exactly {use}, because it was"
                " exchanged, or counts in other steps"
            )
        return Sample(missing, use, 1 / Fraction(self._multiplier()))

    def _interpolated(self, since: datetime, value: Decimal) -> Sample:
        after = self._near(FAR)[1]
        if after is None:
            raise NoEstimateError(f"meter {self.installation.meter} was not read since")
        grown = growth(self._register, value, value_of(after), after.time - since)
        if isinstance(grown, Reason):
            raise NoEstimateError(
                f"meter {self.installation.meter} does not lead from {value} at {since} to "
                f"{value_of(after)} at {after.time} ({grown})"
            )
        return interpolated(Interval(since, after.time), grown, self._end)

    def _average(self, missing: Interval) -> Sample:
        period = self.registry.period.previous
        issued = self.registry.issued.get((self.wanted.point.id, self.wanted.register))
        months = {} if issued is None else {**issued.last_year, **issued.by_month}
        if period.key not in months:
            raise NoEstimateError(f"nothing was billed for {period.key}")
        billed = previous_average(period.interval, from_scaled(months[period.key]), missing)
        return Sample(
            billed.interval, billed.quantity, billed.weight / Fraction(self._multiplier())
        )

    def _days(self, since: datetime) -> list[tuple[Interval, Decimal]]:
        """Return what the meter counted on each whole day of the weeks before that is known."""
        zone = self.registry.period.zone
        last: date = since.astimezone(zone).date()
        midnights = [
            local_midnight(last - timedelta(days=days), zone) for days in range(7 * WEEKS, -1, -1)
        ]
        series = Series(self.installation.meter, self.wanted.register)
        edges = self.asked.edges([series], midnights)
        seen = shown(edges, 0, self._register)
        values, known = seen.values.tolist(), (seen.sources != MISSING).tolist()
        return [
            (Interval(start, end), from_scaled(values[n + 1] - values[n]))
            for n, (start, end) in enumerate(pairwise(midnights))
            if known[n] and known[n + 1] and values[n + 1] >= values[n]
        ]

    def _multiplier(self) -> Decimal:
        """Return the one multiplier of the period; raise where it changed in it."""
        pieces = list(self.installation.pieces(self.wanted.whole))
        if len(pieces) != 1:
            raise NoEstimateError(
                f"the ratio of meter {self.installation.meter} was changed in the period"
            )
        return pieces[0][1]
