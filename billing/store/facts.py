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
from billing.store.bulk import insert_rows, select_rows
from meters.quantity import to_scaled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Column, Select
    from sqlalchemy.sql.base import ReadOnlyColumnCollection

    from billing.community import Stated, Unit
    from meters.interval import Period

    Named = ReadOnlyColumnCollection[str, Column[Any]]

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
    attribute, customer_class = tables.unit_attribute.c, tables.unit_class.c
    own, vacancy, account = tables.unit_tariffs.c, tables.vacancy.c, tables.account.c
    for unit_id, since, name, value in select_rows(
        connection, _since(attribute, community_id, period, attribute.name, attribute.value)
    ):
        found[unit_id].attributes[name].append(Since(since, value))
    for unit_id, since, name in select_rows(
        connection, _since(customer_class, community_id, period, customer_class.customer_class)
    ):
        found[unit_id].classes.append(Since(since, name))
    for unit_id, since, text in select_rows(
        connection, _since(own, community_id, period, own.tariffs)
    ):
        names = None if text is None else tuple(read_json(text))
        found[unit_id].tariffs.append(Since(since, names))
    for unit_id, first, after in select_rows(connection, _held(vacancy, community_id, period)):
        found[unit_id].vacancies.append(Held(first, after, None))
    for unit_id, first, after, *holder in select_rows(
        connection,
        _held(account, community_id, period, account.id, account.code, account.holder),
    ):
        found[unit_id].accounts.append(Held(first, after, Account(*holder)))
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


def _since(dated: Named, community_id: int, period: Period, *what: Column[Any]) -> Select[Any]:
    """Select unit, first day and `what` of a table's rows that have begun, in order of the day."""
    unit = tables.unit.c
    return (
        select(dated.unit_id, dated.since, *what)
        .join(tables.unit, unit.id == dated.unit_id)
        .where(unit.community_id == community_id, dated.since < period.after)
        .order_by(dated.since)
    )


def _held(held: Named, community_id: int, period: Period, *what: Column[Any]) -> Select[Any]:
    """Select unit, days and `what` of a table's rows that hold on a day of `period`, in order."""
    unit = tables.unit.c
    return (
        select(held.unit_id, held.first_day, held.after_day, *what)
        .join(tables.unit, unit.id == held.unit_id)
        .where(
            unit.community_id == community_id,
            held.first_day < period.after,
            held.after_day.is_(None) | (held.after_day > period.first),
        )
        .order_by(held.first_day)
    )
