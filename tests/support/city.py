"""A city: as many communities alike as wanted, and an archive that makes up what its meters show.

The first community goes through the front door; the others are copies of its rows with other ids
and other meters. What a meter shows follows from its name, so that every process that asks gets the
same answer, and no archive of millions of readings has to be filled first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any
from zlib import crc32
from zoneinfo import ZoneInfo

import numpy as np
from small_community import LIFT, LIGHTS, TARIFFS
from sqlalchemy import text

from billing import tables
from billing.backend import run_backend
from billing.community import parse_community
from billing.computing import Sources
from billing.database import Database
from billing.pools.pool import parse_pool
from billing.store import definitions, registry
from billing.tariff import parse_tariff
from meters.archive.protocol import BOUNDARY_WINDOW, Boundary
from meters.catalog import shipped
from meters.edges import NEVER_S, Edges
from meters.interval import Period
from meters.quantity import from_scaled
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from meters.archive.protocol import Appended, LastRead
    from meters.interval import Interval

ZONE = ZoneInfo("Asia/Shanghai")
OCTOBER = Period.month("2026-10", ZONE)
INSTALLED = datetime(2026, 9, 1, tzinfo=UTC)
NOW = OCTOBER.interval.end + timedelta(days=2)
DAY_S = 86_400
LATE_S = 300
OPENING = 1_000_000
STRIDE = 10**6
"""How far apart the ids of two communities are."""
AT_ONCE = 20
"""Communities that are copied in one transaction."""


def code_of(number: int) -> str:
    return f"c{number:05}"


def community_document(code: str, units: int) -> dict[str, Any]:
    """Return a community of one building, eight units a floor; its meters begin with `code`."""
    codes = [f"{1 + number // 8}-{number % 8 + 1:02}" for number in range(units)]
    shared = {"lift": "eastron-sdm630", "lights": "eastron-sdm120"}
    return {
        "kind": "community",
        "code": code,
        "title": {"en": "A part of the city"},
        "zone": ZONE.key,
        "tariffs": {"residential": ["power", "water", "fee"]},
        "building": [{"code": "b1", "title": {"en": "1"}}],
        "unit": [
            {
                "code": unit,
                "building": "b1",
                "floor": int(unit.partition("-")[0]),
                "area": str(Decimal(60 + number % 90) + Decimal("0.25")),
                **({"vacant_from": INSTALLED.date()} if number % 20 == 7 else {}),
            }
            for number, unit in enumerate(codes)
        ],
        "point": [
            *(_point(code, f"e-{unit}", "eastron-sdm120", unit=unit) for unit in codes),
            *(_point(code, f"w-{unit}", "bove-ultrasonic", unit=unit) for unit in codes),
            *(_point(code, point, kind, building="b1") for point, kind in shared.items()),
        ],
        "account": [
            {"code": f"A-{unit}", "unit": unit, "holder": "Owner", "first_day": INSTALLED.date()}
            for unit in codes
        ],
    }


def _point(code: str, point: str, meter_type: str, **where: str) -> dict[str, Any]:
    medium = "water" if point.startswith("w-") else "electricity"
    first = {"electricity": "import_energy", "water": "volume"}[medium]
    return {
        "code": point,
        "medium": medium,
        "role": "unit" if "unit" in where else "shared",
        **where,
        "installation": [
            {"meter": code + point, "type": meter_type, "start": INSTALLED, "first": {first: "0"}}
        ],
    }


def make_city(database: Database, communities: int, units: int, *, workers: int = 0) -> list[str]:
    """Fill an empty database with communities of `units` each, and return their codes.

    It is done by `workers` processes, in line where none are asked for.
    """
    codes = [code_of(number) for number in range(communities)]
    with database.transaction() as connection:
        document = parse_community(community_document(codes[0], units), "city")
        identity = registry.import_community(connection, document)
        for tariff in TARIFFS:
            definitions.add_tariff(connection, parse_tariff(tariff, tariff["id"]))
        for pool in (LIFT, LIGHTS):
            definitions.add_pool(connection, identity, parse_pool(pool, pool["id"]))
    with run_backend(workers=workers) as backend:
        copying = [
            backend.submit(_copy_communities, database.url, identity, numbers)
            for numbers in _batches(range(1, communities))
        ]
        for copied in copying:
            copied.result()
    return codes


def _batches(numbers: range) -> list[range]:
    """Return `numbers` in parts of what one transaction copies."""
    return [numbers[at : at + AT_ONCE] for at in range(0, len(numbers), AT_ONCE)]


def _copy_communities(url: str, first: int, numbers: Sequence[int]) -> None:
    """Copy community `first` to each of `numbers`; what refers to what is right as it was there."""
    with Database(url) as database, database.transaction() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for number in numbers:
            _copy_community(connection, first, number, code_of(number))


COPIED: dict[str, dict[str, str]] = {
    "community": {"id": "id + :number", "code": ":code"},
    "building": {},
    "unit": {"building_id": "building_id + :stride"},
    "unit_attribute": {},
    "unit_class": {},
    "vacancy": {},
    "account": {},
    "point": {"building_id": "building_id + :stride"},
    "installation": {"meter": ":code || substr(meter, 7)"},
    "pool_version": {"id": "id + :number * 10"},
}
"""Table → what a copy of a community has otherwise there, beside its ids."""
OF_UNITS = ("unit_attribute", "unit_class", "vacancy")


def _copy_community(connection: Connection, first: int, number: int, code: str) -> None:
    values = {"number": number, "code": code, "stride": number * STRIDE, "first": first}
    for table, otherwise in COPIED.items():
        names = tables.metadata.tables[table].c.keys()
        changed = {
            "id": "id + :stride",
            "community_id": "community_id + :number",
            "unit_id": "unit_id + :stride",
            "point_id": "point_id + :stride",
            **otherwise,
        }
        mine = "community_id = :first"
        if table == "community":
            mine = "id = :first"
        elif table == "installation":
            mine = "point_id IN (SELECT id FROM point WHERE community_id = :first)"
        elif table in OF_UNITS:
            mine = "unit_id IN (SELECT id FROM unit WHERE community_id = :first)"
        into = ", ".join(f'"{name}"' for name in names)
        source = ", ".join(changed.get(name, f'"{name}"') for name in names)
        sql = f"INSERT INTO {table} ({into}) SELECT {source} FROM {table} WHERE {mine}"  # noqa: S608  names of ours
        used = {name: value for name, value in values.items() if f":{name}" in sql}
        connection.execute(text(sql), used)


class MadeUpArchive:
    """An archive whose meters show, just after each instant, what follows from their names."""

    def append(self, readings: Sequence[Reading]) -> Appended:
        raise NotImplementedError(f"nothing is kept of {len(readings)} readings")

    def boundaries(
        self,
        series: Collection[Series],
        instant: datetime,
        *,
        window: timedelta = BOUNDARY_WINDOW,
    ) -> Mapping[Series, Boundary]:
        del window
        return {one: Boundary(instant, None, shown(one, instant)) for one in series}

    def edges(
        self,
        series: Collection[Series],
        instants: Collection[datetime],
        *,
        window: timedelta = BOUNDARY_WINDOW,
    ) -> Edges:
        del window
        every = tuple(sorted(series))
        at_s = np.array(sorted({int(each.timestamp()) for each in instants}), dtype=np.int64)
        chance = np.array([[chance_of(one)] for one in every], dtype=np.int64).reshape(-1, 1)
        scale = np.array([[scale_of(one)] for one in every], dtype=np.int64).reshape(-1, 2)
        days = (at_s - int(INSTALLED.timestamp())) // DAY_S
        counted = chance % OPENING + chance % scale[:, 1:] * days // 31
        nothing = np.zeros(counted.shape, dtype=np.int64)
        return Edges(
            series=every,
            instants_s=at_s,
            before_s=np.full(counted.shape, NEVER_S),
            before=nothing,
            after_s=at_s + chance % LATE_S,
            after=counted * scale[:, :1],
            unconfirmed=np.zeros(counted.shape, dtype=np.bool_),
        )

    def readings(self, series: Series, interval: Interval) -> list[Reading]:
        return [
            reading
            for instant in (interval.start, interval.end)
            if (reading := shown(series, instant)).time in interval
        ]

    def latest(self, series: Collection[Series] | None = None) -> Mapping[Series, Reading]:
        raise NotImplementedError(f"what {series} showed last is not made up")

    def last_read(self, series: Sequence[Series]) -> LastRead:
        raise NotImplementedError(f"when {series} were read last is not made up")

    def close(self) -> None:
        """There is nothing to close."""


def chance_of(series: Series) -> int:
    return crc32(series.meter.encode())


def scale_of(series: Series) -> tuple[int, int]:
    """Return what a register counts in, 10⁻⁴ of its unit, and its most in a month of such steps."""
    return (100, 60_000) if series.register == "import_energy" else (10, 3_000)


def shown(series: Series, instant: datetime) -> Reading:
    """Return what a meter shows within five minutes after `instant`."""
    chance, (step, most) = chance_of(series), scale_of(series)
    days = (instant - INSTALLED).days
    counted = chance % OPENING + chance % most * days // 31
    time = instant + timedelta(seconds=chance % LATE_S)
    return Reading(series, time, from_scaled(counted * step), "462a 7521", Verdict.GOOD)


@dataclass(frozen=True, slots=True)
class City:
    """How a worker comes to the city's database and its made-up archive."""

    database_url: str

    def __call__(self) -> Sources:
        return _opened(self.database_url)


@cache
def _opened(database_url: str) -> Sources:
    return Sources(Database(database_url), MadeUpArchive(), shipped())
