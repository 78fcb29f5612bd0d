"""One number that units have, as it was in a month: for what a pool does not read itself."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from billing import tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from billing.pools.participant import Participant
    from meters.interval import Period


def with_attribute(
    connection: Connection,
    statement_id: int,
    participants: Sequence[Participant],
    *,
    name: str,
    period: Period,
) -> list[Participant]:
    """Return the participants of a statement with the attribute `name` that they had in `period`.

    Who has none there gets none: what is not known is never taken for zero.
    """
    attribute, unit, part = tables.unit_attribute, tables.unit, tables.community_run
    rows = connection.execute(
        select(unit.c.code, attribute.c.since, attribute.c.value)
        .join(unit, unit.c.id == attribute.c.unit_id)
        .join(part, part.c.community_id == unit.c.community_id)
        .join(tables.statement, tables.statement.c.community_run_id == part.c.id)
        .where(
            tables.statement.c.id == statement_id,
            attribute.c.name == name,
            attribute.c.since < period.after,
        )
        .order_by(attribute.c.since)
    )
    known: dict[str, list[tuple[date, int | None]]] = defaultdict(list)
    for code, since, value in rows:
        known[code].append((since, value))
    found = []
    for each in participants:
        first = period.first + timedelta(days=each.first_day - 1)
        values = [value for since, value in known[each.unit] if since <= first]
        value = values[-1] if values else None
        attributes = {key: number for key, number in each.attributes.items() if key != name}
        found.append(
            each._replace(attributes=attributes if value is None else {**attributes, name: value})
        )
    return found
