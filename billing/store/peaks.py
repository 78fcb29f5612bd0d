"""Billed demand in the database: what ratchets look back at."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables
from billing.canonical import read_json
from billing.store import runs
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from billing.registry import TariffVersion
    from meters.interval import Period

Peaks = dict[tuple[int, str, int], dict[str, int]]
"""The highest demand of each month, 10⁻⁴ kW, by point id, register and minutes of the window."""


def billed_before(
    connection: Connection,
    community_id: int,
    period: Period,
    tariffs: Mapping[str, Iterable[TariffVersion]],
) -> Peaks:
    """Return the peaks of issued months that a ratchet of `tariffs` looks at in `period`."""
    needs = [
        need
        for versions in tariffs.values()
        for version in versions
        for need in version.tariff.needs.demand
        if need.ratchet_months
    ]
    found: Peaks = defaultdict(dict)
    if not needs:
        return found
    looked_at = period.months_before(max(need.ratchet_months for need in needs))
    counting = runs.counting(connection, community_id, before=period.key)
    months = {part.id: month for month, part in counting.items() if month in looked_at}
    usage = tables.usage
    rows = connection.execute(
        select(
            usage.c.community_run_id, usage.c.point_id, usage.c.register, usage.c.evidence
        ).where(
            usage.c.community_run_id.in_(sorted(months)),
            usage.c.register.in_(sorted({need.register for need in needs})),
        )
    )
    for part_id, point_id, register, evidence in rows:
        for peak in read_json(evidence).get("peaks", ()):
            by_month = found[point_id, register, peak["minutes"]]
            average = to_scaled(Decimal(peak["average"]))
            by_month[months[part_id]] = max(average, by_month.get(months[part_id], 0))
    return found
