"""What units are billed by, in the database: each fact from a day on until the next."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from billing import tables
from billing.canonical import canonical_json, read_json
from billing.community import DEFAULT_CLASS
from billing.registry import Account
from billing.spans import Facts, Held, Since
from billing.store.bulk import insert_rows
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Row, Table

    from billing.community import Stated, Unit
    from meters.interval import Period

BEGINNING = date(1900, 1, 1)
"""The day of what a unit's file states without a day: it was so before anything was billed."""


def import_units(connection: Connection, units: Sequence[Unit], ids: Mapping[str, int]) -> None:
    """Store all that is dated of `units`, whose ids are given by their codes."""
    stated = [
        (ids[each.code], day, it)
        for each in units
        for day, it in ((BEGINNING, each), *((since.day, since) for since in each.since))
    ]
    insert_rows(
        connection,
        tables.unit_attribute,
        ("unit_id", "since", "name", "value"),
        [
            (unit_id, day, name, to_scaled(value))
            for unit_id, day, it in stated
            for name, value in it.all_attributes.items()
        ],
    )
    insert_rows(
        connection,
        tables.unit_class,
        ("unit_id", "since", "customer_class"),
        [
            (unit_id, day, it.customer_class or DEFAULT_CLASS)
            for unit_id, day, it in stated
            if it.customer_class is not None or day == BEGINNING
        ],
    )
    insert_rows(
        connection,
        tables.unit_tariffs,
        ("unit_id", "since", "tariffs"),
        [(unit_id, day, _tariffs(it)) for unit_id, day, it in stated if it.tariffs is not None],
    )
    insert_rows(
        connection,
        tables.vacancy,
        ("unit_id", "first_day", "after_day"),
        [
            (ids[each.code], each.vacant_from, each.vacant_until)
            for each in units
            if each.vacant_from is not None
        ],
    )


def _tariffs(stated: Stated) -> str | None:
    return None if stated.tariffs == "class" else canonical_json(stated.tariffs)


def read(connection: Connection, community_id: int, period: Period) -> Mapping[int, Facts]:
    """Return what is dated of every unit of a community and counts in `period`, by unit id."""
    found: dict[int, _Found] = defaultdict(_Found)
    attribute, customer_class = tables.unit_attribute, tables.unit_class
    for row in _since(connection, attribute, community_id, period):
        found[row.unit_id].attributes[row.name].append(Since(row.since, row.value))
    for row in _since(connection, customer_class, community_id, period):
        found[row.unit_id].classes.append(Since(row.since, row.customer_class))
    for row in _since(connection, tables.unit_tariffs, community_id, period):
        own = None if row.tariffs is None else tuple(read_json(row.tariffs))
        found[row.unit_id].tariffs.append(Since(row.since, own))
    for row in _held(connection, tables.vacancy, community_id, period):
        found[row.unit_id].vacancies.append(Held(row.first_day, row.after_day, None))
    for row in _held(connection, tables.account, community_id, period):
        account = Account(row.id, row.code, row.holder)
        found[row.unit_id].accounts.append(Held(row.first_day, row.after_day, account))
    return {unit_id: each.facts() for unit_id, each in found.items()}


class _Found:
    """The facts of one unit while they are read."""

    __slots__ = ("accounts", "attributes", "classes", "tariffs", "vacancies")

    def __init__(self) -> None:
        self.attributes: dict[str, list[Since[int | None]]] = defaultdict(list)
        self.classes: list[Since[str]] = []
        self.tariffs: list[Since[tuple[str, ...] | None]] = []
        self.vacancies: list[Held[None]] = []
        self.accounts: list[Held[Account]] = []

    def facts(self) -> Facts:
        return Facts(
            classes=self.classes,
            accounts=self.accounts,
            vacancies=self.vacancies,
            tariffs=self.tariffs,
            attributes=self.attributes,
        )


def _since(
    connection: Connection, table: Table, community_id: int, period: Period
) -> Iterable[Row[Any]]:
    unit = tables.unit
    return connection.execute(
        select(table)
        .join(unit, unit.c.id == table.c.unit_id)
        .where(unit.c.community_id == community_id, table.c.since < period.after)
        .order_by(table.c.since)
    )


def _held(
    connection: Connection, table: Table, community_id: int, period: Period
) -> Iterable[Row[Any]]:
    unit = tables.unit
    return connection.execute(
        select(table)
        .join(unit, unit.c.id == table.c.unit_id)
        .where(unit.c.community_id == community_id, _concerns(table, period))
        .order_by(table.c.first_day)
    )


def _concerns(table: Table, period: Period) -> ColumnElement[bool]:
    """Return the condition that what a row tells holds on a day of `period`."""
    begins = table.c.first_day < period.after
    return begins & (table.c.after_day.is_(None) | (table.c.after_day > period.first))
