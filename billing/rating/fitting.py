"""Whether an example gives what its tariff reads, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from billing.rating.rate import ROUNDING
from billing.rating.subjects import AREA
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from billing.rating.example import Billed
    from billing.tariff import Tariff


class Misfit(NamedTuple):
    """What is wrong with the key of an example."""

    key: str
    what: str
    expected: str | None = None
    actual: str | None = None


def misfits(tariff: Tariff, row: Billed) -> Iterator[Misfit]:
    """Yield what a row does not give although the tariff reads it, or the reverse."""
    yield from _names(tariff, row)
    yield from _uses(tariff, row)
    yield from _bands(tariff, row)
    yield from _demands(tariff, row)
    yield from _attributes(tariff, row)


def by_register(given: Mapping[str, Decimal] | None, registers: frozenset[str]) -> dict[str, int]:
    """Return scaled quantities by register; a bare number is that of the only register."""
    only = next(iter(registers)) if len(registers) == 1 else ""
    return {name or only: to_scaled(value) for name, value in (given or {}).items()}


def _names(tariff: Tariff, row: Billed) -> Iterator[Misfit]:
    taxes = {tax.name for tax in tariff.taxes or ()}
    lines = {charge.name for charge in tariff.charges} | taxes | {ROUNDING}
    if unknown := sorted(set(row.charges or {}) - lines):
        yield Misfit("charges", f"no charge has the name {unknown[0]!r}")
    if unknown := sorted(set(row.taxes or {}) - taxes):
        yield Misfit("taxes", f"no tax has the name {unknown[0]!r}")
    if tariff.needs.classes != (row.customer_class is not None):
        what = (
            "is missing: a charge is for some classes only"
            if tariff.needs.classes
            else "no charge is for some classes only"
        )
        yield Misfit("class", what)


def _uses(tariff: Tariff, row: Billed) -> Iterator[Misfit]:
    needs = tariff.needs
    wanted = needs.registers - needs.bands - _only_demand(tariff)
    given = frozenset(by_register(row.usage, wanted))
    if given != wanted:
        yield Misfit(
            "usage",
            "must give the use of each register that the tariff reads",
            expected=", ".join(sorted(wanted)) or "none",
            actual=", ".join(sorted(given)) or "none",
        )
    for key, before, read, cycle in (
        ("before", row.before, needs.year_to_date, "yearly"),
        ("before_quarter", row.before_quarter, needs.quarter_to_date, "quarterly"),
    ):
        if excess := sorted(set(by_register(before, needs.registers)) - read):
            yield Misfit(key, f"no {cycle} steps read {excess[0] or 'a register'!r}")


def _only_demand(tariff: Tariff) -> frozenset[str]:
    """Return the registers of which only the demand is billed; their use is not asked for."""
    demanded = frozenset(need.register for need in tariff.needs.demand)
    used: frozenset[str] = frozenset()
    for charge in tariff.charges:
        if not charge.needs.demand:
            used |= charge.needs.registers
    return demanded - used


def _bands(tariff: Tariff, row: Billed) -> Iterator[Misfit]:
    needs = tariff.needs
    if bool(needs.bands) != (row.bands is not None):
        what = "is missing: a charge reads" if needs.bands else "no charge reads"
        yield Misfit("bands", f"{what} the use by band")
    if row.bands is None or tariff.calendar is None:
        return
    if needs.ordered and isinstance(row.bands, dict):
        yield Misfit(
            "bands",
            "a charge fills its steps in the order of time; write runs: [[band, quantity], …]",
        )
    named = {band for band, _ in row.runs}
    if unknown := sorted(named - tariff.calendar.bands):
        known = ", ".join(sorted(tariff.calendar.bands))
        yield Misfit("bands", f"the calendar has no band {unknown[0]!r}; it has {known}")


def _demands(tariff: Tariff, row: Billed) -> Iterator[Misfit]:
    demands = tariff.needs.demand
    registers = frozenset(need.register for need in demands)
    given = frozenset(by_register(row.demand, registers))
    if given != registers:
        yield Misfit(
            "demand",
            "must give the highest demand of each register of which the tariff bills it",
            expected=", ".join(sorted(registers)) or "none",
            actual=", ".join(sorted(given)) or "none",
        )
    ratcheted = frozenset(need.register for need in demands if need.ratchet_months)
    if excess := sorted(frozenset(by_register(row.peak_before, registers)) - ratcheted):
        yield Misfit("peak_before", f"no ratchet reads {excess[0] or 'a register'!r}")


def _attributes(tariff: Tariff, row: Billed) -> Iterator[Misfit]:
    reads = tariff.needs.attributes
    assumed = frozenset(tariff.assume or {})
    given = frozenset(row.attributes or {})
    if AREA in given:
        yield Misfit("attributes", "the area is a key of its own: area = …")
    if AREA in reads - assumed and row.area is None:
        yield Misfit("area", "is missing: a charge reads it")
    if AREA not in reads and row.area is not None:
        yield Misfit("area", "no charge reads it")
    if missing := sorted(reads - given - assumed - {AREA}):
        yield Misfit("attributes", f"{missing[0]!r} is missing: a charge reads it")
    if excess := sorted(given - reads - {AREA}):
        yield Misfit("attributes", f"no charge reads {excess[0]!r}")
