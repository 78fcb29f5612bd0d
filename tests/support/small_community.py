"""A community small enough to bill by hand, its readings, and the books that it is billed in.

One building: a ground floor, two units upstairs of which one is vacant, and a corner flat. Each has
an electricity and a water meter; a lift (behind transformers of 40), lights and a pump are shared.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import inspect, text

from billing import lifecycle
from billing.community import parse_community
from billing.pools.pool import parse_pool
from billing.store import definitions, registry, runs
from billing.store.verification import verify_run
from billing.tariff import parse_tariff
from meters.catalog import shipped
from meters.interval import Period
from meters.reading import Reading, Series, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from billing.database import Database
    from billing.store.runs import Run
    from billing.store.verification import Verified
    from meters.archive.protocol import Archive

ZONE = ZoneInfo("Asia/Shanghai")
OCTOBER, NOVEMBER = (Period.month(key, ZONE) for key in ("2026-10", "2026-11"))
STARTS = (OCTOBER.interval.start, NOVEMBER.interval.start, NOVEMBER.interval.end)
INSTALLED = datetime(2026, 9, 14, 2, tzinfo=UTC)

UNITS: dict[str, tuple[int, str, bool]] = {
    "101": (1, "88.5", False),
    "201": (2, "120.25", False),
    "202": (2, "95", True),
    "301": (3, "64.1", False),
}
"""Unit → floor, area, vacant."""

SHOWN: dict[str, tuple[str, str, str]] = {
    "E-101": ("1000", "1250.5", "1441.25"),
    "E-201": ("40.07", "98.4", "301.11"),
    "E-202": ("7", "7", "7"),
    "E-301": ("999800.25", "250.3", "251.3"),  # passes its last digit in October
    "W-101": ("12.345", "30.845", "44.1"),
    "W-201": ("0", "14.999", "40"),
    "W-202": ("3.3", "3.3", "3.3"),
    "W-301": ("100", "122.5", "130.001"),
    "lift": ("10", "17.35", "26.02"),
    "lights": ("500", "590.55", "688.8"),
    "pump": ("0.4", "77.8", "150.9"),
}
"""Meter → its register when October, November and December begin."""

TYPES = {
    "E": "eastron-sdm120",
    "W": "bove-ultrasonic",
    "l": "eastron-sdm630",
    "p": "eastron-sdm120",
}
LIFT_MULTIPLIER = "40"


def register_of(meter: str) -> str:
    return "volume" if meter.startswith("W") else "import_energy"


def reading(meter: str, time: datetime, value: str, verdict: Verdict = Verdict.GOOD) -> Reading:
    return Reading(
        Series(meter, register_of(meter)), time, Decimal(value), value.encode().hex(), verdict
    )


def boundary_readings(*, without: Iterable[str] = ()) -> list[Reading]:
    """Return every meter's reading one minute after each month's start, but for some meters."""
    return [
        reading(meter, start + timedelta(minutes=1), value)
        for meter, values in SHOWN.items()
        if meter not in without
        for start, value in zip(STARTS, values, strict=True)
    ]


def _charge(name: str, kind: str, **rest: Any) -> dict[str, Any]:
    return {"name": name, "title": {"en": name}, "kind": kind, **rest}


def _tariff(identity: str, charges: list[Any], examples: list[Any], **rest: Any) -> dict[str, Any]:
    return {
        "kind": "tariff",
        "id": identity,
        "version": 1,
        "title": {"en": identity},
        "currency": "CNY",
        "valid_from": date(2026, 1, 1),
        "charge": charges,
        "example": examples,
        **rest,
    }


def _pool(identity: str, source: str, basis: str, **rest: Any) -> dict[str, Any]:
    return {
        "kind": "pool",
        "id": identity,
        "version": 1,
        "title": {"en": identity},
        "source": {"points": [source], "register": "import_energy", "tariff": "public"},
        "basis": basis,
        "charging": {"allowed": True, "contract": "resolution 7 of 2026"},
        "example": [
            {
                "period": "2026-01",
                "quantity": "10",
                "amount": "4.00",
                "participants": [{"unit": "x", "floor": 2, "area": "10", "use": "1"}],
                "expect": {"x": "4.00" if "company_share" not in rest else "3.60"},
                **({"company": "0.40"} if "company_share" in rest else {}),
            }
        ],
        **rest,
    }


ENERGY_STEPS = (("200", "0.4883"), ("400", "0.5383"), (None, "0.7883"))
WATER_STEPS = (("12", "5"), (None, "7"))
_STEPS = [[until, price] if until else [price] for until, price in ENERGY_STEPS]
_WATER = [[until, price] if until else [price] for until, price in WATER_STEPS]

POWER = _tariff(
    "power",
    [_charge("energy", "steps", per="year", register="import_energy", steps=_STEPS)],
    [{"usage": "241", "expect": "119.73"}],
    medium="electricity",
)
WATER = _tariff(
    "water",
    [
        _charge("water", "steps", per="month", register="volume", steps=_WATER),
        _charge("sewage", "per-unit", register="volume", share="0.9", price="1.36"),
        _charge("surcharge", "percentage", of=["water"], percent="3"),
    ],
    [{"usage": "14", "expect": "93.36"}],
    medium="water",
)
FEE = _tariff(
    "fee",
    [_charge("property-fee", "per-area", price="2.35"), _charge("refuse", "fixed", amount="6.00")],
    [{"area": "10", "expect": "29.50"}],
)
PUBLIC = _tariff(
    "public",
    [_charge("energy", "per-unit", register="import_energy", price="0.5583")],
    [{"usage": "1000", "expect": "558.30"}],
    medium="electricity",
)
TARIFFS = (POWER, WATER, FEE, PUBLIC)

LIFT = _pool(
    "lift",
    "lift",
    "area",
    scope={"building": "b1", "exclude": {"floors": [1]}},
    company_share="0.1",
    vacant="owner pays",
)
LIGHTS = _pool("lights", "lights", "household", vacant="company pays")
PUMP = _pool(
    "pump",
    "pump",
    "use",
    use={"medium": "water", "register": "volume"},
    vacant="owner pays",
)
POOLS = (LIFT, LIGHTS, PUMP)


def community_document(code: str = "yard", prefix: str = "") -> dict[str, Any]:
    """Return the community as its file would say it; `prefix` keeps its meters apart."""
    return {
        "kind": "community",
        "code": code,
        "title": {"zh": "小院", "en": "The yard"},
        "zone": ZONE.key,
        "due_days": 10,
        "tariffs": {"residential": ["power", "water", "fee"]},
        "building": [{"code": "b1", "title": {"en": "Building 1"}}],
        "unit": [
            {
                "code": unit,
                "building": "b1",
                "floor": floor,
                "area": area,
                **({"vacant_from": date(2026, 5, 1)} if vacant else {}),
            }
            for unit, (floor, area, vacant) in UNITS.items()
        ],
        "point": [_point(meter, prefix) for meter in SHOWN],
        "account": [
            {"code": f"A-{unit}", "unit": unit, "holder": "王", "first_day": date(2026, 1, 1)}
            for unit in UNITS
        ],
    }


def _point(meter: str, prefix: str) -> dict[str, Any]:
    register, unit = register_of(meter), meter.partition("-")[2]
    installation = {
        "meter": prefix + meter,
        "type": TYPES[meter[0]],
        "start": INSTALLED,
        "first": {register: "0"},
        **({"multiplier": LIFT_MULTIPLIER} if meter == "lift" else {}),
    }
    return {
        "code": meter,
        "medium": "water" if register == "volume" else "electricity",
        "role": "unit" if unit else "shared",
        **({"unit": unit} if unit else {"building": "b1"}),
        "installation": [installation],
    }


def changed(document: dict[str, Any], **by_list: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return `document` with keys of some entries changed: `unit={"101": {"area": None}}`.

    An entry is named by its code; None removes the key.
    """
    document = copy.deepcopy(document)
    for name, entries in by_list.items():
        for code, changes in entries.items():
            (entry,) = (each for each in document[name] if each["code"] == code)
            entry.update(changes)
            for key in [key for key, value in entry.items() if value is None]:
                del entry[key]
    return document


def after(period: str) -> datetime:
    """Return a moment two days after `period` has ended."""
    return Period.month(period, ZONE).interval.end + timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Books:
    """A billing database with its archive, and the people who work with them."""

    database: Database
    archive: Archive

    def define(
        self,
        document: dict[str, Any] | None = None,
        *,
        tariffs: Sequence[dict[str, Any]] = TARIFFS,
        pools: Sequence[dict[str, Any]] = POOLS,
    ) -> int:
        """Bring in a community with its tariffs and pools, and return its id."""
        community = parse_community(document or community_document(), "community.toml")
        with self.database.transaction() as connection:
            community_id = registry.import_community(connection, community)
            for tariff in tariffs:
                definitions.add_tariff(connection, parse_tariff(tariff, tariff["id"]))
            for pool in pools:
                definitions.add_pool(connection, community_id, parse_pool(pool, pool["id"]))
        return community_id

    def create(self, period: str = "2026-10", *communities: str) -> int:
        return lifecycle.create_run(
            self.database,
            period=period,
            communities=communities or ("yard",),
            actor="clerk",
            now=after(period),
        )

    def compute(self, run_id: int, *, actor: str = "clerk", archive: Archive | None = None) -> Run:
        return lifecycle.compute_run(
            self.database,
            archive or self.archive,
            shipped(),
            run_id=run_id,
            actor=actor,
            now=after("2026-11"),
        )

    def review(self, run_id: int, *, actor: str = "clerk") -> Run:
        return lifecycle.review_run(self.database, run_id=run_id, actor=actor, now=after("2026-11"))

    def approve(self, run_id: int, *, actor: str = "approver", digest: str | None = None) -> Run:
        """Approve what is seen now, unless another `digest` was seen."""
        return lifecycle.approve_run(
            self.database,
            run_id=run_id,
            digest=digest or str(self.run(run_id).digest),
            actor=actor,
            now=after("2026-11"),
        )

    def withdraw(self, run_id: int, *, reason: str = "wrong month") -> Run:
        return lifecycle.withdraw_run(
            self.database, run_id=run_id, reason=reason, actor="clerk", now=after("2026-11")
        )

    def issue(self, run_id: int) -> Run:
        return lifecycle.issue_run(
            self.database, run_id=run_id, actor="approver", now=after("2026-11")
        )

    def bill(self, period: str = "2026-10", *communities: str) -> Run:
        """Create, compute, approve and issue a run, and return it."""
        return self.bill_run(self.create(period, *communities))

    def bill_run(self, run_id: int) -> Run:
        """Compute, approve and issue a run, and return it."""
        computed = self.compute(run_id)
        assert computed.state == "computed", computed.communities
        self.review(run_id)
        self.approve(run_id)
        return self.issue(run_id)

    def run(self, run_id: int) -> Run:
        with self.database.snapshot() as connection:
            return runs.read(connection, run_id)

    def verify(self, run_id: int) -> Verified:
        with self.database.snapshot() as connection:
            return verify_run(connection, run_id)

    def rows(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        """Return what a question in straight SQL gives."""
        with self.database.snapshot() as connection:
            return [tuple(row) for row in connection.execute(text(sql), parameters)]

    def execute(self, sql: str, **parameters: object) -> int:
        """Change something behind the program's back; return how many rows it touched."""
        with self.database.transaction() as connection:
            return connection.execute(text(sql), parameters).rowcount

    def columns(self, table: str) -> list[str]:
        """Return the names of the columns of `table`."""
        return [column["name"] for column in inspect(self.database.engine).get_columns(table)]
