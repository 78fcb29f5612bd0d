"""Rating 1,000,000 units in columns against a plain `Decimal` loop over a sample of them.

Both rate yearly power steps and a fee per m², to the cent; the sample must agree on every line.
"""

from __future__ import annotations

import resource
import sys
import time
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from billing.pools.apportionment import Statement, apportion
from billing.pools.participant import Participant
from billing.pools.pool import Pool
from billing.pools.supply import Supply
from billing.rating.rate import ChargeColumns, rate
from billing.rating.subjects import AREA, Subjects
from billing.tariff import Tariff, parse_tariff

UNITS = 1_000_000
SAMPLE = 20_000
POOL_UNITS = 100_000
REPEATS = 5
CENT = Decimal("0.01")
STEPS = ((Decimal(2760), Decimal("0.538")), (Decimal(4800), Decimal("0.588")))
OPEN_PRICE = Decimal("0.838")
FEE_PER_M2 = Decimal("2.85")


def tariff() -> Tariff:
    return parse_tariff(
        {
            "kind": "tariff",
            "id": "benchmark",
            "version": 1,
            "title": {"en": "Benchmark"},
            "medium": "electricity",
            "currency": "CNY",
            "valid_from": "2026-01-01",
            "charge": [
                {
                    "name": "energy",
                    "title": {"en": "Energy"},
                    "kind": "steps",
                    "per": "year",
                    "register": "import_energy",
                    "steps": [*([str(until), str(price)] for until, price in STEPS), ["0.838"]],
                },
                {
                    "name": "property-fee",
                    "title": {"en": "Property fee"},
                    "kind": "per-area",
                    "price": str(FEE_PER_M2),
                },
            ],
            "example": [{"usage": 5000, "area": 100, "expect": "3137.00"}],
        },
        "bench_rating",
    )


def community() -> Subjects:
    random = np.random.default_rng(20_260_101)
    return Subjects(
        count=UNITS,
        period_days=30,
        days=np.full(UNITS, 30),
        days_before=np.zeros(UNITS, dtype=np.int64),
        use={"import_energy": random.integers(0, 6_000_000, UNITS)},
        before_year={"import_energy": random.integers(0, 60_000_000, UNITS)},
        attributes={AREA: random.integers(300_000, 2_000_000, UNITS)},
    )


def by_decimals(subjects: Subjects) -> list[tuple[Decimal, Decimal]]:
    """Rate the sample one unit after the other."""
    sample = zip(
        *(
            [Decimal(value).scaleb(-4) for value in column[:SAMPLE].tolist()]
            for column in (
                subjects.before_year_of("import_energy"),
                subjects.use_of("import_energy"),
                subjects.attribute(AREA),
            )
        ),
        strict=True,
    )
    return [
        (
            (steps_cost(before + use) - steps_cost(before)).quantize(CENT, ROUND_HALF_UP),
            (area * FEE_PER_M2).quantize(CENT, ROUND_HALF_UP),
        )
        for before, use, area in sample
    ]


def steps_cost(cumulative: Decimal) -> Decimal:
    cost, floor = Decimal(0), Decimal(0)
    for until, price in STEPS:
        if cumulative <= until:
            return cost + (cumulative - floor) * price
        cost, floor = cost + (until - floor) * price, until
    return cost + (cumulative - floor) * OPEN_PRICE


def disagreeing(lines: tuple[ChargeColumns, ...], clerk: list[tuple[Decimal, Decimal]]) -> int:
    columns = [
        [Decimal(fen).scaleb(-2) for fen in line.amount[: len(clerk)].tolist()] for line in lines
    ]
    return sum(
        amounts != expected
        for amounts, expected in zip(zip(*columns, strict=True), clerk, strict=True)
    )


def pool_s() -> float:
    """Return the seconds to share one pool by area among `POOL_UNITS` units."""
    units = [
        Participant(unit=f"{number:06}", building="1", attributes={"area": 300_000 + 7 * number})
        for number in range(POOL_UNITS)
    ]
    lifts = Pool.model_validate(
        {
            "kind": "pool",
            "id": "lifts",
            "version": 1,
            "title": {"en": "Lifts"},
            "source": {"points": ["lift"], "register": "import_energy", "tariff": "benchmark"},
            "basis": "area",
            "company_share": "0.1",
            "charging": {"allowed": True, "contract": "a benchmark"},
            "example": [
                {
                    "period": "2026-01",
                    "quantity": 0,
                    "amount": 0,
                    "participants": [{"unit": "1"}],
                    "expect": {},
                }
            ],
        }
    )
    supply = Supply(quantity=123_456_789, unit="kWh", amount=98_765_432)
    started = time.perf_counter()
    result = apportion(lifts, supply, units, period="2026-01")
    elapsed_s = time.perf_counter() - started
    if not isinstance(result, Statement):
        sys.exit(f"the pool is blocked: {result}")
    return elapsed_s


def main() -> int:
    subjects, rated = community(), tariff()
    columns_s = []
    lines: tuple[ChargeColumns, ...] = ()
    for _ in range(REPEATS):
        started = time.perf_counter()
        lines = rate(rated, subjects)
        columns_s.append(time.perf_counter() - started)
    started = time.perf_counter()
    clerk = by_decimals(subjects)
    loop_s = time.perf_counter() - started

    per_line = min(columns_s) / (UNITS * len(lines))
    loop_per_line = loop_s / (SAMPLE * len(lines))
    wrong = disagreeing(lines, clerk)
    print(f"columns: {UNITS:,} units, {len(lines)} lines each: {min(columns_s):.3f} s best of")
    print(f"  {REPEATS} = {1 / per_line / 1e6:.1f} million lines/s")
    print(f"plain Decimal loop: {SAMPLE:,} units: {1 / loop_per_line / 1e6:.2f} million lines/s")
    print(f"ratio for each line: {loop_per_line / per_line:.0f} × faster in columns")
    print(f"lines of the sample that differ: {wrong}")
    print(f"one pool by area: {POOL_UNITS / pool_s() / 1e3:.0f} thousand shares/s")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
