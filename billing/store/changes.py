"""What changes of a unit from a day on: attributes, customer class, tariffs, vacancy; each audited.

A change on a day that stands already replaces what stood there. A change in months that are issued
alters no bill; a correction of these months bills the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, update

from billing import tables
from billing.canonical import canonical_json, read_json
from billing.store import audit, medians, runs
from billing.store.registry import lock
from meters.quantity import from_scaled, plain, to_scaled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from decimal import Decimal

    from sqlalchemy import Row, Table


class UnknownUnitError(LookupError):
    """No unit of this community has this code."""


class ChangeError(ValueError):
    """A change cannot be as it is told; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Of which unit something changes, from which day on, and who says so, why and when."""

    community: str
    unit: str
    since: date
    actor: str
    reason: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """A unit in the database, with the tariffs of its community by customer class."""

    id: int
    community_id: int
    classes: dict[str, list[str]]


def set_attribute(connection: Connection, change: Change, name: str, value: Decimal | None) -> None:
    """Let attribute `name` of a unit be `value`, None where it is not known any more."""
    if value is not None and value < 0:
        raise ChangeError(f"{name} of unit {change.unit} cannot be {value}; it is 0 or more")
    unit = place(connection, change)
    scaled = None if value is None else to_scaled(value)
    was = _dated(
        connection, tables.unit_attribute, unit, change, key={"name": name}, value={"value": scaled}
    )
    medians.forget(connection, unit.community_id, change.since)
    told = None if was is None or was.value is None else plain(from_scaled(was.value))
    log(
        connection,
        change,
        "unit.attribute",
        attribute=name,
        value=None if value is None else plain(value),
        was=told,
    )


def set_class(connection: Connection, change: Change, customer_class: str) -> None:
    """Let a unit belong to `customer_class`, which decides the tariffs that it is billed by."""
    unit = place(connection, change)
    if customer_class not in unit.classes:
        raise ChangeError(
            f"community {change.community} has no customer class {customer_class!r}; it has "
            f"{', '.join(sorted(unit.classes))}"
        )
    value = {"customer_class": customer_class}
    was = _dated(connection, tables.unit_class, unit, change, value=value)
    medians.forget(connection, unit.community_id, change.since)
    told = None if was is None else was.customer_class
    log(connection, change, "unit.class", customer_class=customer_class, was=told)


def set_tariffs(connection: Connection, change: Change, tariffs: Sequence[str] | None) -> None:
    """Let a unit be billed by `tariffs`, in their order; None: by those of its customer class."""
    unit = place(connection, change)
    version = tables.tariff_version
    known = set(connection.scalars(select(version.c.code).distinct()))
    for name in tariffs or ():
        if name not in known:
            raise ChangeError(f"there is no tariff {name!r}; define it first, or correct its name")
    if tariffs is not None and len(set(tariffs)) < len(tariffs):
        raise ChangeError(f"unit {change.unit} cannot be billed twice by one tariff")
    text = None if tariffs is None else canonical_json(list(tariffs))
    was = _dated(connection, tables.unit_tariffs, unit, change, value={"tariffs": text})
    told = None if was is None or was.tariffs is None else read_json(was.tariffs)
    log(
        connection,
        change,
        "unit.tariffs",
        tariffs=None if tariffs is None else list(tariffs),
        was=told,
    )


def set_vacant(connection: Connection, change: Change, *, until: date | None = None) -> None:
    """Let a unit be vacant; `until` is the first day that it is lived in again, where it is known.

    Raises `ChangeError` where it is vacant then already.
    """
    unit, table = place(connection, change), tables.vacancy
    if until is not None and until <= change.since:
        raise ChangeError(f"a vacancy from {change.since} until {until} holds no day")
    for row in connection.execute(select(table).where(table.c.unit_id == unit.id)):
        begins_before = until is None or row.first_day < until
        if begins_before and (row.after_day is None or change.since < row.after_day):
            raise ChangeError(
                f"unit {change.unit} is vacant from {row.first_day} already; say first since when "
                "it was lived in"
            )
    values = {"unit_id": unit.id, "first_day": change.since, "after_day": until}
    connection.execute(insert(table).values(values))
    log(connection, change, "unit.vacant", until=None if until is None else until.isoformat())


def set_occupied(connection: Connection, change: Change) -> None:
    """Let a vacant unit be lived in; raise `ChangeError` where it is not vacant."""
    unit, table = place(connection, change), tables.vacancy
    row = connection.execute(
        select(table).where(
            table.c.unit_id == unit.id,
            table.c.first_day < change.since,
            table.c.after_day.is_(None) | (table.c.after_day > change.since),
        )
    ).one_or_none()
    if row is None:
        raise ChangeError(f"unit {change.unit} was not vacant before {change.since}; nothing ends")
    connection.execute(update(table).where(table.c.id == row.id).values(after_day=change.since))
    log(connection, change, "unit.occupied", vacant_from=row.first_day.isoformat())


def issued_from(connection: Connection, change: Change) -> str | None:
    """Return the first month that is issued although the change concerns it; None if none is."""
    owner = tables.community
    community_id = connection.scalar(select(owner.c.id).where(owner.c.code == change.community))
    last = None if community_id is None else runs.last_issued_period(connection, community_id)
    month = f"{change.since:%Y-%m}"
    return month if last is not None and month <= last else None


def place(connection: Connection, change: Change) -> Place:
    """Return the unit of a change, and keep others from changing its community until the end.

    Raises `UnknownUnitError`, or `ChangeError` without a reason.
    """
    if not change.reason.strip():
        raise ChangeError("say why: whoever checks a bill will ask")
    unit, community = tables.unit, tables.community
    row = connection.execute(
        select(unit.c.id, unit.c.community_id, community.c.tariffs)
        .join(community, community.c.id == unit.c.community_id)
        .where(community.c.code == change.community, unit.c.code == change.unit)
    ).one_or_none()
    if row is None:
        raise UnknownUnitError(f"community {change.community!r} has no unit {change.unit!r}")
    lock(connection, [row.community_id])
    return Place(row.id, row.community_id, read_json(row.tariffs))


def log(connection: Connection, change: Change, action: str, **detail: Any) -> None:
    """Put a change into the audit log."""
    owner = tables.community
    community = connection.scalars(select(owner.c.id).where(owner.c.code == change.community))
    audit.append(
        connection,
        at=change.now,
        actor=change.actor,
        action=action,
        subject=_subject(change.community, change.unit),
        communities=community.all(),
        detail={"since": change.since.isoformat(), "reason": change.reason, **detail},
    )


def _subject(community: str, unit: str) -> str:
    return f"unit:{community}/{unit}"


def _dated(
    connection: Connection,
    table: Table,
    unit: Place,
    change: Change,
    *,
    value: dict[str, Any],
    key: dict[str, str] | None = None,
) -> Row[Any] | None:
    """Store `value` since the day of a change, and return what held on that day before."""
    mine = (table.c.unit_id == unit.id) & (table.c.since <= change.since)
    for name, wanted in (key or {}).items():
        mine &= table.c[name] == wanted
    was = connection.execute(
        select(table).where(mine).order_by(table.c.since.desc()).limit(1)
    ).one_or_none()
    if was is not None and was.since == change.since:
        connection.execute(update(table).where(table.c.id == was.id).values(value))
    else:
        row = {"unit_id": unit.id, "since": change.since, **(key or {}), **value}
        connection.execute(insert(table).values(row))
    return was
