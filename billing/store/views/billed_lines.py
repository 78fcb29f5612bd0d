"""Where the lines of a computed month stand, so that what is found about a unit leads to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables
from billing.store.views import versions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from billing.anomalies import Anomaly


@dataclass(frozen=True, slots=True)
class BilledLine:
    """A line of a unit's bill, and the register that it counts, if it counts one.

    `title` is the charge's, None where its tariff names none so; `quantity`: 10⁻⁴ of `unit_of`;
    `amount`: fen.
    """

    unit: str
    bill: str
    position: int
    charge: str
    title: Mapping[str, str] | None
    quantity: int
    unit_of: str
    amount: int
    register: str | None
    """Point and register, as anomalies name them."""


def of_units(
    connection: Connection, community_run_id: int, units: Collection[str]
) -> list[BilledLine]:
    """Return the lines that a computed month made for `units`, by bill and position."""
    line, bill, unit = tables.bill_line, tables.bill, tables.unit
    usage, point, version = tables.usage, tables.point, tables.tariff_version
    rows = connection.execute(
        select(
            unit.c.code,
            bill.c.number,
            line.c.position,
            line.c.charge,
            version.c.document,
            line.c.quantity,
            line.c.unit.label("unit_of"),
            line.c.amount,
            point.c.code.label("point"),
            usage.c.register,
        )
        .join(bill, bill.c.id == line.c.bill_id)
        .join(unit, unit.c.id == bill.c.unit_id)
        .outerjoin(version, version.c.id == line.c.tariff_version_id)
        .outerjoin(usage, usage.c.id == line.c.usage_id)
        .outerjoin(point, point.c.id == usage.c.point_id)
        .where(bill.c.community_run_id == community_run_id, unit.c.code.in_(sorted(units)))
        .order_by(bill.c.number, line.c.position)
    )
    return [
        BilledLine(
            row.code,
            row.number,
            row.position,
            row.charge,
            _title(row.document, row.charge),
            row.quantity,
            row.unit_of,
            row.amount,
            None if row.point is None else f"{row.point} {row.register}",
        )
        for row in rows
    ]


def _title(document: str | None, charge: str) -> Mapping[str, str] | None:
    """Return the title of a charge of the tariff that `document` is the text of."""
    charges = () if document is None else versions.tariff(document).charges
    return next((each.title for each in charges if each.name == charge), None)


def line_of(anomaly: Anomaly, lines: Collection[BilledLine]) -> BilledLine | None:
    """Return the line that `anomaly` is about, None where it is about no single line."""
    of_unit = (each for each in lines if each.unit == anomaly.unit)
    return next((each for each in of_unit if anomaly.subject in (each.register, each.charge)), None)
