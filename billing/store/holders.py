"""Who holds a unit: moving in and out on a day, with what the meters showed then; each audited.

A month in which the holder changes gives a bill to each of them, so the use must be known at that
midnight: by a reading, or by what a person read off and recorded here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, select, update

from billing import tables
from billing.store.changes import Change, ChangeError, Place, log, place
from billing.store.installations import register_texts, registers_json
from meters.interval import local_midnight
from meters.quantity import InexactQuantityError, to_scaled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from decimal import Decimal

    from sqlalchemy import Row


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person read off the meter of `point`; `photo` refers to a picture of it."""

    point: str
    registers: Mapping[str, Decimal]
    photo: str | None = None


def move_in(
    connection: Connection,
    change: Change,
    *,
    code: str,
    holder: str,
    shown: Sequence[Shown] = (),
) -> None:
    """Let account `code` of `holder` hold a unit; whoever held it before does so no longer.

    Where the account holds the unit already, its first day is corrected. Raises `ChangeError`, then
    nothing has changed.
    """
    unit, table = place(connection, change), tables.account
    held = _held(connection, unit)
    own = next((row for row in held if row.code == code), None)
    before = [row for row in held if row.first_day <= change.since and row.code != code]
    later = [row for row in held if row.first_day > change.since and row.code != code]
    if before and before[-1].first_day == change.since:
        raise ChangeError(
            f"account {before[-1].code} holds unit {change.unit} from {change.since} already; "
            "correct its first day first"
        )
    _assert_free(connection, unit, code, mine=own)
    until = later[0].first_day if later else None
    if own is not None:
        _assert_movable(change, own, later)
    if before and _leaves_for(before[-1], own, change.since):
        _ends(connection, before[-1], change.since)
    if own is None:
        connection.execute(
            insert(table).values(
                community_id=unit.community_id,
                unit_id=unit.id,
                code=code,
                holder=holder,
                first_day=change.since,
                after_day=until,
            )
        )
    else:
        values = {"first_day": change.since, "holder": holder}
        connection.execute(update(table).where(table.c.id == own.id).values(values))
    was = None if own is None else own.first_day.isoformat()
    log(connection, change, "account.move-in", account=code, holder=holder, was=was)
    record(connection, change, shown)


def move_out(connection: Connection, change: Change, *, shown: Sequence[Shown] = ()) -> None:
    """Let nobody hold a unit from a day on; what is billed of it then waits for an account."""
    unit = place(connection, change)
    leaving = [
        row
        for row in _held(connection, unit)
        if row.first_day < change.since and (row.after_day is None or change.since < row.after_day)
    ]
    if not leaving:
        raise ChangeError(f"nobody who held unit {change.unit} before {change.since} leaves it")
    _ends(connection, leaving[0], change.since)
    log(connection, change, "account.move-out", account=leaving[0].code)
    record(connection, change, shown)


def record(connection: Connection, change: Change, shown: Sequence[Shown]) -> None:
    """Keep what the meters of a unit showed when the day of a change began."""
    unit = place(connection, change)
    for each in shown:
        _record(connection, change, unit, each)


def _record(connection: Connection, change: Change, unit: Place, shown: Shown) -> None:
    point, community, table = tables.point, tables.community, tables.interim_register
    found = connection.execute(
        select(point.c.id, community.c.zone)
        .join(community, community.c.id == point.c.community_id)
        .where(point.c.unit_id == unit.id, point.c.code == shown.point)
    ).one_or_none()
    if found is None:
        raise ChangeError(f"unit {change.unit} has no point {shown.point!r}; correct the point")
    at = local_midnight(change.since, ZoneInfo(found.zone))
    if at > change.now:
        raise ChangeError(f"nobody can have read what {shown.point} shows on {change.since} yet")
    _assert_registers(shown)
    meter = _meter(connection, found.id, shown, at)
    row = {"registers": registers_json(shown.registers), "photo": shown.photo}
    mine = (table.c.point_id == found.id) & (table.c.meter == meter) & (table.c.at == at)
    was = connection.execute(select(table).where(mine)).one_or_none()
    if was is None:
        connection.execute(insert(table).values(point_id=found.id, meter=meter, at=at, **row))
    else:
        connection.execute(update(table).where(table.c.id == was.id).values(row))
    log(
        connection,
        change,
        "meter.interim",
        point=shown.point,
        meter=meter,
        registers=register_texts(shown.registers),
        photo=shown.photo,
        was=None if was is None else was.registers,
    )


def _assert_registers(shown: Shown) -> None:
    if not shown.registers:
        raise ChangeError(f"say what the meter of {shown.point} showed: at least one register")
    for name, value in shown.registers.items():
        if not value.is_finite() or value < 0:
            raise ChangeError(f"{name} of {shown.point} cannot show {value}")
        try:
            to_scaled(value)
        except InexactQuantityError as error:
            raise ChangeError(f"{name} of {shown.point}: {error}") from error


def _meter(connection: Connection, point_id: int, shown: Shown, at: datetime) -> str:
    """Return the meter that stood at a point at `at`, and before it and after it."""
    table = tables.installation
    meters = connection.scalars(
        select(table.c.meter).where(
            table.c.point_id == point_id,
            table.c.start < at,
            table.c.end.is_(None) | (table.c.end > at),
        )
    ).all()
    if len(meters) != 1:
        raise ChangeError(
            f"no meter stood at {shown.point} at {at.isoformat()}, or it came or went then; what "
            "it showed is recorded with its installation"
        )
    return str(meters[0])


def _held(connection: Connection, unit: Place) -> list[Row[Any]]:
    table = tables.account
    query = select(table).where(table.c.unit_id == unit.id).order_by(table.c.first_day)
    return list(connection.execute(query))


def _assert_free(connection: Connection, unit: Place, code: str, *, mine: Row[Any] | None) -> None:
    table = tables.account
    taken = connection.scalar(
        select(table.c.id).where(table.c.community_id == unit.community_id, table.c.code == code)
    )
    if mine is None and taken is not None:
        raise ChangeError(f"account {code} is another unit's; give the new one another code")


def _assert_movable(change: Change, own: Row[Any], later: Sequence[Row[Any]]) -> None:
    """Raise unless an account's first day can be that of the change."""
    if own.after_day is not None and own.after_day <= change.since:
        raise ChangeError(f"account {own.code} left unit {change.unit} on {own.after_day} already")
    between = [row for row in later if row.first_day < own.first_day]
    if between:
        raise ChangeError(
            f"account {between[0].code} holds unit {change.unit} from {between[0].first_day}; "
            "correct that one first"
        )


def _leaves_for(earlier: Row[Any], own: Row[Any] | None, day: date) -> bool:
    """Return whether `earlier` holds a unit until the day on which the next one moves in."""
    left: date | None = earlier.after_day
    return left is None or left > day or (own is not None and left == own.first_day)


def _ends(connection: Connection, account: Row[Any], day: date) -> None:
    table = tables.account
    connection.execute(update(table).where(table.c.id == account.id).values(after_day=day))
