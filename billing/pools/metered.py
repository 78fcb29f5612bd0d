"""What shared meters counted, divided and rated as their tariff says, version by version."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing.evidence import usage_evidence
from billing.money import from_fen
from billing.pools.supply import rated, together
from billing.problem import Problem
from billing.rating.evidence import inputs, parts
from billing.rating.rate import rate
from billing.rating.subjects import BandUse, Subjects
from billing.spans import in_force
from billing.usage.dividing import band_use
from meters.quantity import plain, to_scaled
from meters.told import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from billing.pools.pool import Pool
    from billing.pools.supply import Supply
    from billing.rating.exact import Carried
    from billing.rating.rate import ChargeColumns
    from billing.rating.subjects import DemandNeed
    from billing.registry import Registry, TariffVersion
    from billing.spans import InForce
    from billing.tariff import Tariff
    from billing.usage.measuring import Measured
    from meters.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What shared meters counted in a period, by register, 10⁻⁴, and what it costs."""

    supply: Supply
    by_register: Mapping[str, int]
    versions: Sequence[TariffVersion]
    evidence: dict[str, Any]


def tariff_problems(registry: Registry, pool: Pool) -> Iterator[Problem]:
    """Yield why the tariff of `pool` cannot rate what its shared meters count."""
    name = str(pool.source.tariff)
    versions = registry.tariffs.get(name, ())
    if not versions or versions[0].tariff.valid_from > registry.period.first:
        yield Problem(
            "NoTariff",
            pool.id,
            told("no version of its tariff '{tariff}' is in force; add one", tariff=name),
        )
    found = (what for version in versions for what in _mismatches(version.tariff, pool))
    for what in dict.fromkeys(found):
        yield Problem(
            "TariffMismatch", pool.id, told("its tariff '{tariff}' {what}", tariff=name, what=what)
        )


def _mismatches(tariff: Tariff, pool: Pool) -> Iterator[str]:
    """Yield what keeps `tariff` from rating the supply of `pool`, and what to do about it."""
    needs, source = tariff.needs, pool.source
    billed = {
        name
        for charge in tariff.charges
        if not charge.needs.demand
        for name in charge.needs.registers
    }
    if billed != set(source.counted):
        yield told(
            "bills {billed}, and the pool shares {shared}; let both name the same, as register or "
            "registers",
            billed=", ".join(sorted(billed)) or told("no register"),
            shared=", ".join(source.counted),
        )
    if needs.classes:
        yield told(
            "tells customer classes apart, and a shared meter has none; name one that does not"
        )
    if unknown := sorted(needs.attributes - tariff.assumed.keys()):
        yield told(
            "reads '{name}', and a shared meter has none; let the tariff assume it", name=unknown[0]
        )
    if needs.demand and len(source.points) > 1:
        yield told(
            "bills demand, and several meters have no highest average in common; make each of its "
            "points a pool of its own"
        )
    if needs.bands and source.subs:
        yield told(
            "divides one register by a calendar, and what subs count is not divided for their "
            "master; let registers count the bands, of the master and its subs, or share all that "
            "the master counts"
        )


def metered(registry: Registry, pool: Pool, measured: Measured) -> Metered | None:
    """Return what the shared meters counted and what it costs; None where a finding blocks it."""
    versions = registry.tariffs[str(pool.source.tariff)]
    using = _Using(registry, pool, measured)
    supplies, rated_parts = [], []
    for span in in_force(registry.period, versions):
        usages = using.usages(span)
        if usages is None:
            return None
        subject = using.subject(span, usages)
        charges = rate(span.version.tariff, subject)
        using.go_on(subject, charges)
        supplies.append(rated(span.version.tariff, counted(pool, subject), charges))
        rated_parts.append(_rated_document(span.version.tariff, subject, charges))
    return Metered(
        supply=together(supplies),
        by_register=using.by_register,
        versions=versions,
        evidence={"sources": list(map(_usage_document, using.found)), "rated": rated_parts},
    )


def counted(pool: Pool, subject: Subjects) -> int:
    """Return what `subject` uses of the supply of `pool`, 10⁻⁴: demand has its own registers."""
    return sum(int(subject.use_of(name)[0]) for name in pool.source.counted)


def _rated_document(
    tariff: Tariff, subject: Subjects, charges: Sequence[ChargeColumns]
) -> dict[str, Any]:
    return {
        "tariff": tariff.id,
        "version": tariff.version,
        "inputs": next(inputs(subject)),
        "charges": [
            {
                "charge": each.charge,
                "amount": str(from_fen(int(each.amount[0]))),
                "parts": next(parts(each)),
            }
            for each in charges
        ],
    }


def _usage_document(usage: Usage) -> dict[str, Any]:
    return {
        "point": usage.point,
        "register": usage.register,
        "quantity": plain(usage.quantity or Decimal(0)),
        "unit": usage.unit,
        **usage_evidence(usage),
    }


@dataclass(slots=True)
class _Using:
    """The shared meters of a pool: what they counted, span after span.

    `found`: the usages so far; `by_register`: what they come to, 10⁻⁴.
    """

    registry: Registry
    pool: Pool
    measured: Measured
    found: list[Usage] = field(default_factory=list)
    by_register: Counter[str] = field(default_factory=Counter)
    carried: dict[str, Carried] = field(default_factory=dict)

    def usages(self, span: InForce) -> dict[str, list[Usage]] | None:
        """Return what the tariff of `span` reads, by register; None where a finding blocks it."""
        found: dict[str, list[Usage]] = {}
        for register in sorted(span.version.tariff.needs.registers):
            for point in self.pool.source.points:
                usage = self.measured.usages.get((point, register, span.interval))
                if usage is None or usage.quantity is None:
                    return None
                found.setdefault(register, []).append(usage)
        self.found += [usage for usages in found.values() for usage in usages]
        return found

    def subject(self, span: InForce, usages: Mapping[str, Sequence[Usage]]) -> Subjects:
        """Return what the tariff of `span` reads of `usages`: the shared meters as one."""
        tariff, period = span.version.tariff, self.registry.period
        needs = tariff.needs
        subject = Subjects.one(
            period_days=period.days,
            days=span.days,
            days_before=span.days_before,
            use={name: _whole(usages[name]) for name in sorted(needs.registers)},
            before_year=self._before(needs.year_to_date, period.earlier_months(12)),
            before_quarter=self._before(needs.quarter_to_date, period.earlier_months(3)),
            demand={need: _peak(usages[need.register], need) for need in sorted(needs.demand)},
            peak_before={
                need: self._peak_before(need)
                for need in sorted(needs.demand)
                if need.ratchet_months
            },
            attributes={name: tariff.assumed[name] for name in sorted(needs.attributes)},
        )
        return replace(
            subject,
            bands=self._bands(span, usages),
            carried={name: [each] for name, each in sorted(self.carried.items())},
        )

    def go_on(self, subject: Subjects, charges: Sequence[ChargeColumns]) -> None:
        """Let the next span begin where this one ended."""
        self.by_register.update({name: int(used[0]) for name, used in subject.use.items()})
        self.carried |= {charge.charge: charge.carry(0) for charge in charges}

    def _before(self, names: frozenset[str], months: frozenset[str]) -> dict[str, int]:
        """Return the use in `months`, which are billed, and in earlier spans of the period."""
        before = {}
        for name in sorted(names):
            issued = (self.registry.issued.get((point, name)) for point in self._point_ids)
            billed = (each.by_month.items() for each in issued if each is not None)
            whole = sum(use for by_month in billed for month, use in by_month if month in months)
            before[name] = whole + self.by_register[name]
        return before

    def _peak_before(self, need: DemandNeed) -> int:
        """Return the highest demand of the months that a ratchet looks at, 10⁻⁴ kW."""
        months = self.registry.period.months_before(need.ratchet_months)
        return max(
            (
                peak
                for point in self._point_ids
                for month, peak in self.registry.peaks.get(
                    (point, need.register, need.minutes), {}
                ).items()
                if month in months
            ),
            default=0,
        )

    def _bands(self, span: InForce, usages: Mapping[str, Sequence[Usage]]) -> dict[str, BandUse]:
        """Return the use of all points by band of every register that a calendar divides."""
        tariff, found = span.version.tariff, {}
        if tariff.calendar is None:
            return {}
        runs = tariff.calendar.runs(span.interval, self.registry.period.zone)
        for name in sorted(tariff.needs.bands):
            each = band_use(usages[name], runs, ordered=name in tariff.needs.ordered)
            found[name] = BandUse(each.names, each.quantity.sum(axis=0, keepdims=True))
        return found

    @property
    def _point_ids(self) -> list[int]:
        points = self.registry.points
        return [each.id for each in points if each.code in self.pool.source.points]


def _whole(usages: Sequence[Usage]) -> int:
    return sum(to_scaled(usage.quantity or Decimal(0)) for usage in usages)


def _peak(usages: Sequence[Usage], need: DemandNeed) -> int:
    """Return the highest average of the one meter, 10⁻⁴ kW."""
    peaks = (each for usage in usages for each in usage.peaks if each.minutes == need.minutes)
    return max(to_scaled(each.average) for each in peaks)
