"""The use of one register of one point: as it was read, or as a clerk or an estimate states it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from billing.vee.estimating import Estimating
from billing.vee.findings import NoEstimate, SplitByDays
from billing.vee.reviews import Reviewed
from meters.estimate import Estimate, Method, NoEstimateError, Sample
from meters.finding import MissingRegister
from meters.interval import Interval, local_midnight
from meters.register_at import RegisterAt, Source
from meters.usage import is_unsettled, measure, opening

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from billing.registry import Registry
    from billing.usage.asking import Asked
    from billing.usage.wanted import Wanted
    from billing.vee.reviews import Overlay
    from meters.archive.protocol import Boundary
    from meters.finding import Finding
    from meters.history import History
    from meters.installation import Installation
    from meters.usage import Segment, Usage

SECOND = timedelta(seconds=1)


@dataclass(slots=True)
class UseOfPoint:
    """One wanted register while it is measured.

    `_known` are the readings next to each instant, or what stands in their place; `_said` is what
    is to be said of it, `_split` of the instants at which it is divided by days.
    """

    registry: Registry
    asked: Asked
    wanted: Wanted
    overlay: Overlay
    _known: dict[tuple[str, datetime], Boundary | RegisterAt] = field(default_factory=dict)
    _said: list[Finding] = field(default_factory=list)
    _split: dict[datetime, SplitByDays] = field(default_factory=dict)

    def usages(self) -> list[Usage]:
        """Return the usages of the parts, in time order, and then of those that join them.

        What is decided is among the findings of those that end with the period.
        """
        self._known = dict(self.asked.boundaries(self.wanted))
        for each in self.wanted.point.recorded:
            if self.wanted.register in each.registers:
                value = each.registers[self.wanted.register]
                self._known[each.meter, each.at] = RegisterAt(
                    each.meter, each.at, value, Source.RECORDED, photo=each.photo
                )
        for at, review in self.overlay.registers.items():
            meter = self._standing(at)
            if review.value is not None and meter is not None:
                stated = RegisterAt(meter.meter, at, review.value, Source.OVERRIDDEN)
                self._known[meter.meter, at] = stated
                self._said.append(Reviewed.of(review))
        self._close()
        found = [self._measured(part.interval) for part in self.wanted.parts]
        if len(found) > 1 and self._divided_by_days(found):
            found = [self._measured(part.interval) for part in self.wanted.parts]
        for part in self.wanted.joined:
            found.append(self._measured(part.interval)._replace(joined=True))
        if self._said or self._split:
            found = [self._saying(each) for each in found]
        return found

    def _saying(self, usage: Usage) -> Usage:
        """Return `usage`, if it ends with the period, with what is to be said of it."""
        if usage.interval.end != self.wanted.end:
            return usage
        inside = {at for at in self._split if usage.interval.start < at < usage.interval.end}
        split = [said for at, said in self._split.items() if at not in inside]
        return _with(usage, [*self._said, *split])

    def _measured(self, interval: Interval) -> Usage:
        usage = self._told(interval)
        if is_unsettled(usage):
            usage = self._told(interval, self.asked.histories(self.wanted, interval))
        return usage

    def _told(self, interval: Interval, histories: Mapping[str, History] | None = None) -> Usage:
        return measure(
            point=self.wanted.point.code,
            name=self.wanted.register,
            interval=interval,
            installations=self.wanted.point.installations,
            registers=self.wanted.registers,
            boundaries=self._known,
            issued=self._issued,
            histories=histories,
        )

    @property
    def _issued(self) -> RegisterAt | None:
        issued = self.registry.issued.get((self.wanted.point.id, self.wanted.register))
        return None if issued is None else issued.closing

    def _standing(self, at: datetime) -> Installation | None:
        """Return the installation that `at` belongs to; the period's end belongs to its last."""
        at_end = at == self.wanted.end
        for each in self.wanted.point.installations:
            begun = each.start < at if at_end else each.start <= at
            if begun and (each.end is None or at < each.end or (at_end and at == each.end)):
                return each
        return None

    def _close(self) -> None:
        """Put an estimate or a stated use in place of the register at the end of the period."""
        review, method = self.overlay.closing, self.registry.validation.estimate
        if review is not None:
            self._said.append(Reviewed.of(review))
            method = review.method or Method.STATED
        if method is None:
            return
        end = self.wanted.end
        unread = any(
            isinstance(each, MissingRegister) and each.at == end
            for each in self._measured(self.wanted.parts[-1].interval).findings
        )
        meter = self._standing(end)
        if meter is None or (review is None and not unread):
            return
        try:
            self._known[meter.meter, end] = self._estimating(meter).closing(
                method, believed=unread, use=None if review is None else review.use
            )
        except NoEstimateError as error:
            self._said.append(NoEstimate(str(method), str(error)))

    def _estimating(self, meter: Installation) -> Estimating:
        opened = opening(
            meter,
            self.wanted.whole,
            name=self.wanted.register,
            register=self.wanted.registers[meter.meter_type],
            boundaries=self._known,
            issued=self._issued,
        )
        if not isinstance(opened, RegisterAt):
            raise NoEstimateError(f"its opening is not known either: {opened}")
        return Estimating(self.registry, self.asked, self.wanted, meter, opened)

    def _divided_by_days(self, parts: list[Usage]) -> bool:
        """Divide by days where two parts meet, may be so divided, and nothing was read; say so.

        The register there is taken to have grown with the days of the whole; so the parts sum to
        the whole to the last digit.
        """
        missing = {
            finding.at
            for usage in parts
            for finding in usage.findings
            if isinstance(finding, MissingRegister)
        }
        cuts = sorted(missing & self.wanted.by_days)
        if not cuts:
            return False
        zone = self.registry.period.zone
        whole = self._measured(self.wanted.whole)
        for at in cuts:
            for segment in whole.segments:
                if segment.opening.at < at < segment.closing.at:
                    self._divide(segment, at, zone)
        return True

    def _divide(self, segment: Segment, at: datetime, zone: ZoneInfo) -> None:
        meter = segment.opening.meter
        installation = self._standing(at)
        if installation is None:
            return
        whole = Interval(segment.opening.at, segment.closing.at)
        estimate = Estimate(
            Method.BY_DAYS,
            segment.opening.at,
            segment.opening.value,
            (Sample(whole, segment.growth, _share_of_days(whole, at, zone)),),
            self.wanted.registers[installation.meter_type].smallest_step,
            segment.modulus,
        )
        self._known[meter, at] = RegisterAt(
            meter, at, estimate.register, Source.ESTIMATED, estimate=estimate
        )
        self._split[at] = SplitByDays(meter, at.astimezone(zone).date())


def _share_of_days(whole: Interval, at: datetime, zone: ZoneInfo) -> Fraction:
    """Return the share of `whole` before `at`, by local days where it begins and ends with one."""
    first, after = (each.astimezone(zone).date() for each in (whole.start, whole.end))
    if (local_midnight(first, zone), local_midnight(after, zone)) == (whole.start, whole.end):
        return Fraction((at.astimezone(zone).date() - first).days, (after - first).days)
    return Fraction((at - whole.start) // SECOND, whole.length // SECOND)


def _with(usage: Usage, said: list[Finding]) -> Usage:
    """Return `usage` with more findings; one that blocks takes its quantity."""
    blocked = any(each.blocks for each in said)
    return usage._replace(
        findings=(*usage.findings, *said),
        quantity=None if blocked else usage.quantity,
    )
