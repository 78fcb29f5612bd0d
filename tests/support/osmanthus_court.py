"""A community to show pages with: two buildings, four units, a shared lift and shared lights.

Figures are chosen so that a reader can work them out: unit 1-201 used 312.4 kWh in October, of
which 240 in the first step and 72.4 in the second.
"""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from billing import lifecycle
from billing.community import parse_community
from billing.pools.pool import parse_pool
from billing.store import definitions, registry
from billing.tariff import parse_tariff
from meters.catalog import shipped
from meters.reading import Reading, Reason, Series, Verdict
from meters.words import encode, to_hex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from billing.database import Database
    from billing.store.runs import Run
    from meters.archive.protocol import Archive

CODE = "osmanthus"
NOW = datetime(2026, 11, 15, 8, 0, tzinfo=UTC)
MONTH, MONTH_BEFORE = "2026-10", "2026-09"
MIDNIGHTS = tuple(
    datetime(2026, month, day, 16, 0, tzinfo=UTC) for month, day in ((8, 31), (9, 30), (10, 31))
)
"""The first instants of September, October and November in Shanghai."""
START = datetime(2026, 8, 1, tzinfo=UTC)

POWER, WATER = "eastron-sdm120", "wmbusmeters-water"
ENERGY, VOLUME = "import_energy", "volume"

UNITS = (
    # code, building, floor, area, holder, power and water at the midnights
    ("1-101", "b1", 1, "90.5", "陈晓", ("1204.6", "1389.2", "1570.9"), ("80.2", "86.9", "93.4")),
    (
        "1-201",
        "b1",
        2,
        "88.36",
        "李明",
        ("5120.4", "5401.9", "5714.3"),
        ("310.5", "318.7", "327.9"),
    ),
    ("1-202", "b1", 2, "120.75", "王芳", ("402.1", "404.2", "406"), ("12.4", "12.4", "12.6")),
    ("2-101", "b2", 1, "64", "Ada Zhou", ("880", "1012.5", "1139.7"), ("55.1", "60", "64.8")),
)
VACANT = "1-202"
SHARED = (
    ("b1-lift", "b1", ("20110.5", "20455.9", "20812.4")),
    ("lights", None, ("9020", "9310.4", "9611.1")),
)

DEFINITIONS = """
[[definition]]
kind = "tariff"
id = "power"
version = 1
title = { zh = "居民用电", en = "Household electricity" }
medium = "electricity"
currency = "CNY"
valid_from = 2012-07-01
[[definition.charge]]
name = "energy"
title = { zh = "电费", en = "Electricity" }
kind = "steps"
per = "month"
register = "import_energy"
steps = [["240", "0.4883"], ["400", "0.5383"], ["0.7883"]]
[[definition.example]]
usage = "450"
expect = "242.74"

[[definition]]
kind = "tariff"
id = "water"
version = 1
title = { zh = "居民用水", en = "Household water" }
medium = "water"
currency = "CNY"
valid_from = 2014-05-01
[[definition.charge]]
name = "water"
title = { zh = "水费", en = "Water" }
kind = "steps"
per = "year"
register = "volume"
steps = [["12", "5"], ["260", "7"], ["9"]]
[[definition.charge]]
name = "sewage"
title = { zh = "污水处理费", en = "Sewage" }
kind = "per-unit"
register = "volume"
price = "1.36"
share = "0.9"
[[definition.example]]
usage = "10"
expect = "62.24"

[[definition]]
kind = "tariff"
id = "property"
version = 1
title = { zh = "物业服务", en = "Property service" }
currency = "CNY"
valid_from = 2020-01-01
[[definition.charge]]
name = "fee"
title = { zh = "物业费", en = "Property fee" }
kind = "per-area"
price = "1.8"
[[definition.charge]]
name = "refuse"
title = { zh = "垃圾清运费", en = "Refuse" }
kind = "fixed"
amount = "8"
[[definition.charge]]
name = "discount"
title = { zh = "物业费优惠", en = "Discount on the property fee" }
kind = "percentage"
of = ["fee"]
percent = "-5"
[[definition.example]]
area = "100"
expect = "179.00"

[[definition]]
kind = "tariff"
id = "power-public"
version = 1
title = { zh = "公共用电", en = "Shared electricity" }
medium = "electricity"
currency = "CNY"
valid_from = 2012-07-01
[[definition.charge]]
name = "energy"
title = { zh = "公共用电电费", en = "Shared electricity" }
kind = "per-unit"
register = "import_energy"
price = "0.5583"
[[definition.example]]
usage = "1000"
expect = "558.30"

[[definition]]
kind = "pool"
id = "b1-lift"
version = 1
title = { zh = "1号楼电梯用电", en = "Lift of building 1" }
source = { points = ["b1-lift"], register = "import_energy", tariff = "power-public" }
basis = "area"
company_share = "0.10"
vacant = "owner pays"
charging = { allowed = true, contract = "前期物业服务合同第12条" }
scope = { building = "b1", exclude = { floors = [1] } }
[[definition.example]]
period = "2026-01"
quantity = "300"
amount = "100.00"
participants = [
  { unit = "1-101", building = "b1", floor = 1, area = "90" },
  { unit = "1-201", building = "b1", floor = 2, area = "80" },
  { unit = "1-202", building = "b1", floor = 2, area = "120" },
]
expect = { 1-201 = "36.00", 1-202 = "54.00" }
company = "10.00"

[[definition]]
kind = "pool"
id = "lights"
version = 1
title = { zh = "小区照明", en = "Lights of the community" }
source = { points = ["lights"], register = "import_energy", tariff = "power-public" }
basis = "household"
vacant = "company pays"
charging = { allowed = true, contract = "前期物业服务合同第12条" }
[[definition.example]]
period = "2026-01"
quantity = "90"
amount = "100.00"
participants = [
  { unit = "1-101", floor = 1 },
  { unit = "1-201", floor = 2 },
]
expect = { 1-101 = "50.00", 1-201 = "50.00" }
"""
DEARER = """
kind = "tariff"
id = "property"
version = 2
title = { zh = "物业服务", en = "Property service" }
currency = "CNY"
valid_from = 2027-01-01

[[charge]]
name = "fee"
title = { zh = "物业费", en = "Property fee" }
kind = "per-area"
price = "2.00"

[[example]]
area = "100"
expect = "200.00"
"""
"""The property service from 2027 on, at more and with nothing beside it."""


def fill(database: Database, archive: Archive) -> None:
    """Import the community with its definitions, and put its readings into the archive."""
    with database.transaction() as connection:
        described = parse_community(community(), "Osmanthus Court")
        community_id = registry.import_community(connection, described)
        for document in tomllib.loads(DEFINITIONS, parse_float=Decimal)["definition"]:
            if document["kind"] == "tariff":
                definitions.add_tariff(connection, parse_tariff(document, document["id"]))
            else:
                pool = parse_pool(document, document["id"])
                definitions.add_pool(connection, community_id, pool)
    archive.append(list(readings()))


def bill_month(
    database: Database,
    archive: Archive,
    month: str,
    *,
    clerk: str = "clerk",
    approver: str = "approver",
) -> Run:
    """Create, compute, approve and issue the run of `month`."""
    run_id = lifecycle.create_run(database, period=month, communities=[CODE], actor=clerk, now=NOW)
    run = lifecycle.compute_run(database, archive, shipped(), run_id=run_id, actor=clerk, now=NOW)
    assert run.state == "computed", run.communities
    lifecycle.review_run(database, run_id=run_id, actor=clerk, now=NOW)
    lifecycle.approve_run(database, run_id=run_id, digest=str(run.digest), actor=approver, now=NOW)
    return lifecycle.issue_run(database, run_id=run_id, actor=approver, now=NOW)


def community() -> dict[str, Any]:
    """Return the community as its file would say it."""
    return {
        "kind": "community",
        "code": CODE,
        "title": {"zh": "桂花苑", "en": "Osmanthus Court"},
        "zone": "Asia/Shanghai",
        "tariffs": {"residential": ["power", "water", "property"]},
        "building": [
            {"code": "b1", "title": {"zh": "1号楼", "en": "Building 1"}},
            {"code": "b2", "title": {"zh": "2号楼", "en": "Building 2"}},
        ],
        "unit": [_unit(*unit[:4]) for unit in UNITS],
        "point": [
            *(_point(f"{unit[0]}-e", "electricity", unit[0], unit[5][0]) for unit in UNITS),
            *(_point(f"{unit[0]}-w", "water", unit[0], unit[6][0]) for unit in UNITS),
            *(_shared(*point) for point in SHARED),
        ],
        "account": [
            {
                "code": f"A-{unit[0]}",
                "unit": unit[0],
                "holder": unit[4],
                "first_day": datetime(2020, 1, 1, tzinfo=UTC).date(),
            }
            for unit in UNITS
        ],
    }


def readings() -> Iterator[Reading]:
    """Yield good readings at the midnights, and of one meter fresh ones with a glitch between."""
    for unit in UNITS:
        yield from _energy(f"E-{unit[0]}", unit[5])
        yield from _volume(f"W-{unit[0]}", unit[6])
    for code, _building, values in SHARED:
        yield from _energy(f"E-{code}", values)
    series = Series("E-1-201", ENERGY)
    for minutes in (50, 20, 5):
        yield _reading(series, NOW - timedelta(minutes=minutes), Decimal("5790.1"))
    yield Reading(
        series,
        NOW - timedelta(minutes=35),
        Decimal("99999.9"),
        "47c3 4ff3",
        Verdict.SUSPECT,
        (Reason.RATE,),
    )


def _energy(meter: str, values: tuple[str, ...]) -> Iterator[Reading]:
    for at, value in zip(MIDNIGHTS, values, strict=True):
        yield _reading(Series(meter, ENERGY), at + timedelta(seconds=14), Decimal(value))


def _volume(meter: str, values: tuple[str, ...]) -> Iterator[Reading]:
    for at, value in zip(MIDNIGHTS, values, strict=True):
        number, heard_at = Decimal(value), at + timedelta(seconds=41)
        yield Reading(Series(meter, VOLUME), heard_at, number, value, Verdict.GOOD)


def _reading(series: Series, at: datetime, value: Decimal) -> Reading:
    meter_type = shipped()[POWER]
    register = meter_type.registers[ENERGY]
    assert register.type is not None
    words = encode(value, register.type, meter_type.order_of(register))
    return Reading(series, at, value, to_hex(words), Verdict.GOOD)


def _unit(code: str, building: str, floor: int, area: str) -> dict[str, Any]:
    unit: dict[str, Any] = {"code": code, "building": building, "floor": floor, "area": area}
    if code == VACANT:
        unit["vacant_from"] = datetime(2026, 1, 1, tzinfo=UTC).date()
    return unit


def _point(code: str, medium: str, unit: str, first: str) -> dict[str, Any]:
    power = medium == "electricity"
    return {
        "code": code,
        "medium": medium,
        "role": "unit",
        "unit": unit,
        "installation": [
            _installation(
                f"{'E' if power else 'W'}-{unit}",
                POWER if power else WATER,
                ENERGY if power else VOLUME,
                first,
            )
        ],
    }


def _shared(code: str, building: str | None, values: tuple[str, ...]) -> dict[str, Any]:
    return {
        "code": code,
        "medium": "electricity",
        "role": "shared",
        "building": building,
        "installation": [_installation(f"E-{code}", POWER, ENERGY, values[0])],
    }


def _installation(meter: str, meter_type: str, register: str, first: str) -> dict[str, Any]:
    return {"meter": meter, "type": meter_type, "start": START, "first": {register: first}}
