"""From shared meters to pool statements, and from statements to the lines of those who share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing.apportionment import Blocked, Participant, Payer, Statement, Supply, apportion
from billing.bill import Debtor, Line
from billing.evidence import quantity_text, usage_evidence
from billing.money import from_fen
from billing.problem import Problem
from billing.rating.evidence import inputs, parts
from billing.rating.rate import rate, total
from billing.rating.subjects import Needs, Subjects
from meters.quantity import plain, to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from billing.measuring import Measured
    from billing.pool import Pool
    from billing.registry import PoolVersion, Registry, TariffVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolResult:
    """A pool's statement with the versions and the evidence that it rests on."""

    version: PoolVersion
    tariff_version_id: int
    statement: Statement
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shared:
    """Every pool's result, the lines of those who owe a share, and what is missing."""

    results: list[PoolResult] = field(default_factory=list)
    lines: Mapping[Debtor, list[Line]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def share_pools(registry: Registry, measured: Measured) -> Shared:
    """Return the statement of every pool of `registry`, and the lines that come of them."""
    results: list[PoolResult] = []
    lines: dict[Debtor, list[Line]] = defaultdict(list)
    holders = {unit.code: unit.spans[-1].account for unit in registry.units}
    problems: list[Problem] = list(_shared_twice(registry))
    for version in registry.pools:
        result = _share(registry, version, measured)
        if isinstance(result, PoolResult):
            results.append(result)
            for unit, line in _lines(result):
                lines[Debtor(unit, holders[unit])].append(line)
        else:
            problems.extend(result)
    return Shared(results, lines, problems)


def _shared_twice(registry: Registry) -> Iterator[Problem]:
    """Yield the shared meters that two pools bill by the same register: people would pay twice."""
    taken: dict[tuple[str, str], str] = {}
    for each in registry.pools:
        pool = each.pool
        for point in pool.source.points:
            other = taken.setdefault((point, pool.source.register_name), pool.id)
            if other != pool.id:
                text = f"measures at {point}, as pool {other!r} does; one of them must let it go"
                yield Problem("SharedTwice", pool.id, text)


def _share(
    registry: Registry, version: PoolVersion, measured: Measured
) -> PoolResult | list[Problem]:
    pool = version.pool
    versions = registry.tariffs.get(pool.source.tariff, ())
    supply_tariff = next(iter(versions), None)
    if supply_tariff is None or supply_tariff.tariff.valid_from > registry.period.first:
        text = f"no version of its tariff {pool.source.tariff!r} is in force; add one"
        return [Problem("NoTariff", pool.id, text)]
    needs = supply_tariff.tariff.needs
    if needs != Needs(
        frozenset({pool.source.register_name}), needs.year_to_date, needs.quarter_to_date
    ):
        text = (
            f"its tariff {pool.source.tariff!r} does not bill {pool.source.register_name!r} alone"
        )
        return [Problem("TariffMismatch", pool.id, text)]
    supplied = _supply(registry, pool, supply_tariff, measured)
    if supplied is None:
        return []
    supply, evidence = supplied
    participants = _participants(registry, pool, measured)
    result = apportion(pool, supply, participants, period=registry.period.key)
    if isinstance(result, Blocked):
        return [Problem(each.kind, pool.id, str(each)) for each in result.obstacles]
    evidence["participants"] = [_participant_document(each) for each in participants]
    return PoolResult(
        version=version,
        tariff_version_id=supply_tariff.id,
        statement=result,
        evidence=evidence,
    )


def _supply(
    registry: Registry, pool: Pool, version: TariffVersion, measured: Measured
) -> tuple[Supply, dict[str, Any]] | None:
    """Return what the shared meters counted and what it costs; None where a finding blocks it."""
    name = pool.source.register_name
    whole = 0
    sources = []
    for point in pool.source.points:
        quantity = measured.over(point, name)
        if quantity is None:
            return None
        whole += quantity
        sources += [
            {
                "point": point,
                "register": name,
                "quantity": plain(usage.quantity),
                "unit": usage.unit,
                **usage_evidence(usage),
            }
            for usage in measured.of(point, name)
            if usage.quantity is not None
        ]
    use = {name: whole}
    before = dict.fromkeys(version.tariff.needs.year_to_date, _year_to_date(registry, pool))
    subject = Subjects.one(period_days=registry.period.days, use=use, before_year=before)
    charges = rate(version.tariff, subject)
    supply = Supply(
        quantity=whole,
        unit=charges[0].unit,
        amount=int(total(charges)[0]),
    )
    evidence = {
        "sources": sources,
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
    return supply, evidence


def _year_to_date(registry: Registry, pool: Pool) -> int:
    """Return what the shared meters were billed for since New Year, 10⁻⁴ units."""
    issued = (
        registry.issued.get((point.id, pool.source.register_name))
        for point in registry.points
        if point.code in pool.source.points
    )
    return sum(sum(each.by_month.values()) for each in issued if each is not None)


def _participants(registry: Registry, pool: Pool, measured: Measured) -> list[Participant]:
    use: dict[str, int] = {}
    if pool.use is not None:
        for point in registry.points:
            used = measured.over(point.code, pool.use.register_name)
            counts = point.medium == pool.use.medium and point.unit is not None
            if counts and used is not None:
                use[str(point.unit)] = used
    return [
        Participant(
            unit=unit.code,
            building=unit.building,
            floor=unit.floor,
            area=unit.spans[-1].attributes.get("area"),
            use=use.get(unit.code),
            vacant=all(span.vacant for span in unit.spans),
        )
        for unit in registry.units
    ]


def _participant_document(each: Participant) -> dict[str, Any]:
    return {
        "unit": each.unit,
        "building": each.building,
        "floor": each.floor,
        "area": None if each.area is None else quantity_text(each.area),
        "use": None if each.use is None else quantity_text(each.use),
        "vacant": each.vacant,
    }


def read_participants(documents: Sequence[Mapping[str, Any]]) -> list[Participant]:
    """Return the participants that a statement's evidence holds."""
    return [
        Participant(
            unit=each["unit"],
            building=each["building"],
            floor=each["floor"],
            area=_scaled(each["area"]),
            use=_scaled(each["use"]),
            vacant=each["vacant"],
        )
        for each in documents
    ]


def _scaled(text: str | None) -> int | None:
    return None if text is None else to_scaled(Decimal(text))


def _lines(result: PoolResult) -> list[tuple[str, Line]]:
    statement = result.statement
    return [
        (
            share.unit,
            Line(
                charge=statement.pool,
                revenue="pool",
                quantity=share.quantity,
                unit=statement.supply.unit,
                amount=share.amount,
                share=(statement.pool, position),
                evidence={},
            ),
        )
        for position, share in enumerate(statement.shares)
        if share.unit is not None and share.payer is Payer.OWNER
    ]
